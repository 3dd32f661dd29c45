/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/dispatch_internal.h"
#include "served.h"

struct fixture {
    struct served served;
    struct colony_rpc_counters counters;
    struct colony__rpc_dispatch *dispatch;
    struct colony__rpc_sender from;
    char sent[4096]; /* the last message */
    char to[COLONY__RPC_ROUTING_MAX + 1];
    unsigned count;
};

static void on_send(const struct colony__rpc_sender *to, const char *text, size_t size, void *data)
{
    struct fixture *f = data;

    assert_true(size < sizeof f->sent);
    memcpy(f->sent, text, size);
    f->sent[size] = '\0';
    memcpy(f->to, to->client.bytes, to->client.size);
    f->to[to->client.size] = '\0';
    f->count++;
}

static void be(struct fixture *f, const char *client)
{
    f->from.client.size = strlen(client);
    memcpy(f->from.client.bytes, client, f->from.client.size);
    f->from.may_control = true;
}

static void fixture_init(struct fixture *f)
{
    struct colony__rpc_dispatch_options options = {
        .object = &served_object, .object_data = &f->served, .send = on_send, .send_data = f};

    memset(f, 0, sizeof *f);
    options.counters = &f->counters;
    be(f, "one");
    assert_int_equal(colony__rpc_dispatch_new(&f->dispatch, &options), 0);
}

/* What is answered to @text at once; "" when nothing is. */
static const char *ask(struct fixture *f, const char *text)
{
    f->sent[0] = '\0';
    colony__rpc_dispatch_receive(f->dispatch, &f->from, text, strlen(text));
    return f->sent;
}

static const char *call(struct fixture *f, const char *method, const char *params)
{
    static unsigned id;
    static char body[2048];
    char text[2048];
    const char *start;

    (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\"%s%s}",
                   ++id + 1000, method, params ? ",\"params\":" : "", params ? params : "");
    start = strchr(ask(f, text) + 17, ',');
    (void)snprintf(body, sizeof body, "%s", start ? start + 1 : "");
    for (char *at = strstr(body, "\"id\":"); at && (start = strchr(at, ',')); at = NULL)
        memmove(body, start + 1, strlen(start));
    return body;
}

#define ERROR(code, type) "\"error\":{\"data\":{\"type\":\"" type "\"},\"code\":" code ","

static void assert_begins(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("%s does not begin with %s", text, start);
}

