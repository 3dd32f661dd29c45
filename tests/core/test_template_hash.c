/* SPDX-License-Identifier: Apache-2.0 */
/* In what two templates differ, and whether that takes a new process. */
#include "../test.h"

#include <stdio.h>

#include "core/template_internal.h"
#include "templates.h"

/* Each differs from `cmd: x`. */
static const struct change {
    const char *name;
    const char *value;
    bool is_live;
} changes[] = {
    {"args", "[y]", false},
    {"env", "{A: b}", false},
    {"env_inherit", "[A]", false},
    {"os_env", "false", false},
    {"mark", "false", false},
    {"uid", "root", false},
    {"gid", "0", false},
    {"groups", "[0]", false},
    {"cwd", "/", false},
    {"umask", "'022'", false},
    {"nice", "1", false},
    {"oom_score_adj", "1", false},
    {"rlimits", "{nofile: 5}", false},
    {"limits", "{pids: 5}", false},
    {"shell", "true", false},
    {"numprocesses", "2", true},
    {"port", "8000", false},
    {"graceful_timeout", "1", true},
    {"stop_signal", "INT", true},
    {"stop_group", "true", true},
    {"detach", "true", false},
    {"log", "none", false},
    {"redirect_output", "[a, b]", false},
    {"redirect_input", "true", false},
    {"custom_streams", "[a, b]", false},
    {"start", "false", true},
    {"priority", "1", true},
    {"restart", "never", true},
    {"flapping", "{}", true},
    {"schedule", "10s", true},
    {"depends_on", "db", true},
    {"ready", "notify", false},
    {"health", "{exec: x}", false},
    {"start_timeout", "1", true},
    {"watchdog", "1", false},
    {"restart_above", "{cpu: 5}", true},
    {"max_age", "1", true},
    {"essential", "true", true},
    {"critical", "true", true},
};

static struct colony_template *changed(const struct change *change)
{
    char yaml[128];

    (void)snprintf(yaml, sizeof yaml, "cmd: x\n%s: %s\n", change->name, change->value);
    return web(yaml);
}

static void assert_difference(const struct colony_template *left,
                              const struct colony_template *right, const char *expected)
{
    char text[128];

    colony_template_difference(left, right, text, sizeof text);
    assert_string_equal(text, expected);
    colony_template_difference(right, left, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(left->hash == right->hash, expected[0] == '\0');
}

TEST(test_every_change_is_seen_and_named)
{
    struct colony_template *plain = web("cmd: x");

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct colony_template *other = changed(&changes[i]);

        assert_difference(plain, other, changes[i].name);
        if ((plain->process_hash == other->process_hash) != changes[i].is_live)
            fail_msg("a change of %s %s a new process", changes[i].name,
                     changes[i].is_live ? "takes" : "does not take");
        colony_template_free(other);
    }
    colony_template_free(plain);
}

TEST(test_every_setting_is_in_that_list)
{
    size_t count = 0;

    for (const struct colony__setting *row = colony__template_settings; row->name; row++)
        count++;
    assert_int_equal(count, sizeof changes / sizeof changes[0] + 3); /* name, cmd, env_file */
}

TEST(test_names_are_joined_and_cut_short)
{
    struct colony_template *left = web("cmd: x\nnice: 1\nenv: {A: b}");
    struct colony_template *right = web("cmd: y\nnumprocesses: 3\nenv: {A: c}");
    char text[16];

    assert_difference(left, right, "cmd, env, nice, numprocesses");
    assert_difference(left, left, "");
    colony_template_difference(left, right, text, sizeof text);
    assert_string_equal(text, "cmd, env, nice,");
    colony_template_difference(left, right, text, 1);
    assert_string_equal(text, "");
    colony_template_difference(left, right, NULL, 0);
    colony_template_free(left);
    colony_template_free(right);
}

