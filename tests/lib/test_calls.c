/* SPDX-License-Identifier: Apache-2.0 */
#include "opened.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 4,
    CALLS = 2000, /* of each */
};

struct caller {
    struct opened *opened;
    pthread_t thread;
    unsigned posted;
    unsigned called; /* in order so far */
    pthread_t where; /* it was called last */
};

/* A number of a caller's. */
struct number {
    struct caller *caller;
    unsigned value;
};

static void on_number(struct colony *colony, void *arg)
{
    struct number *number = arg;

    assert_ptr_equal(colony, number->caller->opened->colony);
    assert_int_equal(number->value, number->caller->called);
    number->caller->called++;
    number->caller->where = pthread_self();
    free(number);
}

static void post_number(struct caller *caller)
{
    struct number *number = malloc(sizeof *number);

    assert_non_null(number);
    *number = (struct number){caller, caller->posted++};
    assert_int_equal(colony_engine_post(caller->opened->colony, on_number, number), 0);
}

static void *post_many(void *data)
{
    for (unsigned i = 0; i < CALLS; i++)
        post_number(data);
    return NULL;
}

TEST(test_calls_of_each_thread_are_carried_out_in_order_on_the_loop)
{
    struct opened opened;
    struct caller callers[THREADS] = {0};

    opened_init(&opened);
    for (int i = 0; i < THREADS; i++) {
        callers[i].opened = &opened;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, post_many, &callers[i]), 0);
    }
    while (callers[0].called < CALLS || callers[THREADS - 1].called < CALLS)
        opened_turn(&opened);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
    opened_turn(&opened);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].called, CALLS);
        assert_true(pthread_equal(callers[i].where, pthread_self()));
    }
    opened_clear(&opened);
}

TEST(test_a_call_is_never_made_from_inside)
{
    struct opened opened;
    struct caller caller = {.opened = &opened};

    opened_init(&opened);
    post_number(&caller);
    assert_int_equal(caller.called, 0);
    opened_turn(&opened);
    assert_int_equal(caller.called, 1);
    opened_clear(&opened);
}

static void post_another(struct colony *colony, void *arg)
{
    (void)colony;
    post_number(arg);
}

TEST(test_what_a_call_posts_waits_for_the_next_turn)
{
    struct opened opened;
    struct caller caller = {.opened = &opened};

    opened_init(&opened);
    assert_int_equal(colony_engine_post(opened.colony, post_another, &caller), 0);
    opened_turn(&opened);
    opened_turn(&opened);
    assert_int_equal(caller.called, 1);
    opened_clear(&opened);
}

TEST(test_what_was_posted_is_called_before_the_end_is_told)
{
    struct opened opened;
    struct caller caller = {.opened = &opened};

    opened_init(&opened);
    assert_int_equal(colony_engine_post(opened.colony, post_another, &caller), 0);
    opened_clear(&opened);
    assert_int_equal(caller.called, 1);
}

TEST(test_an_open_engine_keeps_no_loop_running)
{
    struct opened opened;

    opened_init(&opened);
    (void)uv_timer_stop(&opened.program);
    assert_int_equal(uv_run(&opened.loop, UV_RUN_DEFAULT), 0); /* it returns */
    opened_clear(&opened);
}

/* Writes. */

struct written {
    int count;
    int rc;
};

static void on_written(int rc, const char *why, void *data)
{
    struct written *written = data;

    assert_non_null(why);
    written->count++;
    written->rc = rc;
}

TEST(test_a_write_without_an_engine_is_told_later)
{
    struct opened opened;
    struct written written = {0};
    struct colony_input input = {.stream = {.id = 1, .label = "control"},
                                 .bytes = "x",
                                 .size = 1,
                                 .done = on_written,
                                 .data = &written};

    opened_init(&opened);
    assert_int_equal(colony_write_to(opened.colony, &input, NULL), 0);
    assert_int_equal(written.count, 0);
    opened_turn(&opened);
    assert_int_equal(written.count, 1);
    assert_int_equal(written.rc, -EAGAIN);
    opened_clear(&opened);
}

TEST(test_what_waits_to_be_written_is_bounded)
{
    struct opened opened;
    struct colony_error err = {0};
    size_t size = 9 << 20;
    char *bytes = calloc(1, 2 * size);

    assert_non_null(bytes);
    opened_init(&opened);
    assert_int_equal(colony_write(opened.colony, 1, bytes, size, &err), 0);
    assert_int_equal(colony_write(opened.colony, 1, bytes, size, &err), -EAGAIN);
    assert_non_null(strstr(err.message, "16 MiB wait"));
    opened_turn(&opened);
    assert_int_equal(colony_write(opened.colony, 1, bytes, 2 * size, &err), 0); /* alone it may */
    opened_clear(&opened);
    free(bytes);
}

static void count(struct colony *colony, void *arg)
{
    (void)colony;
    ++*(unsigned *)arg;
}

TEST(test_what_is_posted_is_bounded)
{
    struct opened opened;
    unsigned posted = 0;
    unsigned counted = 0;

    opened_init(&opened);
    while (colony_engine_post(opened.colony, count, &counted) == 0 && posted < 1 << 21)
        posted++;
    assert_true(posted < 1 << 21);
    assert_int_equal(colony_engine_post(opened.colony, count, &counted), -EAGAIN);
    assert_int_equal(colony_write(opened.colony, 1, "x", 1, NULL), 0); /* that is another matter */
    opened_turn(&opened);
    assert_int_equal(counted, posted);
    assert_int_equal(colony_engine_post(opened.colony, count, &counted), 0);
    opened_clear(&opened);
    assert_int_equal(counted, posted + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_of_each_thread_are_carried_out_in_order_on_the_loop),
        cmocka_unit_test(test_a_call_is_never_made_from_inside),
        cmocka_unit_test(test_what_a_call_posts_waits_for_the_next_turn),
        cmocka_unit_test(test_what_was_posted_is_called_before_the_end_is_told),
        cmocka_unit_test(test_an_open_engine_keeps_no_loop_running),
        cmocka_unit_test(test_a_write_without_an_engine_is_told_later),
        cmocka_unit_test(test_what_waits_to_be_written_is_bounded),
        cmocka_unit_test(test_what_is_posted_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
