/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon runs beside: slaves. */
#include "started.h"

static void work(struct colony_daemon *daemon, void *data)
{
    struct fixture *f = data;

    do {
        f->rounds++;
        (void)sem_post(&f->is_held);
    } while (colony_daemon_sleep(daemon, 1000000));
}

static void add_rounds(struct colony_daemon *daemon, cJSON *status, void *data)
{
    struct fixture *f = data;

    (void)daemon;
    (void)cJSON_AddNumberToObject(status, "rounds", f->rounds);
}

static void count_end(void *data)
{
    ((struct fixture *)data)->ends++;
}

TEST(test_slaves_work_until_the_daemon_stops_and_can_be_woken)
{
    struct fixture f;
    const struct colony_daemon_slave slave = {
        .name = "Worker", .run = work, .status = add_rounds, .end = count_end, .data = &f};
    struct colony_daemon_slave bad = slave;

    fixture_init(&f, NULL, FREE_PORT);
    assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), -ESHUTDOWN);
    bad.name = "";
    assert_int_equal(colony_daemon_run_slave(f.daemon, &bad, NULL), -EINVAL);
    bad.name = "a\xff";
    assert_int_equal(colony_daemon_run_slave(f.daemon, &bad, NULL), -EINVAL);
    bad.name = "a\nb";
    assert_int_equal(colony_daemon_run_slave(f.daemon, &bad, NULL), -EINVAL);
    fixture_start(&f);
    assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), 0);
    (void)sem_wait(&f.is_held);
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "\"name\": \"Worker\",\n"));
    assert_non_null(strstr(f.answer, "\"rounds\": 1,\n"));
    assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), 0);
    (void)sem_wait(&f.is_held);
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "\"name\": \"Worker-1\",\n"));
    assert_non_null(strstr(f.answer, "\"name\": \"Worker-2\",\n"));
    colony_daemon_wake(f.daemon, "nobody");
    colony_daemon_wake(f.daemon, "Worker");
    (void)sem_wait(&f.is_held);
    (void)sem_wait(&f.is_held);
    assert_int_equal(f.rounds, 4);
    assert_int_equal(f.ends, 0);
    colony_daemon_stop(f.daemon);
    fixture_join(&f);
    assert_int_equal(f.ends, 2);
    assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), -ESHUTDOWN);
    fixture_clear(&f);
}

static void count_round(struct colony_daemon *daemon, void *data)
{
    (void)daemon;
    ((struct fixture *)data)->rounds++;
}

TEST(test_slaves_that_are_done_leave_nothing)
{
    struct fixture f;
    const struct colony_daemon_slave slave = {
        .name = "Brief", .run = count_round, .end = count_end, .data = &f};

    fixture_init(&f, NULL, FREE_PORT);
    fixture_start(&f);
    for (int i = 0; i < 200; i++)
        assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), 0);
    while (f.ends < 200)
        (void)colony_daemon_sleep(f.daemon, 1);
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "\"slaves\": [],\n"));
    assert_int_equal(f.rounds, 200);
    fixture_clear(&f);
}

static pthread_key_t key;

/* When the thread ends, once the loop waits for that. */
static void wake_others(void *data)
{
    struct fixture *f = data;

    (void)usleep(100000);
    colony_daemon_wake(f->daemon, "Other");
    f->ends++;
}

static void set_specific(struct colony_daemon *daemon, void *data)
{
    (void)daemon;
    assert_int_equal(pthread_setspecific(key, data), 0);
}

TEST(test_a_thread_that_ends_may_still_use_the_daemon)
{
    struct fixture f;
    const struct colony_daemon_slave slave = {.name = "Tidy", .run = set_specific, .data = &f};

    assert_int_equal(pthread_key_create(&key, wake_others), 0);
    fixture_init(&f, NULL, FREE_PORT);
    fixture_start(&f);
    assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), 0);
    while (f.ends < 1)
        (void)colony_daemon_sleep(f.daemon, 1);
    fixture_clear(&f);
    assert_int_equal(pthread_key_delete(key), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slaves_work_until_the_daemon_stops_and_can_be_woken),
        cmocka_unit_test(test_slaves_that_are_done_leave_nothing),
        cmocka_unit_test(test_a_thread_that_ends_may_still_use_the_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
