/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "session/fingerprint_internal.h"
#include "session/state.h"

enum {
    PERIOD_MS = 5000,
};

struct fixture {
    struct colony_live_state live;
    struct colony_saved_state up;
    struct colony_saved_states saved;
};

static void parse(struct colony_fingerprint *out, const char *text)
{
    *out = (struct colony_fingerprint){0};
    assert_int_equal(colony__fingerprint_parse(out, text, strlen(text), "x", NULL), 0);
}

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.up = {.state = "up"}};
    parse(&f->up.fingerprint, "{cmdline: [a], listen: ['1.1.1.1:1']}");
    f->saved = (struct colony_saved_states){.items = &f->up, .count = 1};
}

static void fixture_clear(struct fixture *f)
{
    colony_fingerprint_clear(&f->up.fingerprint);
    colony_live_state_clear(&f->live);
}

static const char *look(struct fixture *f, const char *text, uint64_t now_ms)
{
    struct colony_fingerprint now;
    const char *state;

    parse(&now, text);
    state = colony_live_state_look(
        &f->live, &f->saved,
        &(struct colony_state_look){.now = &now, .now_ms = now_ms, .period_ms = PERIOD_MS});
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        assert_null(now.fields[field].items); /* taken over */
    return state;
}

TEST(test_two_that_are_equal_a_period_apart_are_running)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(look(&f, "cmdline: [a]", 1000), "starting");
    assert_string_equal(look(&f, "cmdline: [a]", 1000 + PERIOD_MS), "running");
    fixture_clear(&f);
}

TEST(test_looks_in_between_do_not_put_it_off)
{
    struct fixture f;

    fixture_init(&f);
    for (uint64_t ms = 0; ms < PERIOD_MS - PERIOD_MS / 10; ms += 500)
        assert_string_equal(look(&f, "cmdline: [a]", ms), "starting");
    assert_string_equal(look(&f, "cmdline: [a]", PERIOD_MS), "running");
    fixture_clear(&f);
}

TEST(test_a_change_begins_the_period_anew)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(look(&f, "cmdline: [a]", 0), "starting");
    assert_string_equal(look(&f, "{cmdline: [a], files: [/a]}", PERIOD_MS), "starting");
    assert_string_equal(look(&f, "cmdline: [a]", 2 * PERIOD_MS), "starting");
    assert_string_equal(look(&f, "cmdline: [a]", 2 * PERIOD_MS + 100), "starting");
    assert_string_equal(look(&f, "cmdline: [a]", 3 * PERIOD_MS), "running");
    fixture_clear(&f);
}

TEST(test_a_saved_state_is_known_at_once)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(look(&f, "{cmdline: [a], listen: ['1.1.1.1:1']}", 0), "up");
    assert_true(f.live.score == 1);
    fixture_clear(&f);
}

TEST(test_what_leaves_a_saved_state_is_running)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(look(&f, "{cmdline: [a], listen: ['1.1.1.1:1']}", 0), "up");
    assert_string_equal(look(&f, "cmdline: [a]", 100), "running");
    assert_true(f.live.score < COLONY_FINGERPRINT_SAME);
    assert_string_equal(look(&f, "{cmdline: [a], listen: ['1.1.1.1:1']}", 200), "up");
    fixture_clear(&f);
}

TEST(test_a_new_life_is_starting_again)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(look(&f, "{cmdline: [a], listen: ['1.1.1.1:1']}", 0), "up");
    colony_live_state_clear(&f.live);
    assert_string_equal(look(&f, "cmdline: [a]", 100), "starting");
    fixture_clear(&f);
}

TEST(test_an_adopted_one_is_not_starting)
{
    struct fixture f;

    fixture_init(&f);
    colony_live_state_settle(&f.live);
    assert_string_equal(look(&f, "cmdline: [a]", 0), "running");
    fixture_clear(&f);
}

TEST(test_it_tells_when_to_look_again)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(colony_live_state_due_ms(&f.live, 100, PERIOD_MS), 0);
    (void)look(&f, "cmdline: [a]", 100);
    assert_int_equal(colony_live_state_due_ms(&f.live, 1100, PERIOD_MS), PERIOD_MS - 1000);
    assert_int_equal(colony_live_state_due_ms(&f.live, 100 + 2 * PERIOD_MS, PERIOD_MS), 0);
    (void)look(&f, "cmdline: [a]", 100 + PERIOD_MS);
    assert_true(colony_live_state_due_ms(&f.live, 200 + PERIOD_MS, PERIOD_MS) == UINT64_MAX);
    fixture_clear(&f);
}

TEST(test_names_of_states_are_names)
{
    static const char *const bad[] = {"",    "starting", "running", "stopped", "a:b",
                                      "a,b", "*",        "a/b",     "..",      "a\nb"};
    char long_name[COLONY_STATE_NAME_MAX + 2];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct colony_error err = {0};

        assert_int_equal(colony_session_state_check(bad[i], &err), -EINVAL);
        assert_string_not_equal(err.message, "");
    }
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(colony_session_state_check(long_name, NULL), -EINVAL);
    long_name[COLONY_STATE_NAME_MAX] = '\0';
    assert_int_equal(colony_session_state_check(long_name, NULL), 0);
    assert_int_equal(colony_session_state_check("operative", NULL), 0);
    assert_int_equal(colony_session_state_check("caf\xc3\xa9 2.0", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_that_are_equal_a_period_apart_are_running),
        cmocka_unit_test(test_looks_in_between_do_not_put_it_off),
        cmocka_unit_test(test_a_change_begins_the_period_anew),
        cmocka_unit_test(test_a_saved_state_is_known_at_once),
        cmocka_unit_test(test_what_leaves_a_saved_state_is_running),
        cmocka_unit_test(test_a_new_life_is_starting_again),
        cmocka_unit_test(test_an_adopted_one_is_not_starting),
        cmocka_unit_test(test_it_tells_when_to_look_again),
        cmocka_unit_test(test_names_of_states_are_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
