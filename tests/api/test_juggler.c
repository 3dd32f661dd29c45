/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/juggler_internal.h"
#include "core/engine.h"
#include "core/error.h"

#include "../test.h"

/* --- what is said of a template --------------------------------------------------------------- */

static struct colony_slot_info slot(uint32_t number, enum colony_slot_state state, bool is_wanted)
{
    return (struct colony_slot_info){
        .name = "web", .slot = number, .state = state, .is_wanted = is_wanted, .cause = ""};
}

static enum colony_juggler_status status_of(enum colony_slot_state state, bool is_wanted)
{
    struct colony__juggler_verdict verdict = {0};
    struct colony_slot_info info = slot(1, state, is_wanted);

    colony__juggler_judge(&verdict, &info, false);
    return verdict.status;
}

TEST(test_what_should_run_and_is_down_is_critical_and_what_is_on_its_way_a_warning)
{
    assert_int_equal(status_of(SLOT_READY, true), JUGGLER_OK);
    assert_int_equal(status_of(SLOT_RUNNING, true), JUGGLER_OK);
    assert_int_equal(status_of(SLOT_COMPLETED, true), JUGGLER_OK);
    assert_int_equal(status_of(SLOT_STOPPED, false), JUGGLER_OK);
    assert_int_equal(status_of(SLOT_STOPPING, false), JUGGLER_OK);
    assert_int_equal(status_of(SLOT_STARTING, true), JUGGLER_WARN);
    assert_int_equal(status_of(SLOT_WAITING, true), JUGGLER_WARN);
    assert_int_equal(status_of(SLOT_STOPPED, true), JUGGLER_WARN);
    assert_int_equal(status_of(SLOT_BACKOFF, true), JUGGLER_CRIT);
    assert_int_equal(status_of(SLOT_FAILED, true), JUGGLER_CRIT);
}

TEST(test_the_worst_slot_is_what_is_told)
{
    struct colony__juggler_verdict verdict = {0};
    struct colony_slot_info slots[] = {slot(1, SLOT_READY, true), slot(2, SLOT_STARTING, true),
                                       slot(3, SLOT_BACKOFF, true), slot(4, SLOT_FAILED, true)};
    char text[256];

    slots[2].cause = "ended with status 1";
    for (size_t i = 0; i < 4; i++)
        colony__juggler_judge(&verdict, &slots[i], false);
    colony__juggler_describe(&verdict, text, sizeof text);
    assert_int_equal(verdict.status, JUGGLER_CRIT);
    assert_string_equal(text, "1 of 4 run; web.3 is backoff: ended with status 1");
}

TEST(test_what_runs_but_is_not_ready_or_not_well_is_told)
{
    struct colony__juggler_verdict verdict = {0};
    struct colony_slot_info info = slot(1, SLOT_RUNNING, true);
    char text[256];

    colony__juggler_judge(&verdict, &info, true);
    assert_int_equal(verdict.status, JUGGLER_WARN);
    verdict = (struct colony__juggler_verdict){0};
    info = slot(1, SLOT_READY, true);
    info.health = "unhealthy";
    info.health_note = "no answer";
    colony__juggler_judge(&verdict, &info, true);
    colony__juggler_describe(&verdict, text, sizeof text);
    assert_int_equal(verdict.status, JUGGLER_CRIT);
    assert_string_equal(text, "0 of 1 run; web.1 is unhealthy: no answer");
}

TEST(test_what_waits_for_its_next_run_and_what_is_leaving_are_no_matter)
{
    struct colony__juggler_verdict verdict = {0};
    struct colony_slot_info waiting = slot(1, SLOT_WAITING, true);
    struct colony_slot_info leaving = slot(2, SLOT_FAILED, true);

    waiting.has_next = true;
    leaving.is_leaving = true;
    colony__juggler_judge(&verdict, &waiting, false);
    colony__juggler_judge(&verdict, &leaving, false);
    assert_int_equal(verdict.status, JUGGLER_OK);
    assert_int_equal(verdict.wanted, 1);
}

/* --- what is sent and answered ---------------------------------------------------------------- */

TEST(test_events_are_sent_as_juggler_takes_them)
{
    char *tags[] = {(char *)"a", (char *)"b", NULL};
    const struct colony_juggler_event events[] = {
        {.host = "h",
         .service = "s",
         .status = JUGGLER_CRIT,
         .description = "d \"1\"",
         .tags = tags},
        {.host = "h", .service = "t", .status = JUGGLER_OK, .description = ""},
    };
    size_t size = 0;
    char *body = colony_juggler_body("me", events, 2, &size);
    static const char wanted[] =
        "{\"source\":\"me\",\"events\":[{\"host\":\"h\",\"service\":\"s\",\"status\":\"CRIT\","
        "\"description\":\"d \\\"1\\\"\",\"tags\":[\"a\",\"b\"]},{\"host\":\"h\",\"service\":\"t\","
        "\"status\":\"OK\",\"description\":\"\",\"tags\":[]}]}";

    assert_non_null(body);
    assert_int_equal(size, sizeof wanted - 1);
    assert_memory_equal(body, wanted, size);
    free(body);
}

TEST(test_slashes_at_the_end_of_the_url_are_no_matter)
{
    char url[64];

    assert_int_equal(colony_juggler_url(url, sizeof url, "http://a:1//"), 0);
    assert_string_equal(url, "http://a:1/events");
    assert_int_equal(colony_juggler_url(url, 8, "http://a:1"), -ENAMETOOLONG);
}

static int read_answer(const char *body, int *codes, size_t count, struct colony_error *err)
{
    return colony_juggler_read_answer(body, strlen(body), codes, count, err);
}

TEST(test_each_event_has_a_code_of_its_own)
{
    int codes[2] = {0};
    struct colony_error err;

    assert_int_equal(read_answer("{\"events\":[{\"code\":200},{\"code\":400,\"error\":\"x\"}],"
                                 "\"message\":\"\"}",
                                 codes, 2, &err),
                     0);
    assert_int_equal(codes[0], 200);
    assert_int_equal(codes[1], 400);
    assert_int_equal(read_answer("{\"events\":[{\"code\":200}]}", codes, 2, &err), -EBADMSG);
    assert_non_null(strstr(err.message, "no code for each event"));
    assert_int_equal(read_answer("{\"events\":[{\"code\":\"200\"}]}", codes, 1, &err), -EBADMSG);
    assert_int_equal(read_answer("[]", codes, 1, &err), -EBADMSG);
    assert_int_equal(read_answer("<html>", codes, 1, &err), -EBADMSG);
    assert_int_equal(read_answer("", codes, 1, &err), -EBADMSG);
}

TEST(test_a_status_is_one_of_four_words)
{
    assert_int_equal(colony_juggler_status_parse("CRIT"), JUGGLER_CRIT);
    assert_int_equal(colony_juggler_status_parse("INFO"), JUGGLER_INFO);
    assert_int_equal(colony_juggler_status_parse("ok"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_what_should_run_and_is_down_is_critical_and_what_is_on_its_way_a_warning),
        cmocka_unit_test(test_the_worst_slot_is_what_is_told),
        cmocka_unit_test(test_what_runs_but_is_not_ready_or_not_well_is_told),
        cmocka_unit_test(test_what_waits_for_its_next_run_and_what_is_leaving_are_no_matter),
        cmocka_unit_test(test_events_are_sent_as_juggler_takes_them),
        cmocka_unit_test(test_slashes_at_the_end_of_the_url_are_no_matter),
        cmocka_unit_test(test_each_event_has_a_code_of_its_own),
        cmocka_unit_test(test_a_status_is_one_of_four_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
