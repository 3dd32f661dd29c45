/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file_config.h"

#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/template.h"

static const struct colony_files_settings usual = {
    .threshold_ms = 1000, .kill_ms = 5000, .min_delay_ms = 1000, .max_delay_ms = 3600000};

static int read_text(struct colony_file_config *out, const char *text,
                     const struct colony_files_settings *settings, struct colony_error *err)
{
    const struct colony_file_text from = {
        .name = "web", .path = "/conf/web", .text = text, .size = strlen(text)};

    return colony_file_config_read(out, &from, settings, err);
}

static struct colony_file_config config_of(const char *text)
{
    struct colony_file_config config = {0};
    struct colony_error err = {0};

    if (read_text(&config, text, &usual, &err) < 0)
        fail_msg("%s", err.message);
    return config;
}

static void assert_fails(const char *text, int code, const char *why)
{
    struct colony_file_config config = {0};
    struct colony_error err = {0};

    assert_int_equal(read_text(&config, text, &usual, &err), code);
    assert_null(config.template);
    assert_null(config.groups);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not in `%s`", why, err.message);
}

static void assert_texts(char *const *texts, const char *joined)
{
    char all[1024] = "";

    for (; *texts; texts++)
        (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s|", *texts);
    assert_string_equal(all, joined);
}

TEST(test_arguments_are_taken_as_they_are)
{
    struct colony_file_config config =
        config_of("{\"args\": [\"$x\", \"$HOME\", \"$$\", \"${\", \"a b\", \"\"]}");

    assert_texts(config.template->argv, "$x|$HOME|$$|${|a b||");
    colony_file_config_clear(&config);
    assert_null(config.template);
}

TEST(test_the_environment_is_exact)
{
    static const char text[] =
        "{\"args\": [\"x\"], \"env\": {\"A\": \"1\", \"SET\": \"2\", \"UNSET\": "
        "\"3\", \"NCOLONY_NAME\": \"4\"}, \"env_inherit\": [\"SET\", "
        "\"UNSET\", \"UNSET\", \"NCOLONY_CONFIG\"]}\n";
    char expected[512];
    struct colony_file_config config;

    assert_int_equal(setenv("SET", "s", 1), 0);
    assert_int_equal(unsetenv("UNSET"), 0);
    config = config_of(text);
    (void)snprintf(expected, sizeof expected, "A=1|UNSET=|NCOLONY_NAME=web|NCOLONY_CONFIG=%s|",
                   text);
    assert_texts(config.template->env, expected);
    assert_texts(config.template->env_inherit, "SET|");
    assert_false(config.template->os_env);
    assert_false(config.template->mark);
    colony_file_config_clear(&config);
}

TEST(test_times_are_those_of_the_directory_unless_the_file_has_its_own)
{
    struct colony_file_config config = config_of("{\"args\": [\"x\"]}");
    const struct colony_restart_policy *policy = config.template->restart;

    assert_int_equal(config.template->grace_ms, 5000);
    assert_int_equal(policy->first_ms, 1000);
    assert_int_equal(policy->base_ms, 2000);
    assert_int_equal(policy->cap_ms, 3600000);
    assert_int_equal(policy->reset_ms, 1000);
    assert_int_equal(policy->jitter_percent, 0);
    colony_file_config_clear(&config);
    config = config_of("{\"args\": [\"x\"], \"colony\": {\"graceful_timeout\": 1, \"restart\": "
                       "{\"when\": \"never\"}}}");
    assert_int_equal(config.template->grace_ms, 1000);
    assert_int_equal(config.template->restart->when, RESTART_NEVER);
    colony_file_config_clear(&config);
}

TEST(test_what_is_scheduled_has_no_policy_of_the_directory)
{
    struct colony_file_config config =
        config_of("{\"args\": [\"x\"], \"colony\": {\"schedule\": \"1s\"}}");

    assert_non_null(config.template->schedule);
    assert_int_equal(config.template->grace_ms, 5000);
    colony_file_config_clear(&config);
    config = config_of("{\"args\": [\"x\"], \"colony\": {\"schedule\": null}}");
    assert_int_equal(config.template->restart->first_ms, 1000);
    colony_file_config_clear(&config);
    assert_fails("{\"args\": [\"x\"], \"colony\": {\"schedule\": \"1s\", \"restart\": {}}}",
                 -EINVAL, "cannot use `restart` together with `schedule`");
}

TEST(test_delays_at_their_limits_are_a_policy_too)
{
    const struct colony_files_settings all[] = {
        {.threshold_ms = 0, .kill_ms = 0, .min_delay_ms = 0, .max_delay_ms = 0},
        {.threshold_ms = 1, .kill_ms = 1, .min_delay_ms = 5, .max_delay_ms = 5},
        {.threshold_ms = UINT64_C(3153600000000),
         .kill_ms = UINT64_C(3153600000000),
         .min_delay_ms = UINT64_C(3153600000000),
         .max_delay_ms = UINT64_C(3153600000000)},
    };
    struct colony_error err = {0};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct colony_file_config config = {0};

        if (read_text(&config, "{\"args\": [\"x\"]}", &all[i], &err) < 0)
            fail_msg("%s", err.message);
        assert_int_equal(config.template->restart->first_ms, all[i].min_delay_ms);
        assert_int_equal(config.template->restart->cap_ms, all[i].max_delay_ms);
        colony_file_config_clear(&config);
    }
}

