/* SPDX-License-Identifier: Apache-2.0 */
/* Settings, life and log of a daemon, and what it tells Juggler. */
#include "started.h"

/* --- settings --------------------------------------------------------------------------------- */

static struct colony_daemon *open_plain(void)
{
    struct colony_daemon *daemon = NULL;

    assert_int_equal(colony_daemon_open(&daemon, "tested", NULL, NULL), 0);
    return daemon;
}

static int load(struct colony_daemon *daemon, const char *text, struct colony_error *err)
{
    return colony_daemon_load_text(daemon, text, strlen(text), err);
}

TEST(test_all_keys_but_three_are_the_programs)
{
    struct colony_daemon *daemon = open_plain();
    const cJSON *config;
    const cJSON *master;

    assert_null(colony_daemon_config(daemon));
    assert_int_equal(load(daemon,
                          "{master: {port: 3322, hidden_opts: [token]}, token: s3cret, http: no, "
                          "log: {level: 5}, processes: [1, 2.50], juggler: {url: 'http://j/'}}",
                          NULL),
                     0);
    config = colony_daemon_config(daemon);
    master = colony_daemon_master_config(daemon);
    assert_int_equal(cJSON_GetArraySize(config), 4);
    assert_string_equal(cJSON_GetObjectItem(config, "token")->valuestring, "s3cret");
    assert_true(cJSON_IsNumber(cJSON_GetArrayItem(cJSON_GetObjectItem(config, "processes"), 1)));
    assert_int_equal(cJSON_GetObjectItem(master, "port")->valueint, 3322);
    assert_string_equal(cJSON_GetObjectItem(master, "host")->valuestring, "::");
    assert_int_equal(load(daemon, "{}", NULL), -EBUSY);
    colony_daemon_free(daemon);
}

TEST(test_a_key_that_is_called_like_a_section_is_the_programs_where_colony_has_its_own)
{
    struct colony_daemon *daemon = open_plain();

    assert_int_equal(load(daemon,
                          "{colony: {events: {max_events: 5}}, events: [1, 2], master: {port: 0}}",
                          NULL),
                     0);
    assert_int_equal(cJSON_GetArraySize(colony_daemon_config(daemon)), 1);
    assert_true(cJSON_IsArray(cJSON_GetObjectItem(colony_daemon_config(daemon), "events")));
    assert_int_equal(cJSON_GetObjectItem(colony_daemon_master_config(daemon), "port")->valueint, 0);
    colony_daemon_free(daemon);
}

TEST(test_settings_that_cannot_be_used_are_told_with_their_place)
{
    struct colony_daemon *daemon = open_plain();
    struct colony_error err;

    assert_int_equal(load(daemon, "master:\n  prot: 1\n", &err), -EINVAL);
    assert_non_null(strstr(err.message, "settings:2:3: "));
    assert_int_equal(load(daemon, "colony: {http: {}}", &err), -EINVAL);
    assert_non_null(strstr(err.message, "cannot use `http` here"));
    assert_int_equal(load(daemon, "[1]", &err), -EINVAL);
    assert_int_equal(load(daemon, "{", &err), -EINVAL);
    assert_int_equal(colony_daemon_load(daemon, "/nope/x.yaml", &err), -ENOENT);
    colony_daemon_free(daemon);
}

TEST(test_a_name_is_needed)
{
    struct colony_daemon *daemon = NULL;
    char name[66];

    memset(name, 'x', 65);
    name[65] = '\0';
    assert_int_equal(colony_daemon_open(&daemon, "", NULL, NULL), -EINVAL);
    assert_int_equal(colony_daemon_open(&daemon, name, NULL, NULL), -EINVAL);
    assert_int_equal(colony_daemon_open(&daemon, "a\nb", NULL, NULL), -EINVAL);
    assert_int_equal(colony_daemon_open(&daemon, "\x7f", NULL, NULL), -EINVAL);
    assert_int_equal(colony_daemon_open(&daemon, "\xff\xfe", NULL, NULL), -EINVAL);
    assert_int_equal(colony_daemon_open(&daemon, "d\xc3\xa9mon", NULL, NULL), 0);
    colony_daemon_free(daemon);
    assert_int_equal(colony_daemon_open(&daemon, name + 1, NULL, NULL), 0);
    colony_daemon_free(daemon);
    colony_daemon_free(NULL);
}

