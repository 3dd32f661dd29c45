/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"

#include "../test.h"

static struct colony_settings *parse(const char *json)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (colony_settings_parse_json(&settings, json, strlen(json), &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

static void assert_refused(const char *json, const char *message)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_settings_parse_json(&settings, json, strlen(json), &err), -EINVAL);
    if (!strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
}

TEST(test_it_is_off_unless_it_is_asked_for)
{
    struct colony_settings *settings = parse("{}");

    assert_false(settings->rpc.is_wanted);
    assert_int_equal(settings->rpc.message_bytes_max, 1 << 20);
    colony_settings_free(settings);
    settings = parse("{\"rpc\": false}");
    assert_false(settings->rpc.is_wanted);
    colony_settings_free(settings);
    settings = parse("{\"rpc\": true}");
    assert_true(settings->rpc.is_wanted);
    assert_int_equal(settings->rpc.pst.class_name, PST_FILE);
    assert_int_equal(settings->rpc.pst.frequency_ms, 60000);
    colony_settings_free(settings);
}

TEST(test_all_of_it_is_read_and_written)
{
    struct colony_settings *settings =
        parse("{\"rpc\": {\"bind\": \"0.0.0.0\", \"name\": \"shop\", \"keys\": \"k\", \"allow\": "
              "\"a\", \"max_message_bytes\": \"64KiB\", \"pst\": {\"class_name\": "
              "\"PstFileStorage\", \"file_path\": \"f\", \"frequency\": 5}}}");
    char *text = NULL;

    assert_int_equal(colony_settings_to_json(settings, &text), 0);
    colony_settings_free(settings);
    settings = parse(text);
    free(text);
    assert_true(settings->rpc.is_wanted);
    assert_string_equal(settings->rpc.bind, "0.0.0.0");
    assert_string_equal(settings->rpc.name, "shop");
    assert_string_equal(settings->rpc.keys, "k");
    assert_string_equal(settings->rpc.allow, "a");
    assert_int_equal(settings->rpc.message_bytes_max, 65536);
    assert_int_equal(settings->rpc.pst.class_name, PST_FILE_STORAGE);
    assert_string_equal(settings->rpc.pst.file_path, "f");
    assert_int_equal(settings->rpc.pst.frequency_ms, 5000);
    colony_settings_free(settings);
}

TEST(test_what_cannot_be_is_told)
{
    assert_refused("{\"rpc\": {\"keys\": \"k\"}}", "`allow` is missing");
    assert_refused("{\"rpc\": {\"allow\": \"k\"}}", "`keys` is missing");
    assert_refused("{\"rpc\": {\"name\": \"a/b\"}}", "a/b");
    assert_refused("{\"rpc\": {\"bnd\": \"x\"}}", "did you mean `bind`");
    assert_refused("{\"rpc\": {\"pst\": {\"class_name\": \"fil\"}}}", "class_name");
    assert_refused("{\"rpc\": {\"pst\": {\"class_name\": \"s3\"}}}", "`url` must be");
    assert_refused("{\"rpc\": {\"pst\": {\"class_name\": \"s3\", \"url\": \"https://h/b/k\"}}}",
                   "`credentials` is missing");
    assert_refused("{\"rpc\": {\"pst\": {\"frequency\": 0}}}", "frequency");
    assert_refused("{\"rpc\": 5}", "rpc");
}

TEST(test_a_program_that_is_served_must_be_there_with_its_stream)
{
    struct colony_settings *settings;

    assert_refused("{\"rpc\": {\"program\": \"pot\"}}", "there is no such process");
    assert_refused(
        "{\"rpc\": {\"program\": \"pot\"}, \"processes\": {\"pot\": {\"cmd\": \"cat\"}}}",
        "has no `custom_streams: [rpc]`");
    settings = parse("{\"rpc\": {\"program\": \"pot\"}, \"processes\": {\"pot\": {\"cmd\": \"cat\","
                     " \"custom_streams\": [\"other\", \"rpc\"]}}}");
    assert_string_equal(settings->rpc.program, "pot");
    colony_settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_off_unless_it_is_asked_for),
        cmocka_unit_test(test_all_of_it_is_read_and_written),
        cmocka_unit_test(test_what_cannot_be_is_told),
        cmocka_unit_test(test_a_program_that_is_served_must_be_there_with_its_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
