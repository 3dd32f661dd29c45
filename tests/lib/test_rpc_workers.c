/* SPDX-License-Identifier: Apache-2.0 */
/* Who does calls, how many at once, and what becomes of those that are too many. */
#include "../hooked.h"
#include "exposed.h"

/* A daemon with a slow method and a quick one. */
static void init_slow_and_quick(struct fixture *f)
{
    fixture_init(f, NULL);
    expose(f, "hold", NULL, hold, 0);
    expose(f, "echo", NULL, echo, 0);
}

TEST(test_a_slow_method_holds_up_nobody_else)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    init_slow_and_quick(&f);
    start(&f);
    begin_slow(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
    colony_rpc_set_timeout(proxy, 50);
    assert_memory_equal(called(proxy, "hold", NULL), "-110 cannot wait", 16);
    assert_int_equal(sem_post(&f.free), 0);
    end_slow(&f);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

/* How many of the figure there are. */
static double figure(struct fixture *f, const char *name)
{
    cJSON *figures = colony_rpc_figures(f->daemon);
    double count = cJSON_GetNumberValue(cJSON_GetObjectItem(figures, name));

    cJSON_Delete(figures);
    return count;
}

TEST(test_what_is_too_much_is_refused_and_counted)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    init_slow_and_quick(&f);
    expose(&f, "here", NULL, echo, COLONY_RPC_ON_LOOP);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 0, 0, NULL), -EINVAL);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 1, 2000, NULL), -EINVAL);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 1, 0, NULL), 0);
    start(&f);
    begin_slow(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "echo", NULL),
                        "-11 ConnectionError: cannot do this now: too many calls wait already");
    assert_string_equal(called(proxy, "here", "[2]"), "[2]");
    assert_int_equal(figure(&f, "refused"), 1);
    assert_int_equal(figure(&f, "requests"), 3);
    end_slow(&f);
    assert_string_equal(called(proxy, "echo", "[3]"), "[3]");
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_calls_of_those_who_are_gone_make_room)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    struct colony_rpc_proxy *gone;
    const char *answer = "";

    init_slow_and_quick(&f);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 1, 1, NULL), 0);
    start(&f);
    begin_slow(&f);
    gone = connected("Pot");
    colony_rpc_set_timeout(gone, 200);
    assert_memory_equal(called(gone, "echo", "[1]"), "-110", 4);
    assert_int_equal(figure(&f, "waiting"), 1);
    proxy = connected("Pot");
    assert_memory_equal(called(proxy, "echo", "[2]"), "-11 ConnectionError", 19);
    colony_rpc_disconnect(gone);
    colony_rpc_set_timeout(proxy, 100);
    for (int i = 0; i < DEADLINE_MS && strncmp(answer, "-110", 4) != 0; i += 10) {
        assert_true(colony_rpc_sleep(f.daemon, 10)); /* for the hang-up to be seen */
        answer = called(proxy, "echo", "[3]");
    }
    assert_memory_equal(answer, "-110", 4); /* it waits now */
    assert_int_equal(figure(&f, "waiting"), 1);
    end_slow(&f);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
    assert_int_equal(f.count, 1); /* the first one was never begun */
}

static _Atomic pthread_t loop_threads[2];

static int tell_thread(const struct cJSON *params, struct cJSON **result,
                       struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)params, (void)result, (void)error;
    loop_threads[atomic_fetch_add(&f->count, 1)] = pthread_self();
    return 0;
}

TEST(test_on_loop_is_one_thread)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "tell", NULL, tell_thread, COLONY_RPC_ON_LOOP);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "tell", NULL), "null");
    assert_string_equal(called(proxy, "tell", NULL), "null");
    assert_true(pthread_equal(loop_threads[0], loop_threads[1]));
    assert_false(pthread_equal(loop_threads[0], pthread_self()));
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

enum {
    ASKERS = 6,
    ASKED = 40,
};

static void *ask_often(void *arg)
{
    struct fixture *f = arg;
    struct colony_rpc_proxy *proxy = connected("Pot");
    struct colony_error err;
    cJSON *value = cJSON_CreateNumber(7);

    for (int i = 0; i < ASKED; i++) {
        assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
        assert_int_equal(set_number(proxy, "heat", i, &err), 0);
        assert_int_equal(colony_rpc_put(f->daemon, "pst_turns", value, &err), 0);
        assert_int_equal(number(proxy, "pst_turns"), 7);
    }
    cJSON_Delete(value);
    colony_rpc_disconnect(proxy);
    return NULL;
}

TEST(test_many_threads_ask_at_once)
{
    struct fixture f;
    pthread_t threads[ASKERS];

    fixture_init(&f, "pst: {class_name: none}");
    expose(&f, "echo", NULL, echo, 0);
    expose_number(&f, "heat", 1, false);
    expose_number(&f, "pst_turns", 1, false);
    start(&f);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &f), 0);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(f.count, ASKERS * ASKED);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_method_holds_up_nobody_else),
        cmocka_unit_test(test_what_is_too_much_is_refused_and_counted),
        cmocka_unit_test(test_calls_of_those_who_are_gone_make_room),
        cmocka_unit_test(test_on_loop_is_one_thread),
        cmocka_unit_test(test_many_threads_ask_at_once),
    };

    hook_cjson(); /* as a program may have: what is freed by whom shows */
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
