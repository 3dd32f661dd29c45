/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies, whatever becomes of the daemon they ask. */
#include "exposed.h"

TEST(test_a_proxy_goes_on_when_its_daemon_is_started_again)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    char settings[160];

    fixture_init(&f, NULL);
    expose(&f, "echo", NULL, echo, 0);
    start(&f);
    (void)snprintf(settings, sizeof settings, "bind: %s",
                   colony_rpc_endpoint(f.daemon) + strlen("tcp://"));
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
    fixture_clear(&f);
    colony_rpc_set_timeout(proxy, 50);
    assert_memory_equal(called(proxy, "echo", "[2]"), "-110", 4);
    colony_rpc_set_timeout(proxy, DEADLINE_MS);
    fixture_init(&f, settings);
    expose(&f, "echo", NULL, echo, 0);
    start(&f);
    assert_string_equal(called(proxy, "echo", "[3]"), "[3]");
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

/* On an address of this test's own, whose ports nobody else takes when they are free again. */
static void start_pot(struct fixture *f)
{
    char settings[32];

    (void)snprintf(settings, sizeof settings, "bind: 127.%d.%d.9", getpid() / 200 % 200 + 1,
                   getpid() % 200);
    fixture_init(f, settings);
    expose(f, "echo", NULL, echo, 0);
    start(f);
}

static void open_kettle(struct fixture *f, const char *settings)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(colony_rpc_open(&f->daemon, "Kettle", settings, &f->err), 0);
    start(f);
}

/* @is_used: it was asked before its daemon's place was taken. */
static void check_taken_place(bool is_used)
{
    struct fixture pot;
    struct fixture kettle;
    struct colony_rpc_proxy *proxy;
    char settings[160];
    cJSON *figures;

    start_pot(&pot);
    (void)snprintf(settings, sizeof settings, "bind: %s",
                   colony_rpc_endpoint(pot.daemon) + strlen("tcp://"));
    proxy = connected("Pot");
    if (is_used)
        assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
    fixture_clear(&pot);
    open_kettle(&kettle, settings);
    start_pot(&pot);
    assert_string_equal(called(proxy, "echo", "[2]"), "[2]");
    assert_string_equal(called(proxy, "stop", NULL), "true");
    assert_int_equal(colony_rpc_wait(pot.daemon, NULL), 0);
    assert_true(colony_rpc_running(kettle.daemon));
    figures = colony_rpc_figures(kettle.daemon);
    assert_int_equal(cJSON_GetObjectItem(figures, "requests")->valueint, 0);
    cJSON_Delete(figures);
    colony_rpc_disconnect(proxy);
    fixture_clear(&pot);
    colony_rpc_close(kettle.daemon);
}

TEST(test_whoever_has_got_the_place_of_a_daemon_is_asked_nothing)
{
    check_taken_place(true);
    check_taken_place(false);
}

/* Asks until its daemon, which has ended, is given up. */
static void *give_up(void *data)
{
    struct colony_rpc_proxy *proxy = data;
    struct colony_error err = {0};
    static _Thread_local int code;

    assert_true(colony_rpc_call(proxy, "echo", NULL, NULL, &err) < 0);
    code = err.code;
    colony_rpc_set_timeout(proxy, DEADLINE_MS);
    assert_int_equal(colony_rpc_call(proxy, "echo", NULL, NULL, &err), code); /* at once */
    return (void *)(intptr_t)code;
}

TEST(test_a_daemon_that_does_not_come_back_is_given_up_after_ten_seconds)
{
    struct fixture f;
    struct colony_rpc_proxy *by_name;
    struct colony_rpc_proxy *by_address;
    struct timespec begun;
    struct timespec ended;
    pthread_t thread;
    void *code;

    start_pot(&f);
    by_name = connected("Pot");
    by_address = connected(colony_rpc_endpoint(f.daemon) + strlen("tcp://"));
    assert_string_equal(called(by_name, "echo", "[1]"), "[1]");
    assert_string_equal(called(by_address, "echo", "[1]"), "[1]");
    colony_rpc_set_timeout(by_name, UINT64_MAX);
    colony_rpc_set_timeout(by_address, UINT64_MAX);
    fixture_clear(&f);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_int_equal(pthread_create(&thread, NULL, give_up, by_address), 0);
    assert_int_equal((intptr_t)give_up(by_name), -ENOENT);
    assert_int_equal(pthread_join(thread, &code), 0);
    assert_int_equal((intptr_t)code, -ECONNREFUSED);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_in_range(ended.tv_sec - begun.tv_sec, 9, 12);
    colony_rpc_disconnect(by_name);
    colony_rpc_disconnect(by_address);
}

TEST(test_a_proxy_tells_where_nobody_is)
{
    struct colony_rpc_proxy *proxy;
    struct colony_error err = {0};
    cJSON *value;

    assert_int_equal(colony_rpc_connect(&proxy, "Nobody", NULL, &err), -ENOENT);
    assert_int_equal(colony_rpc_connect(&proxy, "", NULL, &err), -EINVAL);
    assert_int_equal(colony_rpc_connect(&proxy, "127.0.0.1:1", NULL, &err), 0);
    assert_int_equal(colony_rpc_get(proxy, "x", &value, &err), -ECONNREFUSED);
    assert_null(colony_rpc_raised(proxy));
    colony_rpc_disconnect(proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proxy_goes_on_when_its_daemon_is_started_again),
        cmocka_unit_test(test_whoever_has_got_the_place_of_a_daemon_is_asked_nothing),
        cmocka_unit_test(test_a_daemon_that_does_not_come_back_is_given_up_after_ten_seconds),
        cmocka_unit_test(test_a_proxy_tells_where_nobody_is),
    };

    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