TEST(test_attributes_are_read_and_set)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(call(&f, "getattr", "[\"counter\"]"), "\"result\":{\"value\":0}}");
    assert_string_equal(call(&f, "setattr", "[\"counter\",5]"), "\"result\":true}");
    assert_string_equal(call(&f, "getattr", "{\"name\":\"counter\"}"), "\"result\":{\"value\":5}}");
    assert_string_equal(
        call(&f, "getattr", "[\"echo\"]"),
        "\"result\":{\"method\":\"echo\",\"doc\":\"echo(value): gives it back.\"}}");
    assert_begins(call(&f, "getattr", "[\"colour\"]"), ERROR("-32601", "AttributeError"));
    assert_begins(call(&f, "getattr", "[\"_secret\"]"), ERROR("-32601", "AttributeError"));
    assert_begins(call(&f, "setattr", "[\"fixed\",1]"), ERROR("-32004", "PermissionError"));
    assert_begins(call(&f, "setattr", "[\"echo\",1]"), ERROR("-32004", "PermissionError"));
    assert_begins(call(&f, "setattr", "[\"dir\",1]"), ERROR("-32004", "PermissionError"));
    assert_begins(call(&f, "setattr", "[\"_x\",1]"), ERROR("-32601", "AttributeError"));
    assert_begins(call(&f, "getattr", "[7]"), ERROR("-32602", "TypeError"));
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_names_and_docs_are_told)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(call(&f, "dir", NULL),
                        "\"result\":{\"attributes\":[\"counter\",\"fixed\"],\"methods\":[\"add\","
                        "\"dir\",\"doc\",\"echo\",\"fail\",\"getattr\",\"later\",\"setattr\","
                        "\"stop\"]}}");
    assert_string_equal(call(&f, "doc", NULL), "\"result\":\"A counter.\"}");
    assert_string_equal(call(&f, "doc", "[\"counter\"]"), "\"result\":\"How often.\"}");
    assert_string_equal(call(&f, "doc", "[\"add\"]"), "\"result\":\"\"}");
    assert_begins(call(&f, "doc", "[\"nothing\"]"), ERROR("-32601", "AttributeError"));
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_the_nearest_name_is_told)
{
    struct fixture f;

    fixture_init(&f);
    assert_true(strstr(call(&f, "ech", "[1]"), "did you mean echo?") != NULL);
    assert_true(strstr(call(&f, "getattr", "[\"countr\"]"), "did you mean counter?") != NULL);
    assert_true(strstr(call(&f, "doc", "[\"getatr\"]"), "did you mean getattr?") != NULL);
    assert_null(strstr(call(&f, "elephant", NULL), "did you mean"));
    assert_null(strstr(call(&f, "_echo", NULL), "did you mean"));
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_methods_take_parameters_by_place_and_by_name)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(call(&f, "echo", "[{\"a\":[1.10,null,\"x\"]}]"),
                        "\"result\":{\"a\":[1.10,null,\"x\"]}}");
    assert_string_equal(call(&f, "echo", "{\"value\":12345678901234567890}"),
                        "\"result\":12345678901234567890}");
    assert_string_equal(call(&f, "add", NULL), "\"result\":1}");
    assert_string_equal(call(&f, "add", "{\"step\":2}"), "\"result\":3}");
    assert_begins(call(&f, "echo", NULL), ERROR("-32602", "TypeError"));
    assert_begins(call(&f, "echo", "[1,2]"), ERROR("-32602", "TypeError"));
    assert_begins(call(&f, "echo", "{\"valu\":1}"), ERROR("-32602", "TypeError"));
    assert_begins(call(&f, "counter", NULL), ERROR("-32602", "TypeError"));
    assert_begins(call(&f, "fail", NULL), ERROR("-32001", "LookupError"));
    assert_begins(call(&f, "missing", NULL), ERROR("-32601", "AttributeError"));
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_what_is_no_request_is_told_as_such)
{
    static const struct {
        const char *text;
        const char *code;
    } bad[] = {
        {"", "-32700"},
        {"nonsense", "-32700"},
        {"{\"jsonrpc\":\"2.0\"", "-32700"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "-32700"},
        {"{}", "-32600"},
        {"7", "-32600"},
        {"[]", "-32600"},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", "-32600"},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"echo\"}", "-32600"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "-32600"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":7}", "-32600"},
    };
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char code[32];

        (void)snprintf(code, sizeof code, "\"code\":%s,", bad[i].code);
        if (!strstr(ask(&f, bad[i].text), code))
            fail_msg("%s: %s", bad[i].text, f.sent);
    }
    assert_int_equal(f.served.calls, 0);
    assert_int_equal(f.counters.malformed, sizeof bad / sizeof bad[0]);
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_a_notification_is_carried_out_and_not_answered)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"add\"}"), "");
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"none\"}"), "");
    assert_int_equal(f.served.counter, 1);
    assert_int_equal(f.count, 0);
    f.from.has_delimiter = true; /* a REQ client waits for something */
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"method\":\"add\"}"), "");
    assert_int_equal(f.count, 1);
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_a_batch_is_answered_at_once_in_its_order)
{
    struct fixture f;

    fixture_init(&f);
    (void)ask(&f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"},"
                  "{\"jsonrpc\":\"2.0\",\"method\":\"add\"},"
                  "7,"
                  "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"add\"}]");
    assert_int_equal(f.count, 0);
    colony_rpc_answer_text(f.served.later[0], "\"done\"");
    assert_int_equal(f.count, 1);
    assert_begins(f.sent, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"done\"},"
                          "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":");
    assert_non_null(strstr(f.sent, ",{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"result\":2}]"));
    assert_string_equal(ask(&f, "[{\"jsonrpc\":\"2.0\",\"method\":\"add\"}]"), "");
    assert_int_equal(f.count, 1);
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_a_batch_of_too_many_is_refused)
{
    struct fixture f;
    char text[101 * 40 + 2] = "[7";

    fixture_init(&f);
    for (int i = 1; i < 101; i++)
        (void)strncat(text, ",7", 3);
    (void)strncat(text, "]", 2);
    assert_non_null(strstr(ask(&f, text), "\"code\":-32600,"));
    assert_int_equal(f.sent[0], '{'); /* one answer, to all of it */
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_the_same_request_is_answered_from_the_first_result)
{
    static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"add\"}";
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(ask(&f, text), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":1}");
    assert_string_equal(ask(&f, text), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":1}");
    assert_int_equal(f.served.calls, 1);
    assert_int_equal(f.counters.repeated, 1);
    /* the same id for something else */
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\","
                                "\"params\":[9]}"),
                        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":9}");
    be(&f, "two"); /* another client */
    assert_string_equal(ask(&f, text), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":2}");
    be(&f, "one");
    f.from.client.peer[1] = 2; /* its name, with another's key */
    assert_string_equal(ask(&f, text), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":3}");
    f.from.client.peer[1] = 0;
    /* null is nobody's id */
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"add\"}"),
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":4}");
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"add\"}"),
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":5}");
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_the_same_request_while_it_is_under_way_is_answered_with_it)
{
    static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"later\"}";
    struct fixture f;

    fixture_init(&f);
    (void)ask(&f, text);
    (void)ask(&f, text);
    assert_int_equal(f.served.calls, 1);
    colony_rpc_answer_text(f.served.later[0], "1");
    assert_int_equal(f.count, 2);
    f.from.has_delimiter = true; /* a REQ client that was connected anew waits once */
    f.served.later_count = 0;
    (void)ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"later\"}");
    (void)ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"later\"}");
    assert_int_equal(f.served.calls, 2);
    colony_rpc_answer_text(f.served.later[0], "1");
    assert_int_equal(f.count, 3);
    colony__rpc_dispatch_free(f.dispatch);
}