/* --- its life --------------------------------------------------------------------------------- */

static void return_at_once(struct colony_daemon *daemon, void *data)
{
    (void)daemon, (void)data;
}

TEST(test_it_ends_when_its_work_is_done)
{
    const struct colony_daemon_callbacks callbacks = {.run = return_at_once};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    assert_int_equal(colony_daemon_port(f.daemon), 0);
    assert_int_equal(colony_daemon_start(f.daemon, NULL), 0);
    assert_true(colony_daemon_is_stopping(f.daemon));
    assert_int_equal(colony_daemon_start(f.daemon, NULL), -EALREADY);
    fixture_clear(&f);
}

TEST(test_a_stop_before_the_start_counts)
{
    struct colony_daemon *daemon = open_plain();

    assert_int_equal(load(daemon, FREE_PORT, NULL), 0);
    colony_daemon_stop(daemon);
    assert_int_equal(colony_daemon_start(daemon, NULL), 0);
    colony_daemon_free(daemon);
}

TEST(test_a_port_that_is_taken_is_told)
{
    struct colony_daemon *daemon = open_plain();
    struct colony_error err;
    struct fixture f;
    char text[64];

    fixture_init(&f, NULL, FREE_PORT);
    fixture_start(&f);
    (void)snprintf(text, sizeof text, "{master: {host: 127.0.0.1, port: %u}}",
                   colony_daemon_port(f.daemon));
    assert_int_equal(load(daemon, text, NULL), 0);
    assert_int_equal(colony_daemon_start(daemon, &err), -EADDRINUSE);
    assert_non_null(strstr(err.message, "Address already in use"));
    colony_daemon_free(daemon);
    fixture_clear(&f);
}

static void *sleep_until_it_stops(void *data)
{
    struct fixture *f = data;

    (void)sem_post(&f->is_held);
    while (colony_daemon_sleep(f->daemon, 1000000))
        ;
    return NULL;
}

TEST(test_a_start_that_fails_is_its_end_for_all_who_wait_for_that)
{
    struct fixture f;
    pthread_t thread;

    fixture_init(&f, NULL, "{master: {host: 127.0.0.1, port: 0}, events: {durable: true}}");
    assert_int_equal(pthread_create(&thread, NULL, sleep_until_it_stops, &f), 0);
    (void)sem_wait(&f.is_held);
    assert_int_equal(colony_daemon_start(f.daemon, NULL), -EINVAL);
    assert_true(colony_daemon_is_stopping(f.daemon));
    (void)pthread_join(thread, NULL);
    fixture_clear(&f);
}

TEST(test_handlers_that_take_an_engine_are_refused)
{
    static const char *const handlers[] = {"exec: cat", "stdin: web", "bus: true"};
    struct colony_error err;
    char text[128];

    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        struct colony_daemon *daemon = open_plain();

        (void)snprintf(text, sizeof text,
                       "{master: {host: 127.0.0.1, port: 0}, events: {handlers: [{%s}]}}",
                       handlers[i]);
        assert_int_equal(load(daemon, text, NULL), 0);
        assert_int_equal(colony_daemon_start(daemon, &err), -ENOTSUP);
        assert_non_null(strstr(err.message, "that is the engine's"));
        colony_daemon_free(daemon);
    }
}

/* --- log, Juggler ----------------------------------------------------------------------------- */

static void say(struct colony_daemon *daemon, void *data)
{
    (void)data;
    colony_daemon_log(daemon, COLONY_DAEMON_INFO, "I'm %s", "r\xff\xc3\xa9nning\n");
    colony_daemon_log(daemon, COLONY_DAEMON_DEBUG, "not this");
}

TEST(test_lines_are_in_columns_from_the_level_that_was_asked_for)
{
    const struct colony_daemon_callbacks callbacks = {.run = say};
    char text[512] = "";
    struct fixture f;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    fixture_init(&f, &callbacks, FREE_PORT);
    colony_daemon_log_to(f.daemon, fds[1], COLONY_DAEMON_INFO);
    assert_int_equal(colony_daemon_start(f.daemon, NULL), 0);
    fixture_clear(&f);
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    assert_int_equal(text[19], ',');
    assert_string_equal(text + 23, " MainThread              tested                          "
                                   "INFO        I'm r?\xc3\xa9nning?\n");
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* Where descriptors 1 and 2 lead to meanwhile. */
static int begin_silence(int saved[2])
{
    int fds[2];

    (void)fflush(NULL);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(i + 1);
        assert_int_equal(dup2(fds[1], i + 1), i + 1);
    }
    (void)close(fds[1]);
    return fds[0];
}

