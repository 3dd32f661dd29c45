/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/events.h"
#include "api/inbox_internal.h"
#include "core/error.h"
#include "core/settings.h"
#include "core/value.h"

#include "../test.h"

struct fixture {
    uv_loop_t loop;
    struct colony_settings *settings;
    struct colony_inbox *inbox;
    int answers;
    int answer; /* the last one */
};

/* No engine: none of the handlers here needs one. */
static void fixture_init(struct fixture *f, const char *events)
{
    char json[512];

    memset(f, 0, sizeof *f);
    f->answer = 1;
    (void)snprintf(json, sizeof json, "{\"events\": %s}", events);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(colony_settings_parse_json(&f->settings, json, strlen(json), NULL), 0);
    assert_int_equal(colony_inbox_new(&f->inbox,
                                      &(const struct colony_inbox_options){
                                          .loop = &f->loop, .settings = f->settings->events},
                                      NULL),
                     0);
    f->inbox->is_open = true;
}

static void on_closed(void *data)
{
    ++*(int *)data;
}

static void fixture_clear(struct fixture *f)
{
    int closed = 0;

    colony_inbox_close(f->inbox, on_closed, &closed);
    assert_int_equal(closed, 0); /* never from inside close() */
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(closed, 1);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* no handle left behind */
    colony_settings_free(f->settings);
}

static void on_done(int rc, void *data)
{
    struct fixture *f = data;

    f->answers++;
    f->answer = rc;
}

static int offer(struct fixture *f, enum colony_inbox_via via, const char *json, uint64_t *id,
                 struct colony_error *err)
{
    return colony_inbox_offer(f->inbox,
                              &(const struct colony_inbox_offer){.json = json,
                                                                 .size = strlen(json),
                                                                 .via = via,
                                                                 .peer = "[::1]:4321",
                                                                 .done = on_done,
                                                                 .data = f},
                              id, err);
}

TEST(test_any_json_is_an_event_and_has_a_number_that_rises)
{
    static const char *const events[] = {"{\"a\": 1}", "42", "[]", "\"x\"", "null", " true\n"};
    struct fixture f;
    uint64_t last = 0;

    fixture_init(&f, "{}");
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        uint64_t id = 0;

        assert_int_equal(offer(&f, INBOX_VIA_HTTP, events[i], &id, NULL), 0);
        assert_true(id > last);
        assert_int_equal(f.answers, (int)i + 1);
        assert_int_equal(f.answer, 0);
        last = id;
    }
    assert_int_equal(offer(&f, INBOX_VIA_UDP, "1", NULL, NULL), 0);
    assert_int_equal(colony_inbox_counts(f.inbox).received, 7);
    assert_int_equal(colony_inbox_counts(f.inbox).http, 6);
    assert_int_equal(colony_inbox_counts(f.inbox).udp, 1);
    assert_int_equal(colony_inbox_counts(f.inbox).handled, 7);
    assert_int_equal(colony_inbox_length(f.inbox), 0);
    fixture_clear(&f);
}

TEST(test_what_is_no_json_is_refused_with_its_place_and_counted)
{
    struct fixture f;
    struct colony_error err;

    fixture_init(&f, "{}");
    assert_int_equal(offer(&f, INBOX_VIA_UDP, "{\"a\": }", NULL, &err), -EBADMSG);
    assert_non_null(strstr(err.message, "at byte 7"));
    assert_int_equal(offer(&f, INBOX_VIA_UDP, "", NULL, &err), -EBADMSG);
    assert_int_equal(f.answers, 0);
    colony_inbox_reject(f.inbox);
    assert_int_equal(colony_inbox_counts(f.inbox).rejected, 3);
    assert_int_equal(colony_inbox_counts(f.inbox).received, 0);
    fixture_clear(&f);
}

TEST(test_what_is_too_large_is_refused)
{
    struct fixture f;
    size_t size;
    char *json;

    fixture_init(&f, "{}");
    size = colony_inbox_size_max(f.inbox) + 1;
    json = malloc(size + 1);
    assert_non_null(json);
    memset(json, ' ', size);
    json[0] = '1';
    json[size] = '\0';
    assert_int_equal(offer(&f, INBOX_VIA_HTTP, json, NULL, NULL), -EMSGSIZE);
    json[size - 1] = '\0';
    assert_int_equal(offer(&f, INBOX_VIA_HTTP, json, NULL, NULL), 0);
    free(json);
    fixture_clear(&f);
}

TEST(test_nothing_is_taken_once_it_is_stopped)
{
    struct fixture f;

    fixture_init(&f, "{}");
    f.inbox->is_open = false;
    assert_int_equal(offer(&f, INBOX_VIA_HTTP, "1", NULL, NULL), -ESHUTDOWN);
    fixture_clear(&f);
}

