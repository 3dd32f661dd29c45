/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a daemon of RPC, what ends it, and what it cannot be told. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "exposed.h"

static void run_until_stopped(struct colony_rpc_daemon *daemon, void *data)
{
    struct fixture *f = data;

    while (colony_rpc_running(daemon)) {
        (void)sem_post(&f->begun);
        (void)colony_rpc_sleep(daemon, UINT64_MAX);
    }
    atomic_fetch_add(&f->count, 1);
}

static void run_once(struct colony_rpc_daemon *daemon, void *data)
{
    (void)daemon;
    atomic_fetch_add(&((struct fixture *)data)->count, 10);
}

TEST(test_run_functions_have_a_thread_each_until_stop_is_called)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_until_stopped, &f, NULL), 0);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_until_stopped, &f, NULL), 0);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_once, &f, NULL), 0);
    start(&f);
    assert_int_equal(sem_wait(&f.begun), 0);
    assert_int_equal(sem_wait(&f.begun), 0);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "stop", NULL), "true");
    assert_int_equal(colony_rpc_wait(f.daemon, &f.err), 0);
    assert_int_equal(f.count, 12);
    colony_rpc_disconnect(proxy);
    assert_int_equal(colony_rpc_connect(&proxy, "Pot", NULL, &f.err), -ENOENT);
    fixture_clear(&f);
}

TEST(test_it_ends_when_all_run_functions_have_returned)
{
    struct fixture f;

    fixture_init(&f, NULL);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_once, &f, NULL), 0);
    assert_int_equal(colony_rpc_run(f.daemon, &f.err), 0);
    assert_int_equal(f.count, 10);
    assert_int_equal(colony_rpc_start(f.daemon, &f.err), -EBUSY);
    fixture_clear(&f);
}

static int stop_it(const struct cJSON *params, struct cJSON **result,
                   struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)params, (void)error;
    colony_rpc_stop(f->daemon);
    *result = cJSON_CreateString("bye");
    return 0;
}

TEST(test_a_method_may_stop_it_and_is_answered)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "leave", NULL, stop_it, 0);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "leave", NULL), "\"bye\"");
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    assert_null(colony_rpc_figures(f.daemon));
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_a_call_under_way_is_finished_and_none_is_begun_at_the_end)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "hold", NULL, hold, 0);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "dir", "[1]"),
                        "-22 TypeError: cannot call dir: too many parameters");
    begin_slow(&f);
    colony_rpc_stop(f.daemon);
    assert_string_equal(called(proxy, "hold", NULL),
                        "-11 ConnectionError: cannot do this: the daemon ends");
    end_slow(&f);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

static void note_mask(struct fixture *f)
{
    sigset_t mask;

    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    if (sigismember(&mask, SIGUSR2) == 1 && sigismember(&mask, SIGTERM) == 0)
        atomic_fetch_add(&f->count, 1);
}

static void run_noting_mask(struct colony_rpc_daemon *daemon, void *data)
{
    note_mask(data);
    while (colony_rpc_sleep(daemon, UINT64_MAX))
        ;
}

static int call_noting_mask(const struct cJSON *params, struct cJSON **result,
                            struct colony_rpc_error *error, void *data)
{
    (void)params, (void)result, (void)error;
    note_mask(data);
    return 0;
}

static int load_noting_mask(struct cJSON **saved, void *data, struct colony_error *err)
{
    (void)saved, (void)err;
    note_mask(data);
    return 0;
}

static int save_noting_mask(const struct cJSON *attributes, void *data, struct colony_error *err)
{
    (void)attributes, (void)err;
    note_mask(data);
    return 0;
}

/* Programs that they run inherit it: with SIGTERM blocked these would not end. */
TEST(test_functions_of_the_program_have_its_signal_mask)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    struct colony_rpc_persister persister = {load_noting_mask, save_noting_mask, NULL};
    sigset_t mask;
    sigset_t before;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGUSR2);
    fixture_init(&f, NULL);
    expose(&f, "note", NULL, call_noting_mask, 0);
    expose_number(&f, "pst_size", 3, false);
    persister.data = &f;
    assert_int_equal(colony_rpc_set_persister(f.daemon, &persister, NULL), 0);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_noting_mask, &f, NULL), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, &before), 0);
    start(&f);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "note", NULL), "null");
    colony_rpc_disconnect(proxy);
    colony_rpc_stop(f.daemon);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    assert_int_equal(f.count, 4);
    fixture_clear(&f);
}

TEST(test_a_signal_stops_it_when_it_was_asked_to)
{
    struct fixture f;

    fixture_init(&f, NULL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, 0, NULL), -EINVAL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, SIGUSR1, NULL), 0);
    start(&f);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    fixture_clear(&f);
}

