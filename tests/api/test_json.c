/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_internal.h"

#include "../test.h"

/* What was written is @expected; cJSON reads it, too. */
static void expect(struct colony__json *json, const char *expected)
{
    cJSON *tree;

    assert_false(json->failed);
    assert_int_equal(json->text.size, strlen(expected));
    assert_memory_equal(json->text.data, expected, strlen(expected));
    tree = cJSON_ParseWithLength(json->text.data, json->text.size);
    assert_non_null(tree);
    cJSON_Delete(tree);
    colony__json_clear(json);
}

static void expect_text(const char *text, const char *expected)
{
    struct colony__json json = {0};

    colony__json_add_text(&json, NULL, text);
    expect(&json, expected);
}

TEST(test_objects_and_lists_nest_with_commas_between)
{
    struct colony__json json = {0};

    colony__json_open(&json, NULL, '{');
    colony__json_open(&json, "empty", '{');
    colony__json_close(&json, '}');
    colony__json_open(&json, "list", '[');
    colony__json_add_number(&json, NULL, 1);
    colony__json_open(&json, NULL, '[');
    colony__json_close(&json, ']');
    colony__json_open(&json, NULL, '{');
    colony__json_add_null(&json, "a");
    colony__json_add_bool(&json, "b", true);
    colony__json_close(&json, '}');
    colony__json_add_bool(&json, NULL, false);
    colony__json_close(&json, ']');
    colony__json_add_text(&json, "last", "x");
    colony__json_close(&json, '}');
    expect(&json, "{\"empty\":{},\"list\":[1,[],{\"a\":null,\"b\":true},false],\"last\":\"x\"}");
}

TEST(test_a_text_that_looks_like_a_bracket_is_followed_by_a_comma)
{
    struct colony__json json = {0};

    colony__json_open(&json, NULL, '[');
    colony__json_add_text(&json, NULL, "[");
    colony__json_add_text(&json, NULL, "{");
    colony__json_add_text(&json, NULL, "");
    colony__json_close(&json, ']');
    expect(&json, "[\"[\",\"{\",\"\"]");
}

TEST(test_what_json_reserves_is_escaped)
{
    expect_text("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    expect_text("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
    expect_text("\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"");
    expect_text("", "\"\"");
    expect_text(NULL, "\"\"");
}

TEST(test_every_byte_makes_valid_json_that_reads_back)
{
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {'a', (char)byte, 'z', '\0'};
        const char repaired[] = {'a', '?', 'z', '\0'};
        struct colony__json json = {0};
        cJSON *tree;

        colony__json_add_text(&json, NULL, text);
        tree = cJSON_ParseWithLength(json.text.data, json.text.size);
        assert_string_equal(cJSON_GetStringValue(tree), byte < 0x80 ? text : repaired);
        cJSON_Delete(tree);
        colony__json_clear(&json);
    }
}

TEST(test_utf8_stays_and_what_is_none_is_repaired)
{
    expect_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9c\n", "\"\xc3\xa4 \xe2\x82\xac "
                                                            "\xf0\x9f\x90\x9c\\n\"");
    expect_text("\xff", "\"?\"");
    expect_text("\xc3", "\"?\"");                      /* cut off */
    expect_text("\xe2\x82", "\"??\"");                 /* so, too */
    expect_text("\xc0\xaf", "\"??\"");                 /* overlong */
    expect_text("\xed\xa0\x80", "\"???\"");            /* a surrogate */
    expect_text("\xf4\x90\x80\x80", "\"????\"");       /* above all */
    expect_text("\xe2\x82\n\xe4\"", "\"??\\n?\\\"\""); /* nothing is swallowed */
    expect_text("\xff\xc3\xa4\xff\xff", "\"?\xc3\xa4??\"");
}

TEST(test_numbers_have_all_their_digits)
{
    static const struct {
        uint64_t number;
        const char *text;
    } numbers[] = {
        {0, "0"},
        {7, "7"},
        {10, "10"},
        {4294967296, "4294967296"},
        {9007199254740993, "9007199254740993"},
        {UINT64_MAX, "18446744073709551615"},
    };
    struct colony__json json = {0};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        colony__json_add_number(&json, NULL, numbers[i].number);
        expect(&json, numbers[i].text);
    }
    colony__json_add_signed(&json, NULL, -1);
    expect(&json, "-1");
    colony__json_add_signed(&json, NULL, 0);
    expect(&json, "0");
    colony__json_add_signed(&json, NULL, INT64_MIN);
    expect(&json, "-9223372036854775808");
    colony__json_add_signed(&json, NULL, INT64_MAX);
    expect(&json, "9223372036854775807");
}