/* A port that takes connections and never answers. */
static int listen_silently(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

TEST(test_a_full_queue_takes_no_more_and_what_is_left_at_the_end_is_counted)
{
    struct fixture f;
    struct colony_error err;
    char events[256];
    uint16_t port;
    int fd = listen_silently(&port);

    (void)snprintf(events, sizeof events,
                   "{\"max_events\": 2, \"handlers\": [{\"webhook\": \"http://127.0.0.1:%u/\", "
                   "\"when\": {\"a\": 1}}, \"log\"]}",
                   port);
    fixture_init(&f, events);
    assert_int_equal(offer(&f, INBOX_VIA_HTTP, "{\"a\": 1, \"b\": 2}", NULL, NULL), 0);
    assert_int_equal(offer(&f, INBOX_VIA_HTTP, "{\"a\": 2}", NULL, NULL), 0);
    assert_int_equal(colony_inbox_length(f.inbox), 1); /* the other one overtook it */
    assert_int_equal(offer(&f, INBOX_VIA_HTTP, "{\"a\": 1}", NULL, NULL), 0);
    assert_true(colony_inbox_is_full(f.inbox));
    assert_int_equal(offer(&f, INBOX_VIA_UDP, "{\"a\": 2}", NULL, &err), -EAGAIN);
    assert_non_null(strstr(err.message, "2 wait already"));
    assert_int_equal(colony_inbox_counts(f.inbox).dropped, 1);
    assert_int_equal(colony_inbox_counts(f.inbox).handled, 1);
    fixture_clear(&f);
    (void)close(fd);
}

static bool has(const char *event, const char *when)
{
    struct colony_value *left = NULL;
    struct colony_value *right = NULL;
    bool answer;

    assert_int_equal(colony_value_parse_json(&left, event, strlen(event), NULL), 0);
    assert_int_equal(colony_value_parse_json(&right, when, strlen(when), NULL), 0);
    answer = colony__event_has(left, right);
    colony_value_free(left);
    colony_value_free(right);
    return answer;
}

TEST(test_an_event_has_what_is_asked_for_if_each_key_is_there_and_equal)
{
    assert_true(has("{\"type\": \"deploy\", \"x\": 1}", "{\"type\": \"deploy\"}"));
    assert_false(has("{\"type\": \"other\"}", "{\"type\": \"deploy\"}"));
    assert_false(has("{}", "{\"type\": \"deploy\"}"));
    assert_true(has("{\"a\": {\"b\": 1.0, \"c\": 2}}", "{\"a\": {\"b\": 1}}"));
    assert_false(has("{\"a\": 1}", "{\"a\": \"1\"}"));
    assert_true(has("{\"a\": [1, {\"b\": 2, \"c\": 3}]}", "{\"a\": [1, {\"b\": 2}]}"));
    assert_false(has("{\"a\": [1, 2]}", "{\"a\": [1]}"));
    assert_true(has("{\"a\": null, \"b\": true}", "{\"a\": null, \"b\": true}"));
    assert_false(has("{\"b\": false}", "{\"b\": true}"));
    assert_true(has("{\"a\": 1}", "{}"));
    assert_false(has("42", "{}")); /* only maps match */
    assert_false(has("[]", "{}"));
    assert_false(has("\"deploy\"", "{\"type\": \"deploy\"}"));
}

static const char *squeezed(const char *json)
{
    static char text[256];
    size_t size;

    (void)snprintf(text, sizeof text, "%s", json);
    size = colony__event_squeeze(text, strlen(text));
    assert_int_equal(strlen(text), size);
    return text;
}

TEST(test_an_event_becomes_one_line_and_texts_stay_as_they_are)
{
    assert_string_equal(squeezed(" { \"a b\" :\n[ 1 , 2 ]\t}\r\n"), "{\"a b\":[1,2]}");
    assert_string_equal(squeezed("[\"\\\\\", \"c d\"]"), "[\"\\\\\",\"c d\"]");
    assert_string_equal(squeezed("[\"\\\" \\\" \", 1]"), "[\"\\\" \\\" \",1]");
    assert_string_equal(squeezed("\" x \""), "\" x \"");
    assert_string_equal(squeezed("\xef\xbb\xbf {}"), "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_json_is_an_event_and_has_a_number_that_rises),
        cmocka_unit_test(test_what_is_no_json_is_refused_with_its_place_and_counted),
        cmocka_unit_test(test_what_is_too_large_is_refused),
        cmocka_unit_test(test_nothing_is_taken_once_it_is_stopped),
        cmocka_unit_test(test_a_full_queue_takes_no_more_and_what_is_left_at_the_end_is_counted),
        cmocka_unit_test(test_an_event_has_what_is_asked_for_if_each_key_is_there_and_equal),
        cmocka_unit_test(test_an_event_becomes_one_line_and_texts_stay_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