static void ask_later(struct fixture *f, unsigned id)
{
    char text[80];

    (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"later\"}", id);
    (void)ask(f, text);
}

TEST(test_a_client_has_so_many_requests_under_way)
{
    struct fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < COLONY__RPC_UNDER_WAY_MAX; i++)
        ask_later(&f, i);
    assert_int_equal(f.count, 0);
    ask_later(&f, 1000);
    assert_non_null(strstr(f.sent, "\"code\":-32006,"));
    assert_int_equal(f.counters.refused, 1);
    be(&f, "two");
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}"),
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    colony_rpc_answer_text(f.served.later[0], "1");
    be(&f, "one");
    assert_string_equal(ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":1001,\"method\":\"add\"}"),
                        "{\"jsonrpc\":\"2.0\",\"id\":1001,\"result\":2}");
    for (unsigned i = 1; i < COLONY__RPC_UNDER_WAY_MAX; i++)
        colony_rpc_answer_text(f.served.later[i], "1");
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_old_answers_make_room_for_new_ones)
{
    struct fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < COLONY__RPC_KEPT_MAX + 1; i++) {
        char text[80];

        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"add\"}", i);
        (void)ask(&f, text);
    }
    (void)ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}"); /* still known */
    assert_int_equal(f.served.calls, COLONY__RPC_KEPT_MAX + 1);
    (void)ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"add\"}"); /* the oldest, forgotten */
    assert_int_equal(f.served.calls, COLONY__RPC_KEPT_MAX + 2);
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_who_may_only_read_cannot_control)
{
    struct fixture f;

    fixture_init(&f);
    f.from.may_control = false;
    assert_begins(call(&f, "stop", NULL), ERROR("-32004", "PermissionError"));
    assert_begins(call(&f, "setattr", "[\"counter\",1]"), ERROR("-32004", "PermissionError"));
    assert_string_equal(call(&f, "getattr", "[\"counter\"]"), "\"result\":{\"value\":0}}");
    colony__rpc_dispatch_free(f.dispatch);
}

TEST(test_a_call_outlives_its_server)
{
    struct fixture f;

    fixture_init(&f);
    (void)ask(&f, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}]");
    (void)ask(&f, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"later\"}");
    colony__rpc_dispatch_free(f.dispatch);
    colony_rpc_answer_text(f.served.later[0], "1");
    colony_rpc_raise(f.served.later[1], -32603, NULL, "too late");
    assert_int_equal(f.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attributes_are_read_and_set),
        cmocka_unit_test(test_names_and_docs_are_told),
        cmocka_unit_test(test_the_nearest_name_is_told),
        cmocka_unit_test(test_methods_take_parameters_by_place_and_by_name),
        cmocka_unit_test(test_what_is_no_request_is_told_as_such),
        cmocka_unit_test(test_a_notification_is_carried_out_and_not_answered),
        cmocka_unit_test(test_a_batch_is_answered_at_once_in_its_order),
        cmocka_unit_test(test_a_batch_of_too_many_is_refused),
        cmocka_unit_test(test_the_same_request_is_answered_from_the_first_result),
        cmocka_unit_test(test_the_same_request_while_it_is_under_way_is_answered_with_it),
        cmocka_unit_test(test_a_client_has_so_many_requests_under_way),
        cmocka_unit_test(test_old_answers_make_room_for_new_ones),
        cmocka_unit_test(test_who_may_only_read_cannot_control),
        cmocka_unit_test(test_a_call_outlives_its_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