TEST(test_fractions_are_rounded_to_hundredths_without_zeros_at_the_end)
{
    static const struct {
        double number;
        const char *text;
    } numbers[] = {
        {0, "0"},         {-0.0, "0"},
        {0.004, "0"},     {-0.004, "0"},
        {0.005, "0.01"},  {0.1, "0.1"},
        {0.05, "0.05"},   {99.999, "100"},
        {12.5, "12.5"},   {12.34, "12.34"},
        {7, "7"},         {400.05, "400.05"},
        {-1.25, "-1.25"}, {1e14, "100000000000000"},
        {1e15, "null"},   {INFINITY, "null"},
        {NAN, "null"},
    };
    struct colony__json json = {0};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        colony__json_add_rounded(&json, NULL, numbers[i].number);
        expect(&json, numbers[i].text);
    }
}

TEST(test_seconds_have_three_places)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } times[] = {
        {0, "0.000"},
        {1, "0.001"},
        {250, "0.250"},
        {60000, "60.000"},
        {UINT64_MAX, "18446744073709551.615"},
    };
    struct colony__json json = {0};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        colony__json_add_seconds(&json, NULL, times[i].ms);
        expect(&json, times[i].text);
    }
}

TEST(test_times_are_iso_8601_in_utc_with_milliseconds)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } times[] = {
        {1, "\"1970-01-01T00:00:00.001Z\""},
        {951782400000, "\"2000-02-29T00:00:00.000Z\""},
        {1772366400250, "\"2026-03-01T12:00:00.250Z\""},
        {253402300799999, "\"9999-12-31T23:59:59.999Z\""},
        {0, "null"},               /* no time */
        {253402300800000, "null"}, /* four digits have no such year */
        {UINT64_MAX, "null"},
    };
    struct colony__json json = {0};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        colony__json_add_time(&json, NULL, times[i].ms);
        expect(&json, times[i].text);
    }
}

TEST(test_what_is_json_already_is_taken_as_it_is)
{
    struct colony__json json = {0};

    colony__json_open(&json, NULL, '[');
    colony__json_add_raw(&json, NULL, "{\"a\":1}", 7);
    colony__json_add_raw(&json, NULL, "2x", 1);
    colony__json_close(&json, ']');
    expect(&json, "[{\"a\":1},2]");
    colony__json_add_raw(&json, NULL, NULL, 0);
    assert_true(json.failed);
    colony__json_clear(&json);
    assert_false(json.failed);
}

TEST(test_an_answer_beyond_the_limit_fails_and_stays_so)
{
    const size_t size = (size_t)1024 * 1024;
    struct colony__json json = {0};
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    colony__json_open(&json, NULL, '[');
    for (int i = 0; i < 63; i++)
        colony__json_add_text(&json, NULL, text);
    assert_false(json.failed);
    colony__json_add_text(&json, NULL, text);
    assert_true(json.failed);
    assert_true(json.text.size <= COLONY__ANSWER_MAX);
    colony__json_add_number(&json, NULL, 1);
    assert_true(json.failed);
    colony__json_clear(&json);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_and_lists_nest_with_commas_between),
        cmocka_unit_test(test_a_text_that_looks_like_a_bracket_is_followed_by_a_comma),
        cmocka_unit_test(test_what_json_reserves_is_escaped),
        cmocka_unit_test(test_every_byte_makes_valid_json_that_reads_back),
        cmocka_unit_test(test_utf8_stays_and_what_is_none_is_repaired),
        cmocka_unit_test(test_numbers_have_all_their_digits),
        cmocka_unit_test(test_fractions_are_rounded_to_hundredths_without_zeros_at_the_end),
        cmocka_unit_test(test_seconds_have_three_places),
        cmocka_unit_test(test_times_are_iso_8601_in_utc_with_milliseconds),
        cmocka_unit_test(test_what_is_json_already_is_taken_as_it_is),
        cmocka_unit_test(test_an_answer_beyond_the_limit_fails_and_stays_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
