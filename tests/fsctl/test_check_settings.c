/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"
#include "fsctl/check_settings.h"

static struct colony_value *parse(const char *text)
{
    struct colony_value *value = NULL;

    assert_int_equal(colony_value_parse_json(&value, text, strlen(text), NULL), 0);
    return value;
}

static int read_beat(const char *text, struct colony_beat_settings *out, struct colony_error *err)
{
    struct colony_value *value = parse(text);
    int rc = colony_beat_settings_read(value, out, err);

    out->status = rc > 0 ? "" : NULL; /* it goes with the tree */
    colony_value_free(value);
    return rc;
}

static int read_http(const char *text, struct colony_httpcheck_settings *out,
                     struct colony_error *err)
{
    struct colony_value *value = parse(text);
    int rc = colony_httpcheck_settings_read(value, out, err);

    out->url = rc > 0 ? "" : NULL;
    colony_value_free(value);
    return rc;
}

TEST(test_a_file_without_the_key_asks_for_nothing)
{
    struct colony_beat_settings beat = {0};
    struct colony_httpcheck_settings http = {0};

    assert_int_equal(read_beat("{\"args\": [\"x\"]}", &beat, NULL), 0);
    assert_int_equal(read_http("{\"ncolony.httpcheck\": null}", &http, NULL), 0);
    assert_int_equal(read_beat("[]", &beat, NULL), 0);
}

TEST(test_the_grace_of_a_heart_is_in_periods)
{
    struct colony_beat_settings beat = {0};

    assert_int_equal(
        read_beat("{\"ncolony.beatcheck\": {\"period\": 1.5, \"grace\": 3, \"status\": \"s\"}}",
                  &beat, NULL),
        1);
    assert_int_equal(beat.period_ms, 1500);
    assert_int_equal(beat.grace_ms, 4500);
}

TEST(test_a_timeout_is_never_longer_than_the_period)
{
    struct colony_httpcheck_settings http = {0};

    assert_int_equal(read_http("{\"ncolony.httpcheck\": {\"url\": \"http://h/\", \"period\": 2, "
                               "\"timeout\": 9, \"grace\": 0, \"maxBad\": 3}}",
                               &http, NULL),
                     1);
    assert_int_equal(http.timeout_ms, 2000);
    assert_int_equal(http.grace_ms, 0);
    assert_int_equal(http.max_bad, 3);
}

TEST(test_what_cannot_be_meant_is_refused_by_name)
{
    static const struct {
        const char *text;
        const char *fault;
    } cases[] = {
        {"{\"ncolony.beatcheck\": 5}", "must be an object"},
        {"{\"ncolony.beatcheck\": {\"grace\": 1, \"status\": \"s\"}}", "`period`"},
        {"{\"ncolony.beatcheck\": {\"period\": \"1\", \"grace\": 1, \"status\": \"s\"}}",
         "`period`"},
        {"{\"ncolony.beatcheck\": {\"period\": 0, \"grace\": 1, \"status\": \"s\"}}", "`period`"},
        {"{\"ncolony.beatcheck\": {\"period\": 1e300, \"grace\": 1, \"status\": \"s\"}}",
         "`period`"},
        {"{\"ncolony.beatcheck\": {\"period\": 1, \"grace\": -1, \"status\": \"s\"}}", "`grace`"},
        {"{\"ncolony.beatcheck\": {\"period\": 1, \"grace\": 1}}", "`status`"},
        {"{\"ncolony.beatcheck\": {\"period\": 1, \"grace\": 1, \"status\": \"\"}}", "`status`"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct colony_beat_settings beat = {0};
        struct colony_error err = {0};

        assert_int_equal(read_beat(cases[i].text, &beat, &err), -EINVAL);
        assert_non_null(strstr(err.message, cases[i].fault));
    }
}

TEST(test_a_grace_beyond_all_bounds_is_a_hundred_years)
{
    struct colony_beat_settings beat = {0};

    assert_int_equal(
        read_beat("{\"ncolony.beatcheck\": {\"period\": 10, \"grace\": 1e300, \"status\": \"s\"}}",
                  &beat, NULL),
        1);
    assert_true(beat.grace_ms == 3153600000000U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_without_the_key_asks_for_nothing),
        cmocka_unit_test(test_the_grace_of_a_heart_is_in_periods),
        cmocka_unit_test(test_a_timeout_is_never_longer_than_the_period),
        cmocka_unit_test(test_what_cannot_be_meant_is_refused_by_name),
        cmocka_unit_test(test_a_grace_beyond_all_bounds_is_a_hundred_years),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