static void end_silence(const int saved[2])
{
    for (int i = 0; i < 2; i++) {
        (void)dup2(saved[i], i + 1);
        (void)close(saved[i]);
    }
}

TEST(test_nothing_is_printed_unless_it_is_asked_for)
{
    const struct colony_daemon_callbacks callbacks = {.run = say};
    struct fixture f;
    struct fixture plain;
    char text[512];
    int saved[2];
    int fd = begin_silence(saved);

    fixture_init(&f, &callbacks, "{master: {host: 127.0.0.1, port: 0}, events: {handlers: [log]}}");
    assert_int_equal(colony_daemon_start(f.daemon, NULL), 0);
    fixture_clear(&f);
    fixture_init(&plain, NULL, FREE_PORT);
    fixture_start(&plain);
    (void)ask(&plain, "POST", "/events", "{}");
    (void)ask(&plain, "POST", "/events", "{");
    fixture_clear(&plain);
    end_silence(saved);
    assert_int_equal(read(fd, text, sizeof text), 0); /* nor does anybody have it open still */
    (void)close(fd);
}

TEST(test_a_program_may_have_several)
{
    struct fixture one;
    struct fixture other;

    fixture_init(&one, NULL, FREE_PORT);
    fixture_init(&other, NULL, "{master: {host: 127.0.0.1, port: 0}, a: 1}");
    fixture_start(&one);
    fixture_start(&other);
    assert_non_null(strstr(ask(&one, "GET", "/status", ""), "\"config\": {},\n"));
    assert_null(strstr(ask(&other, "GET", "/status", ""), "\"config\": {},\n"));
    fixture_clear(&one);
    assert_non_null(strstr(ask(&other, "GET", "/ping", ""), "OK\n"));
    fixture_clear(&other);
}

TEST(test_what_juggler_is_told_is_checked)
{
    struct colony_daemon *daemon = open_plain();
    char *large = calloc(1, 20000);

    assert_non_null(large);
    memset(large, 'x', 19999);
    assert_int_equal(colony_daemon_send_event_to_juggler(daemon, NULL, "s", "OK", "d"), -ENOENT);
    assert_int_equal(load(daemon, "juggler: {url: 'http://127.0.0.1:1/'}", NULL), 0);
    assert_int_equal(colony_daemon_send_event_to_juggler(daemon, NULL, "s", "FINE", "d"), -EINVAL);
    assert_int_equal(colony_daemon_send_event_to_juggler(daemon, NULL, "s", "OK", large),
                     -EMSGSIZE);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(colony_daemon_send_event_to_juggler(daemon, "h", "s", "OK", "d"), 0);
    assert_int_equal(colony_daemon_send_event_to_juggler(daemon, "h", "s", "OK", "d"), -EAGAIN);
    free(large);
    colony_daemon_free(daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_keys_but_three_are_the_programs),
        cmocka_unit_test(
            test_a_key_that_is_called_like_a_section_is_the_programs_where_colony_has_its_own),
        cmocka_unit_test(test_settings_that_cannot_be_used_are_told_with_their_place),
        cmocka_unit_test(test_a_name_is_needed),
        cmocka_unit_test(test_it_ends_when_its_work_is_done),
        cmocka_unit_test(test_a_stop_before_the_start_counts),
        cmocka_unit_test(test_a_port_that_is_taken_is_told),
        cmocka_unit_test(test_a_start_that_fails_is_its_end_for_all_who_wait_for_that),
        cmocka_unit_test(test_handlers_that_take_an_engine_are_refused),
        cmocka_unit_test(test_lines_are_in_columns_from_the_level_that_was_asked_for),
        cmocka_unit_test(test_nothing_is_printed_unless_it_is_asked_for),
        cmocka_unit_test(test_a_program_may_have_several),
        cmocka_unit_test(test_what_juggler_is_told_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
