/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/template.h"
#include "core/value.h"
#include "templates.h"

static void assert_argv(const char *yaml, const char *expected)
{
    struct colony_template *template = web(yaml);

    assert_words(template->argv, expected);
    colony_template_free(template);
}

TEST(test_defaults_are_those_of_gaffer)
{
    struct colony_template *template = web("cmd: sleep 5");

    assert_string_equal(template->name, "web");
    assert_string_equal(template->cmd, "sleep 5");
    assert_words(template->argv, "sleep|5|");
    assert_words(template->env, "");
    assert_words(template->env_inherit, "");
    assert_true(template->os_env);
    assert_null(template->identity);
    assert_null(template->cwd);
    assert_false(template->has_umask);
    assert_false(template->has_nice);
    assert_int_equal(template->rlimit_count, 0);
    assert_false(template->shell);
    assert_int_equal(template->numprocesses, 1);
    assert_int_equal(template->grace_ms, 10000);
    assert_int_equal(template->stop_signals[0], SIGTERM);
    assert_false(template->stop_group);
    assert_false(template->detach);
    assert_true(template->start);
    assert_int_equal(template->priority, COLONY_PRIORITY_LAST);
    assert_int_equal(template->log.mode, LOG_CAPTURE);
    assert_int_equal(template->log.on_full, LOG_FULL_DROP);
    assert_int_equal(template->log.size_bytes, 16 << 20);
    assert_int_equal(template->log.count, 5);
    colony_template_free(template);
    colony_template_free(NULL);
}

TEST(test_every_setting_is_read)
{
    struct colony_template *template =
        web("name: web\ncmd: prog\nargs: [a, 1.10]\nenv: {A: x, B: 022, C: yes, D: true}\n"
            "env_inherit: [HOME, PATH]\nos_env: false\nuid: 0\ngid: 7\ngroups: [1, 2]\ncwd: /tmp\n"
            "umask: '027'\nnice: -5\nrlimits: {nofile: 1024, core: unlimited, memlock: 64MiB,\n"
            "  stack: {soft: 1, hard: 2}}\nshell: false\nnumprocesses: 4\ngraceful_timeout: 2.5\n"
            "stop_signal: int\nstop_group: on\ndetach: yes\nstart: off\npriority: 3\n"
            "log: {size: 1MiB, count: 2, on_full: block, direct: true}\n");

    assert_words(template->argv, "prog|a|1.10|");
    assert_words(template->env, "A=x|B=022|C=yes|D=true|");
    assert_words(template->env_inherit, "HOME|PATH|");
    assert_false(template->os_env);
    assert_non_null(template->identity);
    assert_int_equal(template->identity->uid, 0);
    assert_int_equal(template->identity->gid, 7);
    assert_int_equal(template->identity->group_count, 2);
    assert_int_equal(template->identity->groups[1], 2);
    assert_string_equal(template->cwd, "/tmp");
    assert_true(template->has_umask);
    assert_int_equal(template->umask, 027);
    assert_true(template->has_nice);
    assert_int_equal(template->nice, -5);
    assert_int_equal(template->numprocesses, 4);
    assert_int_equal(template->grace_ms, 2500);
    assert_int_equal(template->stop_signals[0], SIGINT);
    assert_true(template->stop_group);
    assert_true(template->detach);
    assert_false(template->start);
    assert_int_equal(template->priority, 3);
    assert_int_equal(template->log.mode, LOG_DIRECT);
    assert_int_equal(template->log.on_full, LOG_FULL_BLOCK);
    assert_int_equal(template->log.size_bytes, 1 << 20);
    assert_int_equal(template->log.count, 2);
    colony_template_free(template);
}

TEST(test_rlimits_are_read)
{
    struct colony_template *template = web("cmd: x\nrlimits: {nofile: 1024, core: unlimited, "
                                           "memlock: 64MiB, stack: {soft: 1, hard: unlimited}}");

    assert_int_equal(template->rlimit_count, 4);
    assert_int_equal(template->rlimits[0].resource, RLIMIT_NOFILE);
    assert_int_equal(template->rlimits[0].soft, 1024);
    assert_int_equal(template->rlimits[0].hard, 1024);
    assert_true(template->rlimits[1].soft == RLIM_INFINITY);
    assert_int_equal(template->rlimits[2].hard, 64 << 20);
    assert_int_equal(template->rlimits[3].soft, 1);
    assert_true(template->rlimits[3].hard == RLIM_INFINITY);
    colony_template_free(template);
    assert_refused("cmd: x\nrlimits: {nofiles: 5}", "did you mean `nofile`");
    assert_refused("cmd: x\nrlimits: {nofile: -1}", "whole number");
    assert_refused("cmd: x\nrlimits: {nofile: many}", "unlimited");
    assert_refused("cmd: x\nrlimits: {nofile: [1]}", "unlimited");
    assert_refused("cmd: x\nrlimits: {nofile: ~}", "unlimited");
    assert_refused("cmd: x\nrlimits: {nofile: {soft: 1}}", "both");
    assert_refused("cmd: x\nrlimits: {nofile: {soft: 2, hard: 1}}", "above");
    assert_refused("cmd: x\nrlimits: {nofile: {soft: 1, hard: 1, x: 1}}", "`x`");
    assert_refused("cmd: x\nrlimits: {nofile: 1e30}", "whole number");
    assert_refused("cmd: x\nrlimits: {nofile: .nan}", "whole number");
}

