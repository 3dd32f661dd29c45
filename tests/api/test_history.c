/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "core/error.h"
#include "core/store.h"
#include "core/table.h"

#include "../test.h"

static int parse(const char *path, struct colony_store_query *query, struct colony_error *err)
{
    static struct colony__request request;
    static char target[512];

    memset(&request, 0, sizeof request);
    assert_true(strlen(path) < sizeof target);
    memcpy(target, path, strlen(path) + 1);
    assert_int_equal(colony__request_parse_target(&request, target, NULL), 0);
    return colony__history_parse(&request, query, err);
}

static void expect_json(const struct colony_store_event *rows, size_t count, const char *expected)
{
    struct colony__json json = {0};

    colony__history_add_json(&json, NULL, rows, count);
    assert_false(json.failed);
    assert_int_equal(json.text.size, strlen(expected));
    assert_memory_equal(json.text.data, expected, json.text.size);
    colony__json_clear(&json);
}

TEST(test_without_parameters_the_last_hundred_of_all_are_asked_for)
{
    struct colony_store_query query;

    assert_int_equal(parse("/history", &query, NULL), 0);
    assert_null(query.name);
    assert_int_equal(query.slot, 0);
    assert_int_equal(query.limit, 100);
    assert_int_equal(query.before, 0);
}

TEST(test_all_parameters_are_taken)
{
    struct colony_store_query query;

    assert_int_equal(
        parse("/history?name=a%3Ab&slot=3&limit=10000&before=9223372036854775807", &query, NULL),
        0);
    assert_string_equal(query.name, "a:b");
    assert_int_equal(query.slot, 3);
    assert_int_equal(query.limit, 10000);
    assert_true(query.before == INT64_MAX);
}

TEST(test_gaffers_word_for_a_name_is_template)
{
    struct colony_store_query query;

    assert_int_equal(parse("/history?template=web&name=db", &query, NULL), 0);
    assert_string_equal(query.name, "web");
}

TEST(test_since_is_an_event_a_time_or_an_age)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } times[] = {
        {"1970-01-01T00:00:01Z", 1000},
        {"2023-11-14T22:13:20.123Z", 1700000000123},
        {"2023-11-14T22:13:20.1Z", 1700000000100},
        {"2023-11-14T22:13:20.123456Z", 1700000000123},
    };
    struct colony_store_query query;
    uint64_t now_ms = colony_wall_now_ms();
    char path[128];

    assert_int_equal(parse("/history?since=4711", &query, NULL), 0);
    assert_true(query.after == 4711 && query.since_ms == 0);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        (void)snprintf(path, sizeof path, "/history?since=%s", times[i].text);
        assert_int_equal(parse(path, &query, NULL), 0);
        assert_true(query.since_ms == times[i].ms && query.after == 0);
    }
    assert_int_equal(parse("/history?since=1h", &query, NULL), 0);
    assert_true(query.since_ms >= now_ms - 3600000 && query.since_ms < now_ms - 3500000);
    assert_int_equal(parse("/history?since=99y", &query, NULL), -EINVAL);
}

TEST(test_a_since_that_is_neither_is_refused)
{
    static const char *const wrong[] = {"",
                                        "x",
                                        "-1",
                                        "2023-11-14",
                                        "2023-11-14T22:13:20",
                                        "2023-11-14T22:13:20.12",
                                        "2023-13-14T22:13:20Z",
                                        "2023-11-14T22:13:20Zx",
                                        "9223372036854775808"};
    struct colony_store_query query;
    struct colony_error err;
    char path[128];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(path, sizeof path, "/history?since=%s", wrong[i]);
        assert_int_equal(parse(path, &query, &err), -EINVAL);
        assert_non_null(strstr(err.message, "cannot show the history: since must be"));
    }
}

TEST(test_what_is_no_number_in_range_is_refused_with_the_range)
{
    static const char *const wrong[] = {
        "slot=0",   "slot=x",       "slot=-1",  "slot=99999999999",
        "limit=0",  "limit=10001",  "limit=",   "limit=1e3",
        "limit=+1", "limit=%201",   "before=0", "before=-1",
        "before=",  "before=0x10z", "slot",     "before=9223372036854775808",
    };
    struct colony_store_query query;
    struct colony_error err;
    char path[128];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(path, sizeof path, "/history?%s", wrong[i]);
        assert_int_equal(parse(path, &query, &err), -EINVAL);
        assert_non_null(strstr(err.message, "cannot show the history: "));
        assert_non_null(strstr(err.message, " must be a number from 1 to "));
    }
}