TEST(test_groups_are_names)
{
    struct colony_file_config config = config_of("{\"args\": [\"x\"], \"group\": [\"a\", \"b\"]}");

    assert_texts(config.groups, "a|b|");
    colony_file_config_clear(&config);
    config = config_of("{\"args\": [\"x\"]}");
    assert_texts(config.groups, "");
    colony_file_config_clear(&config);
}

TEST(test_any_byte_of_the_file_is_another_template)
{
    struct colony_file_config left = config_of("{\"args\": [\"x\"], \"y\": 1}");
    struct colony_file_config right = config_of("{\"args\": [\"x\"], \"y\":  1}");
    struct colony_file_config same = config_of("{\"args\": [\"x\"], \"y\": 1}");

    assert_true(left.template->hash == same.template->hash);
    assert_true(left.template->process_hash != right.template->process_hash);
    colony_file_config_clear(&left);
    colony_file_config_clear(&right);
    colony_file_config_clear(&same);
}

TEST(test_it_is_the_same_when_the_store_makes_it_again)
{
    const struct colony_file_text from = {
        .name = "8080", .path = "8080", .text = "{\"args\": [\"$x\", \"$y\"]}", .size = 22};
    struct colony_template *again = NULL;
    struct colony_file_config config = {0};
    struct colony_error err = {0};

    if (colony_file_config_read(&config, &from, &usual, &err) < 0)
        fail_msg("%s", err.message);
    if (colony_template_restore(&again, config.template->source, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(again->hash == config.template->hash);
    assert_true(again->process_hash == config.template->process_hash);
    assert_texts(again->argv, "$x|$y|");
    colony_template_free(again);
    colony_file_config_clear(&config);
}

TEST(test_what_cannot_be_is_told_with_its_place)
{
    assert_fails("", -EBADMSG, "/conf/web:1:1: cannot read this JSON");
    assert_fails("{\"args\": [\"x\"", -EBADMSG, "/conf/web:1:");
    assert_fails("[]", -EINVAL, "/conf/web:1:1: cannot use this file");
    assert_fails("{}", -EINVAL, "/conf/web:1:1: cannot use this file: `args` is missing");
    assert_fails("{\n \"args\": [1]}", -EINVAL, "/conf/web:2:11: cannot use `args`");
    assert_fails("{\"args\": [\"\"]}", -EINVAL, "program's name is empty");
    assert_fails("{\"args\": [\"x\"], \"colony\": {\"name\": \"y\"}}", -EINVAL,
                 "/conf/web:1:28: cannot use this key under `colony`");
    assert_fails("{\"args\": [\"x\"], \"colony\": {\"mark\": true}}", -EINVAL,
                 "the environment is what the file says");
    assert_fails("{\"args\": [\"x\"], \"colony\": {\"nicee\": 1}}", -EINVAL,
                 "/conf/web:1:28: cannot use the key `nicee`: it is unknown, did you mean");
    assert_fails("{\"args\": [\"x\"], \"env\": {\"A\": []}}", -EINVAL, "/conf/web:1:25: ");
    assert_fails("{\"args\": [\"x\"], \"group\": [1]}", -EINVAL, "/conf/web:1:27: ");
}

TEST(test_a_file_that_is_no_variable_is_refused)
{
    const size_t most = 32 * 4096 - sizeof "NCOLONY_CONFIG=";
    char *text = malloc(most + 2);
    struct colony_file_config config;

    assert_non_null(text);
    memset(text, ' ', most + 1);
    text[most] = '\0';
    memcpy(text, "{\"args\": [\"x\"]}", 15);
    config = config_of(text);
    colony_file_config_clear(&config);
    memset(text + 15, ' ', most + 1 - 15);
    text[most + 1] = '\0';
    assert_fails(text, -EINVAL, "more than a variable of the environment may have");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_are_taken_as_they_are),
        cmocka_unit_test(test_the_environment_is_exact),
        cmocka_unit_test(test_times_are_those_of_the_directory_unless_the_file_has_its_own),
        cmocka_unit_test(test_what_is_scheduled_has_no_policy_of_the_directory),
        cmocka_unit_test(test_delays_at_their_limits_are_a_policy_too),
        cmocka_unit_test(test_groups_are_names),
        cmocka_unit_test(test_any_byte_of_the_file_is_another_template),
        cmocka_unit_test(test_it_is_the_same_when_the_store_makes_it_again),
        cmocka_unit_test(test_what_cannot_be_is_told_with_its_place),
        cmocka_unit_test(test_a_file_that_is_no_variable_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