TEST(test_null_means_the_default)
{
    struct colony_template *template =
        web("cmd: x\nargs: ~\nenv: ~\nuid: ~\ngid: ~\ngroups: ~\ncwd: ~\numask: ~\nnice: ~\n"
            "numprocesses: ~\nlog: ~\nrlimits: ~\nstop_signal: ~\n");

    assert_int_equal(template->numprocesses, 1);
    assert_null(template->identity);
    assert_int_equal(template->stop_signals[0], SIGTERM);
    colony_template_free(template);
}

TEST(test_commands_are_split_as_their_writer_meant)
{
    assert_argv("cmd: echo 'a b' c\\ d", "echo|a b|c d|");
    assert_argv("cmd: /opt/my prog\nargs: [x y]", "/opt/my prog|x y|");
    assert_argv("cmd: prog\nargs: \"a 'b c' \\\"d\\\"\"", "prog|a|b c|d|");
    assert_argv("cmd: my prog\nargs: []", "my prog|");
    assert_argv("cmd: true", "true|");
    assert_argv("cmd: yes\nargs: [y]", "yes|y|");
    assert_argv("cmd: my prog\nargs: ''", "my prog|");
    assert_argv("cmd: prog\nargs: [1, 022, 1.0, yes, true, '']", "prog|1|022|1.0|yes|true||");
}

TEST(test_shell_gets_one_script)
{
    assert_argv("cmd: echo $HOME; ls\nshell: true", "/bin/sh|-c|echo $HOME; ls|");
    assert_argv("cmd: echo\nargs: [a b, $X]\nenv: {X: y}\nshell: true", "/bin/sh|-c|echo a b y|");
    assert_argv("cmd: echo\nargs: a b\nshell: true", "/bin/sh|-c|echo a b|");
    assert_argv("cmd: \"echo 'it\"\nshell: true", "/bin/sh|-c|echo 'it|");
    assert_refused("cmd: ' '\nshell: true", "empty");
}

TEST(test_variables_come_from_env_only)
{
    assert_argv("cmd: serve --port $PORT --x ${PORT}1 $$PORT\nenv: {PORT: 80}",
                "serve|--port|80|--x|801|$PORT|");
    assert_argv("cmd: prog\nargs: [\"$A\"]\nenv: {A: a b}", "prog|a b|");
    assert_argv("cmd: $A x\nenv: {A: b}", "$A|x|"); /* not in the program */
    assert_refused("cmd: echo $HOME", "f.yaml:1:1: cannot use `cmd`: $HOME is not in `env`");
    assert_refused("cmd: echo\nargs: [$NOPE]", "cannot use `args`: $NOPE");
    assert_refused("cmd: echo\nargs: ${NOPE\n", "`${`");
}

TEST(test_commands_that_cannot_be_are_refused)
{
    assert_refused("{}", "`cmd` is missing");
    assert_refused("cmd: ~", "`cmd` is missing");
    assert_refused("cmd: ''", "cannot use `cmd`: it is empty");
    assert_refused("cmd: '  '", "cannot use `cmd`: it is empty");
    assert_refused("cmd: \"''\"", "cannot use `cmd`: it is empty");
    assert_refused("cmd: ' '\nargs: [x]", "cannot use `cmd`: it is empty");
    assert_refused("cmd: \"echo 'a\"", "cannot use `cmd`: a quote is not closed");
    assert_refused("cmd: echo a\\", "cannot use `cmd`: nothing follows the backslash");
    assert_refused("cmd: x\nargs: \"'a\"", "cannot use `args`: a quote is not closed");
    assert_refused("cmd: x\nargs: a\\", "cannot use `args`: nothing follows the backslash");
}