TEST(test_a_name_longer_than_any_is_refused)
{
    struct colony_store_query query;
    char path[256] = "/history?name=";

    memset(path + strlen(path), 'x', 201);
    assert_int_equal(parse(path, &query, NULL), -EINVAL);
    path[strlen(path) - 1] = '\0';
    assert_int_equal(parse(path, &query, NULL), 0);
}

TEST(test_no_history_is_an_empty_array)
{
    expect_json(NULL, 0, "[]");
}

TEST(test_an_end_has_a_status_or_a_signal_or_neither)
{
    struct colony_store_event rows[] = {
        {.seq = 3,
         .at_ms = 1700000000123,
         .name = "web",
         .slot = 1,
         .id = 7,
         .os_pid = 4711,
         .event = "exit",
         .from = "",
         .to = "",
         .exit_known = true,
         .term_signal = 9,
         .cause = ""},
        {.seq = 2,
         .at_ms = 1700000000000,
         .name = "web",
         .slot = 1,
         .id = 6,
         .os_pid = 4710,
         .event = "exit",
         .from = "",
         .to = "",
         .exit_known = true,
         .exit_status = 3,
         .cause = ""},
        {.seq = 1,
         .at_ms = 1699999999999,
         .name = "web",
         .slot = 1,
         .id = 5,
         .os_pid = 4709,
         .event = "exit",
         .from = "",
         .to = "",
         .cause = ""},
    };

    expect_json(rows, 3,
                "[{\"seq\":3,\"time\":\"2023-11-14T22:13:20.123Z\",\"name\":\"web\",\"slot\":1,"
                "\"id\":7,\"os_pid\":4711,\"event\":\"exit\",\"from\":\"\",\"to\":\"\","
                "\"exit_status\":null,\"term_signal\":\"SIGKILL\",\"cause\":\"\"},"
                "{\"seq\":2,\"time\":\"2023-11-14T22:13:20.000Z\",\"name\":\"web\",\"slot\":1,"
                "\"id\":6,\"os_pid\":4710,\"event\":\"exit\",\"from\":\"\",\"to\":\"\","
                "\"exit_status\":3,\"term_signal\":null,\"cause\":\"\"},"
                "{\"seq\":1,\"time\":\"2023-11-14T22:13:19.999Z\",\"name\":\"web\",\"slot\":1,"
                "\"id\":5,\"os_pid\":4709,\"event\":\"exit\",\"from\":\"\",\"to\":\"\","
                "\"exit_status\":null,\"term_signal\":null,\"cause\":\"\"}]");
}

TEST(test_a_move_tells_its_states_and_cause)
{
    const struct colony_store_event row = {.seq = 999999999999999,
                                           .at_ms = 1700000000123,
                                           .name = "a \"b\"",
                                           .slot = 2,
                                           .event = "state",
                                           .from = "starting",
                                           .to = "running",
                                           .cause = "http uid 0\n"};

    expect_json(&row, 1,
                "[{\"seq\":999999999999999,\"time\":\"2023-11-14T22:13:20.123Z\","
                "\"name\":\"a \\\"b\\\"\",\"slot\":2,\"id\":0,\"os_pid\":0,\"event\":\"state\","
                "\"from\":\"starting\",\"to\":\"running\",\"exit_status\":null,"
                "\"term_signal\":null,\"cause\":\"http uid 0\\n\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_parameters_the_last_hundred_of_all_are_asked_for),
        cmocka_unit_test(test_all_parameters_are_taken),
        cmocka_unit_test(test_gaffers_word_for_a_name_is_template),
        cmocka_unit_test(test_since_is_an_event_a_time_or_an_age),
        cmocka_unit_test(test_a_since_that_is_neither_is_refused),
        cmocka_unit_test(test_what_is_no_number_in_range_is_refused_with_the_range),
        cmocka_unit_test(test_a_name_longer_than_any_is_refused),
        cmocka_unit_test(test_no_history_is_an_empty_array),
        cmocka_unit_test(test_an_end_has_a_status_or_a_signal_or_neither),
        cmocka_unit_test(test_a_move_tells_its_states_and_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
