/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
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

TEST(test_there_is_none_unless_it_is_asked_for)
{
    struct colony_settings *settings = parse("{}");

    assert_null(settings->session.dir);
    colony_settings_free(settings);
}

TEST(test_it_is_a_path_or_a_map)
{
    static const char *const texts[] = {"{\"session\": \"/w\"}",
                                        "{\"session\": {\"dir\": \"/w\"}}"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct colony_settings *settings = parse(texts[i]);
        char *text = NULL;

        assert_string_equal(settings->session.dir, "/w");
        assert_int_equal(colony_settings_to_json(settings, &text), 0);
        colony_settings_free(settings);
        settings = parse(text); /* as the engine reads it */
        free(text);
        assert_string_equal(settings->session.dir, "/w");
        colony_settings_free(settings);
    }
}

TEST(test_without_a_workspace_it_is_refused)
{
    assert_refused("{\"session\": {}}", "`dir` is missing");
    assert_refused("{\"session\": \"\"}", "`dir` is missing");
    assert_refused("{\"session\": {\"folder\": \"/w\"}}", "cannot use the key `folder`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_none_unless_it_is_asked_for),
        cmocka_unit_test(test_it_is_a_path_or_a_map),
        cmocka_unit_test(test_without_a_workspace_it_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