TEST(test_unknown_keys_name_the_nearest)
{
    assert_refused("cmd: x\nnumproceses: 3\n",
                   "f.yaml:2:1: cannot use the key `numproceses`: it is unknown, did you mean "
                   "`numprocesses`?");
    assert_refused("cmd: x\nlog: {sise: 1}\n", "did you mean `size`");
}

TEST(test_wrong_types_are_refused)
{
    static const char *const bad[][2] = {
        {"cmd", "5"},
        {"cmd", "[a]"},
        {"cmd", "{a: b}"},
        {"args", "5"},
        {"args", "{a: b}"},
        {"args", "[[a]]"},
        {"args", "[~]"},
        {"args", "true"},
        {"env", "x"},
        {"env", "[A=b]"},
        {"env", "{A: [b]}"},
        {"env", "{A: ~}"},
        {"env", "{'': b}"},
        {"env", "{A=B: c}"},
        {"env_inherit", "{}"},
        {"env_inherit", "[A=b]"},
        {"env_inherit", "['']"},
        {"env_inherit", "[[A]]"},
        {"os_env", "1"},
        {"os_env", "'yes'"},
        {"uid", "-1"},
        {"uid", "1.5"},
        {"uid", "4294967295"},
        {"uid", "true"},
        {"uid", "[0]"},
        {"gid", "-1"},
        {"gid", "{}"},
        {"gid", ".inf"},
        {"groups", "0"},
        {"groups", "[[0]]"},
        {"groups", "[-1]"},
        {"cwd", "5"},
        {"cwd", "''"},
        {"cwd", "[/tmp]"},
        {"umask", "'9'"},
        {"umask", "'1777'"},
        {"umask", "512"},
        {"umask", "-1"},
        {"umask", "true"},
        {"umask", "''"},
        {"umask", "'00022'"},
        {"nice", "20"},
        {"nice", "-21"},
        {"nice", "'5'"},
        {"nice", "1.5"},
        {"nice", ".nan"},
        {"rlimits", "5"},
        {"rlimits", "[]"},
        {"shell", "sh"},
        {"numprocesses", "-1"},
        {"numprocesses", "10001"},
        {"numprocesses", "1.5"},
        {"numprocesses", "'2'"},
        {"numprocesses", "1e99"},
        {"numprocesses", ".nan"},
        {"numprocesses", "99999999999999999999999"},
        {"numprocesses", "[1]"},
        {"graceful_timeout", "-1"},
        {"graceful_timeout", "soon"},
        {"graceful_timeout", ".inf"},
        {"graceful_timeout", ".nan"},
        {"graceful_timeout", "1e30"},
        {"graceful_timeout", "true"},
        {"graceful_timeout", "5 s"},
        {"graceful_timeout", "{}"},
        {"stop_signal", "NOPE"},
        {"stop_signal", "0"},
        {"stop_signal", "65"},
        {"stop_signal", "true"},
        {"log", "{out: /tmp/x}"},
        {"log", "{direct: true, out: x}"},
        {"log", "{direct: true, err: /tmp/}"},
        {"log", "{direct: true, out: /}"},
        {"log", "{direct: true, none: true, out: /tmp/x}"},
        {"stop_signal", "[]"},
        {"stop_signal", "[TERM, NOPE]"},
        {"stop_signal", "[[TERM]]"},
        {"stop_signal", "[1, 2, 3, 4, 5, 6, 7, 8, 9]"},
        {"stop_group", "1"},
        {"detach", "~x"},
        {"start", "'true'"},
        {"priority", "-1"},
        {"priority", "first"},
        {"priority", "1000001"},
        {"log", "all"},
        {"log", "5"},
        {"log", "[]"},
        {"log", "{size: -1}"},
        {"log", "{size: 1}"},
        {"log", "{size: x}"},
        {"log", "{size: .nan}"},
        {"log", "{count: -1}"},
        {"log", "{on_full: die}"},
        {"log", "{on_full: 1}"},
        {"log", "{direct: 1}"},
        {"log", "{direct: true, none: true}"},
    };
    char yaml[128];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(yaml, sizeof yaml, "%s%s: %s\n",
                       strcmp(bad[i][0], "cmd") == 0 ? "" : "cmd: x\n", bad[i][0], bad[i][1]);
        assert_refused(yaml, "cannot use ");
    }
    assert_refused("[]", "must be a map");
    assert_refused("x", "must be a map");
}

