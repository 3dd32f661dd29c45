/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"

/* What is told of @text, which is no JSON, begins with @mistake and ends with its place. */
static void assert_told(const char *text, const char *mistake, unsigned byte)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};
    char begins[256];
    char ends[32];
    size_t length;

    assert_int_equal(colony_value_parse_json(&value, text, strlen(text), &err), -EBADMSG);
    (void)snprintf(begins, sizeof begins, "cannot read this JSON: %s", mistake);
    (void)snprintf(ends, sizeof ends, " at byte %u", byte);
    length = strlen(err.message);
    if (strncmp(err.message, begins, strlen(begins)) != 0 || length < strlen(ends) ||
        strcmp(err.message + length - strlen(ends), ends) != 0)
        fail_msg("of `%s`: %s", text, err.message);
}

TEST(test_a_value_is_missing)
{
    static const char value[] =
        "there should be a text in double quotes, a number, true, false, null, [ or {";

    assert_told("junk", value, 1);
    assert_told("NaN", value, 1);
    assert_told("  'x'", value, 3);
    assert_told("{\"a\": x}", value, 7);
    assert_told("{\"a\": NaN}", value, 7);
    assert_told("{\"a\":}", value, 6);
    assert_told("[1, ]", value, 5);
    assert_told("[{\"a\": [1, Infinity]}]", value, 12);
    assert_told("[NaN]", "there should be ], or a text in double quotes", 2);
}

TEST(test_a_key_is_missing)
{
    assert_told("{a: 1}", "there should be }, or a key in double quotes", 2);
    assert_told("{\"a\": [1], }", "there should be a key in double quotes", 12);
    assert_told("{\"a\": 1, b: 2}", "there should be a key in double quotes", 10);
}

TEST(test_what_stands_between_is_missing)
{
    assert_told("{\"a\" 1}", "there should be a : behind the key", 6);
    assert_told("{\"a\": 1 \"b\": 2}", "there should be , or }", 9);
    assert_told("[1 2]", "there should be , or ]", 4);
    assert_told("[\"\\\"\" \"]\"]", "there should be , or ]", 7);
    assert_told("[1}", "there should be , or ]", 3);
    assert_told("[1: 2]", "there should be , or ]", 3);
}

TEST(test_there_is_too_much)
{
    assert_told("{\"a\": 1} more", "it goes on after its end", 10);
    assert_told("1, 2", "it goes on after its end", 2);
    assert_told("{} // why", "JSON has no comments", 4);
    assert_told("{ # why\n}", "JSON has no comments", 3);
}

TEST(test_an_escape_is_told_from_a_text)
{
    assert_told("[\"a\\q\"]", "JSON has no such escape", 4);
    assert_told("[\"\\ud800\"]", "JSON has no such escape", 3);
    assert_told("[\"\\u12x4\"]", "JSON has no such escape", 3);
    assert_told("[\"\\u\\\"\\\n\"]", "JSON has no such escape", 3);
    assert_told("[\"a\\\n\"]", "JSON has no such escape", 4);
    assert_told("\"a\\", "a string without end", 4);
}

TEST(test_what_is_cut_off_is_told_as_before)
{
    assert_told("{\"a\": 1", "it ends too soon", 8);
    assert_told("[", "it ends too soon", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_missing),
        cmocka_unit_test(test_a_key_is_missing),
        cmocka_unit_test(test_what_stands_between_is_missing),
        cmocka_unit_test(test_there_is_too_much),
        cmocka_unit_test(test_an_escape_is_told_from_a_text),
        cmocka_unit_test(test_what_is_cut_off_is_told_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
