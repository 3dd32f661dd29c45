/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <unistd.h>

#include "api/loop_watch_internal.h"

#include "../test.h"

enum {
    LONG_MS = 60,
    SLOW_MS = 2 * COLONY__LOOP_SLOW_MS,
};

static void be_busy(uv_timer_t *timer)
{
    (void)poll(NULL, 0, LONG_MS); /* what nobody may do on a loop */
    uv_close((uv_handle_t *)timer, NULL);
}

static void be_slow(uv_timer_t *timer)
{
    (void)poll(NULL, 0, SLOW_MS);
    uv_close((uv_handle_t *)timer, NULL);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    (void)poll(NULL, 0, LONG_MS);
    uv_close((uv_handle_t *)handle, NULL);
}

static void count_close(uv_handle_t *handle)
{
    ++*(int *)handle->data;
}

static uint64_t turns_above(const struct colony__loop_watch *watch, uint32_t ms)
{
    uint64_t count = 0;

    for (size_t i = 1; i <= COLONY__LOOP_BOUNDS; i++)
        if (colony__loop_bounds_ms[i - 1] >= ms)
            count += watch->counts[i];
    return count;
}

static void finish(struct colony__loop_watch *watch, uv_loop_t *loop)
{
    int closed = 0;

    colony__loop_watch_close(watch, count_close, &closed);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(closed, COLONY__LOOP_HANDLES);
    assert_int_equal(uv_loop_close(loop), 0);
}

TEST(test_it_keeps_no_loop_alive)
{
    struct colony__loop_watch watch;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    colony__loop_watch_init(&watch, &loop);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    finish(&watch, &loop);
}

TEST(test_a_long_timer_is_counted)
{
    struct colony__loop_watch watch;
    uv_timer_t timer;
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    colony__loop_watch_init(&watch, &loop);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, be_busy, 1, 0), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(turns_above(&watch, 50), 1);
    assert_true(watch.total_ms >= LONG_MS - 1);
    finish(&watch, &loop);
}

TEST(test_a_long_answer_to_input_is_counted_and_waiting_is_not)
{
    struct colony__loop_watch watch;
    uv_poll_t handle;
    uv_timer_t timer;
    uv_loop_t loop;
    int pipe_fds[2];

    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    assert_int_equal(uv_loop_init(&loop), 0);
    colony__loop_watch_init(&watch, &loop);
    assert_int_equal(uv_poll_init(&loop, &handle, pipe_fds[0]), 0);
    assert_int_equal(uv_poll_start(&handle, UV_READABLE, on_readable), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    assert_int_equal(uv_timer_start(&timer, be_busy, 300, 0), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(turns_above(&watch, 50), 2);
    assert_true(watch.total_ms >= 2 * LONG_MS - 2);
    assert_true(watch.total_ms < 250);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    finish(&watch, &loop);
}

/* What a look from inside of that turn sees. */
static void look(uv_timer_t *timer)
{
    *(uint64_t *)timer->data = colony__loop_watch_slowest(timer->loop->data);
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(test_the_slowest_turn_of_late_is_known_even_before_it_is_over)
{
    struct colony__loop_watch watch;
    uint64_t seen = 0;
    uv_timer_t timers[3];
    uv_loop_t loop;

    assert_int_equal(uv_loop_init(&loop), 0);
    loop.data = &watch;
    colony__loop_watch_init(&watch, &loop);
    for (int i = 0; i < 3; i++)
        assert_int_equal(uv_timer_init(&loop, &timers[i]), 0);
    timers[1].data = &seen;
    assert_int_equal(colony__loop_watch_slowest(&watch), 0);
    assert_int_equal(uv_timer_start(&timers[0], be_slow, 1, 0), 0);
    assert_int_equal(uv_timer_start(&timers[1], look, 1, 0), 0); /* in the same turn */
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(seen >= SLOW_MS - 2);
    assert_int_equal(uv_timer_start(&timers[2], be_busy, 1, 0), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(colony__loop_watch_slowest(&watch) >= SLOW_MS - 2);
    watch.slow_at_ms -= COLONY__LOOP_RECENT_MS;
    assert_int_equal(colony__loop_watch_slowest(&watch), 0);
    finish(&watch, &loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_keeps_no_loop_alive),
        cmocka_unit_test(test_a_long_timer_is_counted),
        cmocka_unit_test(test_a_long_answer_to_input_is_counted_and_waiting_is_not),
        cmocka_unit_test(test_the_slowest_turn_of_late_is_known_even_before_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