TEST(test_log_has_three_modes)
{
    struct colony_template *template = web("cmd: x\nlog: none");

    assert_int_equal(template->log.mode, LOG_NONE);
    colony_template_free(template);
    template = web("cmd: x\nlog: {none: true}");
    assert_int_equal(template->log.mode, LOG_NONE);
    colony_template_free(template);
    template = web("cmd: x\nlog: {none: false, direct: false, size: 4096}");
    assert_int_equal(template->log.mode, LOG_CAPTURE);
    assert_int_equal(template->log.size_bytes, 4096);
    colony_template_free(template);
}

TEST(test_users_and_groups_are_looked_up)
{
    struct colony_template *template = web("cmd: x\nuid: root");

    assert_non_null(template->identity);
    assert_int_equal(template->identity->uid, 0);
    assert_int_equal(template->identity->gid, 0);
    assert_int_equal(template->identity->group_count, 0);
    colony_template_free(template);
    template = web("cmd: x\nuid: 1\ngroups: [root, 5, '6']"); /* daemon: its primary group is 1 */
    assert_int_equal(template->identity->gid, 1);
    assert_int_equal(template->identity->groups[0], 0);
    assert_int_equal(template->identity->groups[1], 5);
    assert_int_equal(template->identity->groups[2], 6);
    colony_template_free(template);
    template = web("cmd: x\nuid: 3999999999\ngid: root");
    assert_true(template->identity->uid == 3999999999U);
    assert_int_equal(template->identity->gid, 0);
    colony_template_free(template);
    template = web("cmd: x\ngid: 5");
    assert_non_null(template->identity);
    assert_int_equal(template->identity->uid, geteuid());
    colony_template_free(template);
}

TEST(test_unknown_users_and_groups_are_refused)
{
    char yaml[512] = "cmd: x\ngroups: [";

    assert_refused("cmd: x\nuid: deploy-nobody", "no such user deploy-nobody");
    assert_refused("cmd: x\ngid: deploy-nobody", "no such group deploy-nobody");
    assert_refused("cmd: x\ngroups: [deploy-nobody]", "no such group deploy-nobody");
    assert_refused("cmd: x\nuid: 3999999999", "give `gid`");
    assert_refused("cmd: x\nuid: ''", "no such user");
    for (int i = 0; i <= COLONY_GROUPS_MAX; i++)
        memcpy(yaml + strlen(yaml), "1,", 3);
    memcpy(yaml + strlen(yaml), "]", 2);
    assert_refused(yaml, "more than 64");
}

TEST(test_names_are_checked)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    assert_int_equal(make(&template, "a/b", "cmd: x", true, &err), -EINVAL);
    assert_int_equal(make(&template, "8080", "cmd: x", true, &err), -EINVAL);
    assert_int_equal(make(&template, NULL, "cmd: x", true, &err), -EINVAL);
    assert_non_null(strstr(err.message, "`name` is missing"));
    assert_int_equal(make(&template, NULL, "cmd: x\nname: 5", true, &err), -EINVAL);
    assert_int_equal(make(&template, NULL, "cmd: x\nname: a\\nb", true, &err), 0);
    colony_template_free(template);
    assert_int_equal(make(&template, NULL, "cmd: x\nname: \"a\\nb\"", true, &err), -EINVAL);
    assert_int_equal(make(&template, "a", "cmd: x\nname: b", true, &err), -EINVAL);
    assert_non_null(strstr(err.message, "f.yaml:2:1: cannot use the name `b`"));
    assert_int_equal(make(&template, NULL, "cmd: x\nname: g:b", true, &err), 0);
    assert_string_equal(template->name, "g:b");
    colony_template_free(template);
}

TEST(test_unknown_keys_of_clients_are_given_back)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};
    cJSON *json;

    assert_int_equal(from_json(&template,
                               "{\"name\": \"web\", \"cmd\": \"x\", \"mine\": {\"a\": [1.50]},"
                               " \"log\": {\"extra\": 1}}",
                               false, &err),
                     0);
    json = colony_template_to_json(template);
    assert_true(cJSON_IsObject(cJSON_GetObjectItem(json, "mine")));
    assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "log"), "extra")->valueint, 1);
    assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "log"), "count")->valueint, 5);
    cJSON_Delete(json);
    colony_template_free(template);
    assert_int_equal(
        from_json(&template, "{\"name\": \"w\", \"cmd\": \"x\", \"mine\": 1}", true, &err),
        -EINVAL);
    assert_string_equal(err.message, "cannot use the key `mine`: it is unknown");
    assert_int_equal(from_json(&template, "{\"name\": \"w\", \"cmd\": 5}", false, &err), -EINVAL);
    assert_int_equal(from_json(&template, "{\"name\": \"w\", \"cmd\": true}", false, &err),
                     -EINVAL);
    assert_int_equal(from_json(&template, "[]", false, NULL), -EINVAL);
}