TEST(test_a_program_has_several_of_different_names)
{
    struct fixture f;
    struct colony_rpc_daemon *other;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    start(&f);
    assert_int_equal(colony_rpc_open(&other, "Pan", NULL, NULL), 0);
    assert_int_equal(colony_rpc_describe(other, "a pan", NULL), 0);
    assert_int_equal(colony_rpc_start(other, &f.err), 0);
    assert_string_not_equal(colony_rpc_endpoint(other), colony_rpc_endpoint(f.daemon));
    proxy = connected("Pan");
    assert_string_equal(called(proxy, "doc", NULL), "\"a pan\"");
    colony_rpc_disconnect(proxy);
    proxy = connected(colony_rpc_endpoint(other) + strlen("tcp://"));
    assert_string_equal(called(proxy, "doc", NULL), "\"a pan\"");
    colony_rpc_disconnect(proxy);
    colony_rpc_close(other);
    assert_int_equal(colony_rpc_open(&other, "Pot", NULL, NULL), 0);
    assert_int_equal(colony_rpc_start(other, &f.err), -EEXIST);
    colony_rpc_close(other);
    proxy = connected("Pot"); /* the first one is still there */
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_what_is_wrong_in_its_settings_is_told_with_its_place)
{
    static const struct {
        const char *settings;
        const char *told;
    } rows[] = {
        {"insecure: yes\nname: x", "settings:2:1: cannot use `name`: it is not for a program"},
        {"program: x", "settings:1:1: cannot use `program`: it is not for a program"},
        {"nam: x", "settings:1:1: cannot use the key `nam`: it is unknown"},
        {"bindd: x",
         "settings:1:1: cannot use the key `bindd`: it is unknown, did you mean `bind`?"},
        {"pst: {class_name: s3}",
         "settings:1:1: cannot keep attributes in s3: `url` must be https://HOST/BUCKET/KEY"},
        {"[1]", "settings:1:1: cannot use these settings: they are no map"},
    };
    struct colony_rpc_daemon *daemon;
    struct colony_error err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(colony_rpc_open(&daemon, "Pot", rows[i].settings, &err), -EINVAL);
        assert_string_equal(err.message, rows[i].told);
    }
    assert_int_equal(colony_rpc_open(&daemon, "Pot", "null", &err), 0);
    colony_rpc_close(daemon);
}

enum {
    TWINS_ROUNDS = 10,
};

struct twin {
    pthread_barrier_t *barrier;
    pthread_t thread;
    int rc;
};

static void *start_twin(void *data)
{
    struct twin *twin = data;
    struct colony_rpc_daemon *daemon;

    twin->rc = colony_rpc_open(&daemon, "Twin", NULL, NULL);
    (void)pthread_barrier_wait(twin->barrier);
    if (twin->rc < 0)
        return NULL;
    twin->rc = colony_rpc_start(daemon, NULL);
    (void)pthread_barrier_wait(twin->barrier); /* as long as the other one may still come */
    colony_rpc_close(daemon);
    return NULL;
}

TEST(test_of_two_that_start_at_once_with_one_name_one_is_served)
{
    pthread_barrier_t barrier;

    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    for (int i = 0; i < TWINS_ROUNDS; i++) {
        struct twin twins[2] = {{.barrier = &barrier}, {.barrier = &barrier}};

        for (int k = 0; k < 2; k++)
            assert_int_equal(pthread_create(&twins[k].thread, NULL, start_twin, &twins[k]), 0);
        for (int k = 0; k < 2; k++)
            assert_int_equal(pthread_join(twins[k].thread, NULL), 0);
        assert_int_equal(twins[0].rc + twins[1].rc, -EEXIST);
    }
    assert_int_equal(pthread_barrier_destroy(&barrier), 0);
}

static int start_and_ask(void)
{
    struct colony_rpc_daemon *daemon;
    struct colony_rpc_proxy *proxy;
    int rc;

    assert_int_equal(colony_rpc_open(&daemon, "Poor", NULL, NULL), 0);
    rc = colony_rpc_start(daemon, NULL);
    if (rc == 0) {
        rc = colony_rpc_connect(&proxy, "Poor", NULL, NULL);
        if (rc == 0)
            colony_rpc_disconnect(proxy);
    }
    colony_rpc_close(daemon);
    return rc;
}

enum {
    SPARE_ENOUGH = 80,
    SPARE_FOR_LOOP = 12, /* libuv leaves one open where it gets fewer than a loop takes */
};

