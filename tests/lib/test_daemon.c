/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <cjson/cJSON.h>
#include <colony.h>

#include "../scratch.h"
#include "asked.h"

#define FREE_PORT "{master: {host: 127.0.0.1, port: 0}}"

/* A daemon on a thread, whose `run` waits until it is stopped. */
struct fixture {
    struct colony_daemon *daemon;
    pthread_t thread;
    sem_t is_up;
    sem_t gate; /* of callbacks that are held up */
    sem_t is_held;
    int rc;
    struct colony_error err;
    _Atomic int events;
    _Atomic int rounds;
    _Atomic int ends;
    int log[2]; /* 0: it has no pipe */
    char answer[ANSWER_SIZE];
};

static void run_until_stopped(struct colony_daemon *daemon, void *data)
{
    struct fixture *f = data;

    (void)sem_post(&f->is_up);
    while (colony_daemon_sleep(daemon, 1000000))
        ;
}

static void fixture_init(struct fixture *f, const struct colony_daemon_callbacks *more,
                         const char *settings)
{
    struct colony_daemon_callbacks callbacks = more ? *more : (struct colony_daemon_callbacks){0};

    memset(f, 0, sizeof *f);
    assert_int_equal(sem_init(&f->is_up, 0, 0), 0);
    assert_int_equal(sem_init(&f->gate, 0, 0), 0);
    assert_int_equal(sem_init(&f->is_held, 0, 0), 0);
    if (!callbacks.run)
        callbacks.run = run_until_stopped;
    callbacks.data = f;
    assert_int_equal(colony_daemon_open(&f->daemon, "tested", &callbacks, NULL), 0);
    assert_int_equal(colony_daemon_load_text(f->daemon, settings, strlen(settings), NULL), 0);
}

static void *start(void *data)
{
    struct fixture *f = data;

    f->rc = colony_daemon_start(f->daemon, &f->err);
    return NULL;
}

static void fixture_start(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, start, f), 0);
    (void)sem_wait(&f->is_up);
}

static void fixture_clear(struct fixture *f)
{
    if (f->thread) {
        colony_daemon_stop(f->daemon);
        (void)pthread_join(f->thread, NULL);
        assert_int_equal(f->rc, 0);
    }
    colony_daemon_free(f->daemon);
    for (int i = 0; i < 2 && f->log[1] > 0; i++)
        (void)close(f->log[i]);
    (void)sem_destroy(&f->is_up);
    (void)sem_destroy(&f->gate);
    (void)sem_destroy(&f->is_held);
}

static const char *ask(struct fixture *f, const char *method, const char *path, const char *body)
{
    (void)ask_for(f->answer, colony_daemon_port(f->daemon), method, path, body);
    return f->answer;
}

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

/* --- slaves ----------------------------------------------------------------------------------- */

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
    (void)pthread_join(f.thread, NULL);
    assert_int_equal(f.ends, 2);
    assert_int_equal(colony_daemon_run_slave(f.daemon, &slave, NULL), -ESHUTDOWN);
    f.thread = 0;
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

/* --- what it is asked ------------------------------------------------------------------------- */

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

TEST(test_a_slow_event_holds_up_nothing_but_the_next_event)
{
    const struct colony_daemon_callbacks callbacks = {.process_event = hold_event};
    struct fixture f;

    fixture_init(&f, &callbacks, FREE_PORT);
    fixture_start(&f);
    assert_non_null(strstr(ask(&f, "POST", "/events", "true"), "Event received"));
    (void)sem_wait(&f.is_held);
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
    fixture_start(&f);
    (void)ask(&f, "POST", "/events", "true");
    (void)sem_wait(&f.is_held);
    (void)ask(&f, "POST", "/events", "{}");
    (void)ask(&f, "POST", "/events", "null");
    colony_daemon_stop(f.daemon);
    (void)sem_post(&f.gate);
    (void)pthread_join(f.thread, NULL);
    f.thread = 0;
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
    fixture_start(&f);
    (void)ask(&f, "POST", "/events", "true");
    (void)sem_wait(&f.is_held);
    (void)ask(&f, "POST", "/events", "1");
    stop_until(&f, "gives up 2 events");
    (void)sem_post(&f.gate);
    (void)pthread_join(f.thread, NULL);
    f.thread = 0;
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
    fixture_start(&f);
    (void)ask(&f, "POST", "/events", "true");
    (void)sem_wait(&f.is_held);
    assert_non_null(strstr(ask(&f, "POST", "/events", "7"), "Event received"));
    stop_until(&f, "leaves 2 events for the next start");
    (void)sem_post(&f.gate);
    (void)pthread_join(f.thread, NULL);
    f.thread = 0;
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
        cmocka_unit_test(test_slaves_work_until_the_daemon_stops_and_can_be_woken),
        cmocka_unit_test(test_slaves_that_are_done_leave_nothing),
        cmocka_unit_test(test_a_slow_event_holds_up_nothing_but_the_next_event),
        cmocka_unit_test(test_events_that_wait_are_processed_before_it_ends),
        cmocka_unit_test(test_an_event_that_takes_too_long_is_given_up_at_the_end),
        cmocka_unit_test(test_a_slow_status_is_told_so_and_holds_up_nobody_else),
        cmocka_unit_test(test_a_ping_has_the_text_or_the_status_that_the_program_says),
        cmocka_unit_test(test_what_a_program_says_is_sent_as_utf8),
        cmocka_unit_test(test_events_that_are_kept_outlive_a_daemon_that_did_not_process_them),
        cmocka_unit_test(test_lines_are_in_columns_from_the_level_that_was_asked_for),
        cmocka_unit_test(test_nothing_is_printed_unless_it_is_asked_for),
        cmocka_unit_test(test_a_program_may_have_several),
        cmocka_unit_test(test_what_juggler_is_told_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
