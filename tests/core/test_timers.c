/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "core/timers.h"

enum {
    MANY = 1000,
};

struct fixture {
    uv_loop_t loop;
    struct colony_timers *timers;
    struct colony_timer timer[MANY];
    uint32_t room;
    uint32_t called;
    uint64_t last_due_ms;
    bool is_closed;
};

static struct fixture *f; /* that of the test that runs */

static void count(struct colony_timer *timer)
{
    assert_true(timer->place == 0);
    assert_true(timer->due_ms <= uv_now(&f->loop));
    assert_true(timer->due_ms >= f->last_due_ms); /* in order */
    f->last_due_ms = timer->due_ms;
    f->called++;
}

static void on_closed(void *data)
{
    ((struct fixture *)data)->is_closed = true;
}

static int set_up(void **state __attribute__((unused)))
{
    f = calloc(1, sizeof *f);
    assert_true(f && uv_loop_init(&f->loop) == 0);
    assert_true(colony_timers_new(&f->timers, &f->loop) == 0);
    for (; f->room < MANY; f->room++)
        assert_true(colony_timers_add(f->timers) == 0);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    colony_timers_close(f->timers, on_closed, f);
    assert_true(!f->is_closed); /* never from inside close */
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(f->is_closed);
    assert_true(uv_loop_close(&f->loop) == 0);
    free(f);
    return 0;
}

static void start(size_t i, colony_timer_cb cb, uint64_t delay_ms)
{
    colony_timer_start(f->timers, &f->timer[i], cb, delay_ms);
}

TEST(test_many_are_called_once_each_in_the_order_of_their_times)
{
    srandom(1);
    for (size_t i = 0; i < MANY; i++)
        start(i, count, (uint64_t)random() % 30);
    for (size_t i = 0; i < MANY; i += 3)
        start(i, count, (uint64_t)random() % 30); /* put off or brought forward */
    for (size_t i = 0; i < MANY; i += 5)
        colony_timer_stop(f->timers, &f->timer[i]);
    assert_int_equal(f->called, 0);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT); /* ends when none runs any more */
    assert_int_equal(f->called, MANY - MANY / 5);
}

static void again(struct colony_timer *timer)
{
    count(timer);
    colony_timer_start(f->timers, timer, again, 0);
}

TEST(test_one_that_starts_itself_again_lets_the_loop_turn)
{
    start(0, again, 0);
    start(1, count, 0);
    (void)uv_run(&f->loop, UV_RUN_ONCE);
    assert_in_range(f->called, 1, 4);
    colony_timer_stop(f->timers, &f->timer[0]);
}

static void stop_others(struct colony_timer *timer)
{
    count(timer);
    for (size_t i = 0; i < MANY; i++)
        colony_timer_stop(f->timers, &f->timer[i]);
}

TEST(test_what_is_stopped_by_a_callback_is_not_called)
{
    for (size_t i = 0; i < MANY; i++)
        start(i, stop_others, 1);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->called, 1);
}

TEST(test_the_first_is_not_late_when_it_comes_last)
{
    uint64_t begun;

    start(0, count, 100000);
    start(1, stop_others, 5);
    begun = uv_hrtime();
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->called, 1);
    assert_true(uv_hrtime() - begun < UINT64_C(50000000000));
}

TEST(test_room_is_used_again)
{
    for (size_t i = 0; i < MANY; i++) {
        colony_timers_remove(f->timers);
        assert_int_equal(colony_timers_add(f->timers), 0);
    }
    for (size_t i = 0; i < MANY; i++)
        start(i, count, 0);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->called, MANY);
}

#define TIMERS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMERS_TEST(test_many_are_called_once_each_in_the_order_of_their_times),
        TIMERS_TEST(test_one_that_starts_itself_again_lets_the_loop_turn),
        TIMERS_TEST(test_what_is_stopped_by_a_callback_is_not_called),
        TIMERS_TEST(test_the_first_is_not_late_when_it_comes_last),
        TIMERS_TEST(test_room_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
