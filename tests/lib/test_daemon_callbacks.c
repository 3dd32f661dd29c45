/* SPDX-License-Identifier: Apache-2.0 */
/* Events, and what is asked: what a program does then, how slow it is, what is kept. */
#include "started.h"

static void hold_event(struct colony_daemon *daemon, const cJSON *event, void *data)
{
    struct fixture *f = data;

    (void)daemon;
    if (cJSON_IsTrue(event)) {
        (void)sem_post(&f->is_held);
        (void)sem_wait(&f->gate);
    }
    f->events++;
}

static void hold_status(struct colony_daemon *daemon, cJSON *status, void *data)
{
    struct fixture *f = data;

    (void)daemon;
    (void)sem_post(&f->is_held);
    (void)sem_wait(&f->gate);
    (void)cJSON_AddNumberToObject(status, "awesome_status", 42);
}

static void answer_ping(struct colony_daemon *daemon, struct colony_daemon_ping *ping, void *data)
{
    struct fixture *f = data;

    (void)daemon;
    if (f->events == 0)
        colony_daemon_answer_ping(ping, 418, "no %s", "events");
    else if (f->events == 1)
        colony_daemon_answer_ping(ping, 42, "no such status");
}

/* With an event that is being processed until the gate opens. */
static void start_slow(struct fixture *f)
{
    fixture_start(f);
    assert_non_null(strstr(ask(f, "POST", "/events", "true"), "Event received"));
    (void)sem_wait(&f->is_held);
}

TEST(test_a_slow_event_holds_up_nothing_but_the_next_event)
{
    const struct colony_daemon_callbacks callbacks = {.process_event = hold_event};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    start_slow(&f);
    assert_non_null(strstr(ask(&f, "POST", "/events", "[1]"), "Event received"));
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "\"events_queue\": 2,\n"));
    assert_non_null(strstr(ask(&f, "GET", "/ping", ""), "\r\n\r\nOK\n"));
    assert_int_equal(f.events, 0);
    (void)sem_post(&f.gate);
    while (f.events < 2)
        (void)colony_daemon_sleep(f.daemon, 1);
    fixture_clear(&f);
}

TEST(test_events_that_wait_are_processed_before_it_ends)
{
    const struct colony_daemon_callbacks callbacks = {.process_event = hold_event};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    start_slow(&f);
    (void)ask(&f, "POST", "/events", "{}");
    (void)ask(&f, "POST", "/events", "null");
    colony_daemon_stop(f.daemon);
    (void)sem_post(&f.gate);
    fixture_join(&f);
    assert_int_equal(f.rc, 0);
    assert_int_equal(f.events, 3);
    fixture_clear(&f);
}

/* Before it is started. */
static void log_to_pipe(struct fixture *f)
{
    assert_int_equal(pipe2(f->log, O_CLOEXEC), 0);
    colony_daemon_log_to(f->daemon, f->log[1], COLONY_DAEMON_INFO);
}

/* Until a line of its log says so. */
static void stop_until(struct fixture *f, const char *what)
{
    char text[4096] = "";
    size_t size = 0;
    ssize_t got = 1;

    colony_daemon_stop(f->daemon);
    while (got > 0 && !strstr(text, what)) {
        got = read(f->log[0], text + size, sizeof text - 1 - size);
        size += got > 0 ? (size_t)got : 0;
        text[size] = '\0';
    }
    assert_non_null(strstr(text, what));
}

TEST(test_an_event_that_takes_too_long_is_given_up_at_the_end)
{
    const struct colony_daemon_callbacks callbacks = {.process_event = hold_event};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    log_to_pipe(&f);
    start_slow(&f);
    (void)ask(&f, "POST", "/events", "1");
    stop_until(&f, "gives up 2 events");
    (void)sem_post(&f.gate);
    fixture_join(&f);
    assert_int_equal(f.rc, 0);
    assert_int_equal(f.events, 1);
    fixture_clear(&f);
}