/* What GET answers can be PUT again and is the same template. */
TEST(test_json_with_defaults_makes_the_same_template)
{
    struct colony_template *template = web("cmd: a 'b c'\nenv: {X: 022, Y: yes}\nuid: root\n"
                                           "log: {size: 1MiB}\ngraceful_timeout: 500ms\n");
    struct colony_template *again = NULL;
    struct colony_error err = {0};
    cJSON *json = colony_template_to_json(template);
    char *text = cJSON_PrintUnformatted(json);

    assert_string_equal(cJSON_GetObjectItem(json, "name")->valuestring, "web");
    assert_int_equal(cJSON_GetObjectItem(json, "numprocesses")->valueint, 1);
    assert_int_equal(cJSON_GetObjectItem(json, "priority")->valueint, COLONY_PRIORITY_LAST);
    assert_string_equal(cJSON_GetObjectItem(json, "graceful_timeout")->valuestring, "500ms");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "args")));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "os_env")));
    if (from_json(&again, text, true, &err) < 0)
        fail_msg("%s", err.message);
    assert_words(again->argv, "a|b c|");
    assert_words(again->env, "X=022|Y=yes|");
    assert_int_equal(again->grace_ms, 500);
    assert_int_equal(again->log.size_bytes, 1 << 20);
    colony_template_free(again);
    colony_template_free(template);
    cJSON_free(text);
    cJSON_Delete(json);
}

TEST(test_a_template_outlives_its_source)
{
    struct colony_template *template = web("cmd: x\nenv: {A: b}");

    assert_string_equal(template->source, "{\"name\":\"web\",\"cmd\":\"x\",\"env\":{\"A\":\"b\"}}");
    colony_template_free(template);
}

static uint64_t hash_of(const char *name, const char *yaml)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};
    uint64_t hash;

    assert_int_equal(make(&template, name, yaml, true, &err), 0);
    hash = template->hash;
    colony_template_free(template);
    return hash;
}

TEST(test_hash_is_of_name_and_settings)
{
    uint64_t hash = hash_of("web", "cmd: x\nnumprocesses: 2");

    assert_true(hash == hash_of("web", "# moved\nnumprocesses: 2\n\ncmd: 'x'"));
    assert_true(hash == hash_of(NULL, "name: web\ncmd: x\nnumprocesses: 2"));
    assert_true(hash != hash_of("web2", "cmd: x\nnumprocesses: 2"));
    assert_true(hash != hash_of("web", "cmd: x\nnumprocesses: 3"));
    assert_true(hash_of("a", "cmd: x\nargs: [yes]") == hash_of("a", "cmd: x\nargs: ['yes']"));
}

TEST(test_variables_cannot_fill_the_memory)
{
    enum { VALUE = 100000, ARGS = 100 };
    char *yaml = calloc(1, VALUE + ARGS * 4 + 100);
    size_t used;

    assert_non_null(yaml);
    used = (size_t)sprintf(yaml, "cmd: x\nenv: {A: ");
    memset(yaml + used, 'x', VALUE);
    used += VALUE;
    used += (size_t)sprintf(yaml + used, "}\nargs: [");
    for (int i = 0; i < ARGS; i++)
        used += (size_t)sprintf(yaml + used, "$A, ");
    (void)sprintf(yaml + used, "]\n");
    assert_refused(yaml, "larger than 6 MiB");
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_those_of_gaffer),
        cmocka_unit_test(test_every_setting_is_read),
        cmocka_unit_test(test_rlimits_are_read),
        cmocka_unit_test(test_null_means_the_default),
        cmocka_unit_test(test_commands_are_split_as_their_writer_meant),
        cmocka_unit_test(test_shell_gets_one_script),
        cmocka_unit_test(test_variables_come_from_env_only),
        cmocka_unit_test(test_commands_that_cannot_be_are_refused),
        cmocka_unit_test(test_unknown_keys_name_the_nearest),
        cmocka_unit_test(test_wrong_types_are_refused),
        cmocka_unit_test(test_log_has_three_modes),
        cmocka_unit_test(test_users_and_groups_are_looked_up),
        cmocka_unit_test(test_unknown_users_and_groups_are_refused),
        cmocka_unit_test(test_names_are_checked),
        cmocka_unit_test(test_unknown_keys_of_clients_are_given_back),
        cmocka_unit_test(test_json_with_defaults_makes_the_same_template),
        cmocka_unit_test(test_a_template_outlives_its_source),
        cmocka_unit_test(test_hash_is_of_name_and_settings),
        cmocka_unit_test(test_variables_cannot_fill_the_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