/* libzmq ends the program where it does not get a descriptor of its own. */
TEST(test_without_descriptors_it_is_an_error_and_the_program_goes_on)
{
    struct rlimit before;
    struct rlimit fewer;
    int first_free = dup(STDERR_FILENO);
    int rc = start_and_ask(); /* libraries are open then */

    assert_int_equal(rc, 0);
    assert_int_equal(close(first_free), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    fewer = before;
    for (int spare = SPARE_ENOUGH; spare > SPARE_FOR_LOOP; spare--) {
        fewer.rlim_cur = (rlim_t)(first_free + spare);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
        rc = start_and_ask();
        assert_true(rc == 0 || rc == -EMFILE);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rc, -EMFILE);
}

/* Who comes then waits: there is one for us at both ends, and none for libzmq. */
TEST(test_clients_are_let_in_when_there_are_descriptors_again)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct colony_rpc_proxy *proxy;
    struct rlimit before;
    struct rlimit fewer;
    struct fixture f;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int first_free;

    fixture_init(&f, NULL);
    start(&f);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(colony_rpc_endpoint(f.daemon), ':') + 1));
    first_free = dup(STDERR_FILENO);
    assert_int_equal(close(first_free), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    fewer = before;
    fewer.rlim_cur = (rlim_t)(first_free + 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    (void)usleep(100000); /* the daemon looks at it */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    proxy = connected("Pot");
    assert_true(number(proxy, "uptime") >= 0);
    colony_rpc_disconnect(proxy);
    assert_int_equal(close(fd), 0);
    fixture_clear(&f);
}

TEST(test_what_cannot_be_is_told_before_it_starts)
{
    static const char *const bad[] = {"name: x",          "program: x",  "[1]",
                                      "bind: 127.0.0.1:", "keys: /none", "pst: {class_name: cake}"};
    static const struct colony_rpc_method twice = {"twice", NULL, NULL, 0, echo};
    static const struct colony_rpc_method taken = {"stop", NULL, NULL, 0, echo};
    static const struct colony_rpc_method hidden = {"_hidden", NULL, NULL, 0, echo};
    static const struct colony_rpc_method empty = {"empty", NULL, NULL, 0, NULL};
    static const struct colony_rpc_method odd = {"odd", "a b-c", NULL, 0, echo};
    static const struct colony_rpc_method many = {"many", "a b c d e f g h i", NULL, 0, echo};
    static const struct colony_rpc_method bytes = {"bytes", NULL, "\xff", 0, echo};
    static const struct colony_rpc_method odd_flags = {"odd", NULL, NULL, 4, echo};
    static const struct colony_rpc_attribute read_by_all = {.name = "all",
                                                            .flags = COLONY_RPC_FOR_READERS};
    static const struct colony_rpc_attribute told = {.name = "told", .get = get_heat};
    static const cJSON json_true = {.type = cJSON_True};
    static const struct colony_rpc_attribute half = {.name = "pst_half", .get = get_heat};
    struct colony_rpc_daemon *daemon;
    struct fixture f;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (i != 3)
            assert_int_equal(colony_rpc_open(&daemon, "Pot", bad[i], NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, "a/b", NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, "a:b", NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, "-a", NULL, NULL), -EINVAL);
    fixture_init(&f, "bind: 192.0.2.1:1\ninsecure: yes");
    assert_int_equal(colony_rpc_expose_method(f.daemon, &twice, NULL, NULL), 0);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &twice, NULL, NULL), -EEXIST);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &taken, NULL, NULL), -EEXIST);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &hidden, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &empty, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &odd, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &many, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &bytes, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &odd_flags, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &read_by_all, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_describe(f.daemon, "\xff", NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &half, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &told, &json_true, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, SIGKILL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, SIGSTOP, NULL), -EINVAL);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), -EINVAL);
    assert_true(colony_rpc_start(f.daemon, &f.err) < 0); /* that address is not ours */
    fixture_clear(&f);
    fixture_init(&f, "bind: 0.0.0.0");
    assert_int_equal(colony_rpc_start(f.daemon, &f.err), -EACCES);
    fixture_clear(&f);
}

TEST(test_it_may_be_told_to_stop_before_it_starts_or_never_start)
{
    struct fixture f;

    fixture_init(&f, NULL);
    fixture_clear(&f);
    fixture_init(&f, NULL);
    colony_rpc_stop(f.daemon);
    assert_int_equal(colony_rpc_run(f.daemon, NULL), 0);
    fixture_clear(&f);
    colony_rpc_close(NULL);
    colony_rpc_disconnect(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_functions_have_a_thread_each_until_stop_is_called),
        cmocka_unit_test(test_it_ends_when_all_run_functions_have_returned),
        cmocka_unit_test(test_a_method_may_stop_it_and_is_answered),
        cmocka_unit_test(test_a_call_under_way_is_finished_and_none_is_begun_at_the_end),
        cmocka_unit_test(test_functions_of_the_program_have_its_signal_mask),
        cmocka_unit_test(test_a_signal_stops_it_when_it_was_asked_to),
        cmocka_unit_test(test_a_program_has_several_of_different_names),
        cmocka_unit_test(test_what_is_wrong_in_its_settings_is_told_with_its_place),
        cmocka_unit_test(test_of_two_that_start_at_once_with_one_name_one_is_served),
        cmocka_unit_test(test_without_descriptors_it_is_an_error_and_the_program_goes_on),
        cmocka_unit_test(test_clients_are_let_in_when_there_are_descriptors_again),
        cmocka_unit_test(test_what_cannot_be_is_told_before_it_starts),
        cmocka_unit_test(test_it_may_be_told_to_stop_before_it_starts_or_never_start),
    };

    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