/* So that writing a default down, or a version of colony with more settings, restarts nothing. */
TEST(test_a_default_that_is_written_down_changes_nothing)
{
    struct colony_template *plain = web("cmd: x");
    struct colony_template *written =
        web("cmd: x\nargs: ~\nenv: {}\nenv_file: []\nos_env: yes\nnumprocesses: 1\n"
            "graceful_timeout: 10\nstop_signal: SIGTERM\nlog: {}\ndepends_on: {}\nmax_age: 0\n"
            "restart: ~\nflapping: ~\nessential: off\npriority: 1000000\n");

    assert_difference(plain, written, "");
    assert_true(plain->process_hash == written->process_hash);
    colony_template_free(plain);
    colony_template_free(written);
}

/* What GET answers has every default in it: to PUT it back restarts nothing. */
TEST(test_all_settings_with_their_defaults_change_nothing)
{
    static const char *const settings[] = {
        "cmd: x",
        "cmd: x\nlog: {size: 4096}",
        "cmd: x\nlog: none",
        "cmd: x\nrestart: {when: never}\nready: {tcp: 'localhost:80'}",
        "cmd: x\nflapping: {}\nlimits: {pids: 5}\nrestart_above: {cpu: 5}",
    };

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct colony_template *given = web(settings[i]);
        struct colony_template *answered = NULL;
        cJSON *json = colony_template_to_json(given);
        char *text = cJSON_PrintUnformatted(json);

        assert_int_equal(from_json(&answered, text, false, NULL), 0);
        assert_difference(given, answered, "");
        assert_true(given->process_hash == answered->process_hash);
        colony_template_free(given);
        colony_template_free(answered);
        cJSON_Delete(json);
        free(text);
    }
}

TEST(test_members_of_tables_are_seen)
{
    struct colony_template *left = web("cmd: x\nlog: {size: 4096}\nrestart: {delay: 2}");
    struct colony_template *right = web("cmd: x\nlog: {count: 4}\nrestart: {max_delay: 2}");

    assert_difference(left, right, "log, restart");
    colony_template_free(left);
    colony_template_free(right);
}

TEST(test_the_order_of_settings_does_not_count)
{
    struct colony_template *left = web("cmd: x\nnice: 1\nenv: {A: b, C: d}\ncwd: /");
    struct colony_template *right = web("cwd: /\nenv: {C: d, A: b}\nnice: 1\ncmd: x");

    assert_difference(left, right, "");
    assert_true(left->process_hash == right->process_hash);
    colony_template_free(left);
    colony_template_free(right);
}

TEST(test_values_that_change_places_are_seen)
{
    struct colony_template *left = web("cmd: x\ncwd: /a\nstop_signal: INT\nnice: 1");
    struct colony_template *right = web("cmd: /a\ncwd: x\nstop_signal: INT\nnice: 1");

    assert_difference(left, right, "cmd, cwd");
    colony_template_free(left);
    colony_template_free(right);
}

TEST(test_a_clients_own_keys_take_no_new_process)
{
    struct colony_template *left = NULL;
    struct colony_template *right = NULL;

    assert_int_equal(
        from_json(&left, "{\"name\": \"w\", \"cmd\": \"x\", \"mine\": 1}", false, NULL), 0);
    assert_int_equal(
        from_json(&right, "{\"name\": \"w\", \"cmd\": \"x\", \"mine\": 2}", false, NULL), 0);
    assert_difference(left, right, "keys of your own");
    assert_true(left->process_hash == right->process_hash);
    colony_template_free(left);
    colony_template_free(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_change_is_seen_and_named),
        cmocka_unit_test(test_every_setting_is_in_that_list),
        cmocka_unit_test(test_names_are_joined_and_cut_short),
        cmocka_unit_test(test_a_default_that_is_written_down_changes_nothing),
        cmocka_unit_test(test_all_settings_with_their_defaults_change_nothing),
        cmocka_unit_test(test_members_of_tables_are_seen),
        cmocka_unit_test(test_the_order_of_settings_does_not_count),
        cmocka_unit_test(test_values_that_change_places_are_seen),
        cmocka_unit_test(test_a_clients_own_keys_take_no_new_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
