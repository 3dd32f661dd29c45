/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/event_settings.h"
#include "core/value.h"

#include "../test.h"

static struct colony_settings *parse(const char *json)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (colony_settings_parse_json(&settings, json, strlen(json), &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

/* A file of settings is refused with a message that says where and why. */
static void assert_refused(const char *yaml, const char *message)
{
    char path[] = "/tmp/colony-test-XXXXXX";
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    (void)close(fd);
    assert_int_equal(colony_settings_load(&settings, path, &err), -EINVAL);
    (void)unlink(path);
    if (!strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
}

TEST(test_events_are_logged_unless_it_is_said_otherwise)
{
    struct colony_settings *settings = parse("{}");

    assert_int_equal(settings->events->handler_count, 1);
    assert_int_equal(settings->events->handlers[0].kind, HANDLER_LOG);
    assert_false(settings->events->durable);
    assert_int_equal(settings->events->events_max, 10000);
    assert_int_equal(settings->events->size_max, 1 << 20);
    assert_false(colony_events_has_power(settings->events));
    assert_null(settings->juggler->url);
    colony_settings_free(settings);
}

static const char all[] =
    "{\"events\": {\"durable\": true, \"max_events\": 5, \"handlers\": [\"log\", \"bus\","
    "{\"exec\": \"sh -c 'cat >> x'\", \"concurrency\": 3, \"timeout\": \"5s\","
    " \"when\": {\"type\": \"deploy\", \"n\": {\"a\": [1, null, true]}}},"
    "{\"stdin\": \"web\", \"envelope\": true},"
    "{\"webhook\": \"http://a/b\", \"retries\": 0, \"headers\": {\"X-A\": \"b\"}},"
    "{\"zmq\": \"tcp://127.0.0.1:5555\", \"max_messages\": 7},"
    "{\"log\": true, \"bus\": false, \"when\": {\"a\": 1}}]}}";

static void check_all(const struct colony_events_settings *events)
{
    const struct colony_handler_settings *handlers = events->handlers;

    assert_int_equal(events->handler_count, 7);
    assert_true(events->durable);
    assert_int_equal(events->events_max, 5);
    assert_int_equal(handlers[1].kind, HANDLER_BUS);
    assert_int_equal(handlers[2].kind, HANDLER_EXEC);
    assert_string_equal(handlers[2].argv[2], "cat >> x");
    assert_null(handlers[2].argv[3]);
    assert_int_equal(handlers[2].concurrency, 3);
    assert_int_equal(handlers[2].timeout_ms, 5000);
    assert_string_equal(colony_value_get(handlers[2].when, "type")->text, "deploy");
    assert_int_equal(handlers[3].kind, HANDLER_STDIN);
    assert_string_equal(handlers[3].input, "web");
    assert_true(handlers[3].envelope);
    assert_int_equal(handlers[4].kind, HANDLER_WEBHOOK);
    assert_string_equal(handlers[4].hook.headers[0], "X-A: b");
    assert_int_equal(handlers[4].hook.retries, 0);
    assert_int_equal(handlers[4].hook.timeout_ms, 30000);
    assert_int_equal(handlers[5].kind, HANDLER_ZMQ);
    assert_int_equal(handlers[5].messages_max, 7);
    assert_int_equal(handlers[6].kind, HANDLER_LOG);
    assert_true(colony_events_has_power(events));
}

TEST(test_handlers_of_every_kind_come_to_the_engine_as_they_were_written)
{
    struct colony_settings *settings = parse(all);
    struct colony_settings *again;
    char *json;

    check_all(settings->events);
    assert_int_equal(colony_settings_to_json(settings, &json), 0);
    again = parse(json);
    check_all(again->events);
    free(json);
    colony_settings_free(again);
    colony_settings_free(settings);
}

TEST(test_a_mistake_in_a_handler_is_told_with_its_place)
{
    assert_refused("events: {handlers: [lgo]}", ":1:21: cannot use this handler: write `log`");
    assert_refused("events:\n  handlers:\n    - {when: {a: 1}}\n", "give one of log, exec");
    assert_refused("events:\n  handlers:\n    - {exec: ls, bus: true}\n",
                   "one handler does one thing");
    assert_refused("events: {handlers: {exec: \"a 'b\"}}", "cannot use `exec`: ");
    assert_refused("events: {handlers: {exec: \"\"}}", "cannot use `exec`");
    assert_refused("events:\n  handlers:\n    - stdin: web\n      concurrency: 2\n",
                   ":4:7: cannot use `concurrency` of a handler that is `stdin`");
    assert_refused("events: {handlers: {webhook: ftp://a/}}", "cannot use `webhook`: it must be");
    assert_refused("events: {handlers: {stdin: a/b}}", ":1:21: cannot ");
    assert_refused("events: {handlers: {log: true, when: deploy}}", "a map of keys and values");
    assert_refused("events: {handlers: {exec: ls, whne: {}}}", "did you mean `when`");
    assert_refused("events: {durabel: true}", "did you mean `durable`");
    assert_refused("events: {max_events: 0}", "cannot use `max_events`");
}

TEST(test_events_are_published_to_this_machine_alone_unless_it_is_said)
{
    assert_refused("events: {handlers: {zmq: \"tcp://*:5555\"}}", "insecure: true");
    assert_refused("events: {handlers: {zmq: \"tcp://10.0.0.1:5555\"}}", "insecure: true");
    assert_refused("events: {handlers: {zmq: \"udp://127.0.0.1:1\"}}", "write tcp://HOST:PORT");
    assert_refused("events: {handlers: {zmq: \"tcp://127.0.0.1\"}}", "write tcp://HOST:PORT");
    assert_refused("events: {handlers: {zmq: \"ipc://\"}}", "write tcp://HOST:PORT");
    colony_settings_free(parse("{\"events\": {\"handlers\": {\"zmq\": \"ipc:///run/x\"}}}"));
    colony_settings_free(
        parse("{\"events\": {\"handlers\": {\"zmq\": \"tcp://*:5555\", \"insecure\": true}}}"));
}

TEST(test_who_is_written_to_must_take_input)
{
    assert_refused("processes: {web: {cmd: cat}}\nevents:\n  handlers:\n    - log\n"
                   "    - stdin: web\n",
                   ":5:7: cannot use `stdin`: web does not `redirect_input`");
}

TEST(test_juggler_has_a_url_and_the_rest_by_default)
{
    struct colony_settings *settings =
        parse("{\"juggler\": {\"url\": \"http://localhost:31579\", \"tags\": [\"a\", \"b\"]}}");
    const struct colony_juggler_settings *juggler = settings->juggler;

    assert_string_equal(juggler->url, "http://localhost:31579");
    assert_string_equal(juggler->source, "colony");
    assert_null(juggler->host);
    assert_string_equal(juggler->tags[1], "b");
    assert_int_equal(juggler->resend_ms, 60000);
    assert_int_equal(juggler->delay_ms, 1000);
    assert_int_equal(juggler->batch_max, 100);
    colony_settings_free(settings);
    assert_refused("juggler: {source: x}", "`url` is missing");
    assert_refused("juggler: {url: localhost}", ":1:11: cannot use `url`");
    assert_refused("juggler: {url: \"http://a\", max_batch: 0}", "cannot use `max_batch`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_logged_unless_it_is_said_otherwise),
        cmocka_unit_test(test_handlers_of_every_kind_come_to_the_engine_as_they_were_written),
        cmocka_unit_test(test_a_mistake_in_a_handler_is_told_with_its_place),
        cmocka_unit_test(test_events_are_published_to_this_machine_alone_unless_it_is_said),
        cmocka_unit_test(test_who_is_written_to_must_take_input),
        cmocka_unit_test(test_juggler_has_a_url_and_the_rest_by_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