TEST(test_a_slow_status_is_told_so_and_holds_up_nobody_else)
{
    const struct colony_daemon_callbacks callbacks = {.status = hold_status,
                                                      .process_event = hold_event};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    fixture_start(&f);
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "503 Service Unavailable"));
    assert_non_null(strstr(f.answer, "`status` has not come back for 5000 ms"));
    assert_non_null(strstr(ask(&f, "GET", "/ping", ""), "\r\n\r\nOK\n"));
    assert_non_null(strstr(ask(&f, "POST", "/events", "1"), "Event received"));
    (void)sem_post(&f.gate);
    (void)sem_post(&f.gate);
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "\"awesome_status\": 42,\n"));
    fixture_clear(&f);
}

TEST(test_a_ping_has_the_text_or_the_status_that_the_program_says)
{
    const struct colony_daemon_callbacks callbacks = {.ping = answer_ping,
                                                      .process_event = hold_event};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    fixture_start(&f);
    assert_non_null(strstr(ask(&f, "GET", "/ping", ""), "HTTP/1.1 418 \r\n"));
    assert_non_null(
        strstr(f.answer, "{\n    \"message\": \"no events\",\n    \"result\": false\n}"));
    f.events = 1;
    assert_non_null(strstr(ask(&f, "GET", "/ping", ""), "HTTP/1.1 500 Internal"));
    f.events = 2;
    assert_non_null(strstr(ask(&f, "GET", "/ping", ""), "\r\n\r\nOK\n"));
    fixture_clear(&f);
}

static void add_bytes(struct colony_daemon *daemon, cJSON *status, void *data)
{
    (void)daemon, (void)data;
    (void)cJSON_AddStringToObject(status, "\xff key", "a\xfe\xc3\xa9\x80z");
}

static void ping_bytes(struct colony_daemon *daemon, struct colony_daemon_ping *ping, void *data)
{
    (void)daemon, (void)data;
    colony_daemon_answer_ping(ping, 200, "a\xfez");
}

TEST(test_what_a_program_says_is_sent_as_utf8)
{
    const struct colony_daemon_callbacks callbacks = {.status = add_bytes, .ping = ping_bytes};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    fixture_start(&f);
    assert_non_null(strstr(ask(&f, "GET", "/status", ""), "\"? key\": \"a?\xc3\xa9?z\""));
    assert_non_null(strstr(ask(&f, "GET", "/ping", ""), "\r\n\r\na?z"));
    fixture_clear(&f);
}

/* --- durable ---------------------------------------------------------------------------------- */

#define DURABLE "{master: {host: 127.0.0.1, port: 0}, events: {durable: true}}"

TEST(test_events_that_are_kept_outlive_a_daemon_that_did_not_process_them)
{
    const struct colony_daemon_callbacks callbacks = {.process_event = hold_event};
    struct colony_error err;
    struct scratch scratch;
    struct fixture f;

    scratch_init(&scratch);
    fixture_init(&f, &callbacks, DURABLE);
    assert_int_equal(colony_daemon_start(f.daemon, &err), -EINVAL);
    assert_non_null(strstr(err.message, "no state folder"));
    fixture_clear(&f);

    fixture_init(&f, &callbacks, DURABLE);
    assert_int_equal(colony_daemon_set_state(f.daemon, scratch.path, NULL), 0);
    log_to_pipe(&f);
    start_slow(&f);
    assert_non_null(strstr(ask(&f, "POST", "/events", "7"), "Event received"));
    stop_until(&f, "leaves 2 events for the next start");
    (void)sem_post(&f.gate);
    fixture_join(&f);
    assert_int_equal(f.events, 1);
    fixture_clear(&f);

    fixture_init(&f, &callbacks, DURABLE);
    assert_int_equal(colony_daemon_set_state(f.daemon, scratch.path, NULL), 0);
    (void)sem_post(&f.gate);
    fixture_start(&f);
    while (f.events < 2)
        (void)colony_daemon_sleep(f.daemon, 1);
    fixture_clear(&f);
    scratch_clear(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_event_holds_up_nothing_but_the_next_event),
        cmocka_unit_test(test_events_that_wait_are_processed_before_it_ends),
        cmocka_unit_test(test_an_event_that_takes_too_long_is_given_up_at_the_end),
        cmocka_unit_test(test_a_slow_status_is_told_so_and_holds_up_nobody_else),
        cmocka_unit_test(test_a_ping_has_the_text_or_the_status_that_the_program_says),
        cmocka_unit_test(test_what_a_program_says_is_sent_as_utf8),
        cmocka_unit_test(test_events_that_are_kept_outlive_a_daemon_that_did_not_process_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
