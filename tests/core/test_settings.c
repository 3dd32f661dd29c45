/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/value.h"

/* In a folder of its own: in /tmp itself root may not write to what it gave to somebody else
 * (fs.protected_regular). */
static char folder[] = "/tmp/colony-test-XXXXXX";
static char path[sizeof folder + sizeof "/settings"];

static int make_file(void **state)
{
    int fd;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/settings", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path) < 0 ? -1 : rmdir(folder);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct colony_settings *load(const char *text)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    write_file(text);
    if (colony_settings_load(&settings, path, &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

/* @why follows `FILE:` in the message when it begins with a digit. */
static void assert_refused(const char *text, const char *why)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    write_file(text);
    assert_int_equal(colony_settings_load(&settings, path, &err), -EINVAL);
    assert_null(settings);
    if (strncmp(err.message, path, strlen(path)) != 0 || !strstr(err.message, why) ||
        !strstr(err.message, ": cannot "))
        fail_msg("`%s` is not in `%s`", why, err.message);
}

static void assert_loads(const char *text)
{
    colony_settings_free(load(text));
}

TEST(test_settings_begin_with_their_defaults)
{
    struct colony_settings *settings = NULL;

    assert_int_equal(colony_settings_new(&settings, NULL), 0);
    assert_string_equal(settings->name, "colony");
    assert_null(settings->state_dir);
    assert_null(settings->log_file);
    assert_int_equal(settings->log_level, LOG_INFO);
    assert_int_equal(settings->log_format, LOG_FORMAT_TEXT);
    assert_null(settings->http.bind[0]);
    assert_null(settings->http.allow[0]);
    assert_false(settings->http.insecure);
    assert_int_equal(settings->http.header_bytes_max, 16 << 10);
    assert_int_equal(settings->http.body_bytes_max, 1 << 20);
    assert_int_equal(settings->http.request_ms_max, 30000);
    assert_int_equal(settings->http.connections_max, 1024);
    assert_null(settings->user.name);
    assert_int_equal(settings->template_count, 0);
    colony_settings_free(settings);
    colony_settings_free(NULL);
}

TEST(test_every_section_is_read)
{
    struct colony_settings *settings =
        load("name: here\nstate: {directory: /var/x}\n"
             "log: {file: /var/log/x, level: debug, format: json}\n"
             "http:\n  bind: ['127.0.0.1:5000', '[::1]:5001', 'unix:/run/x']\n  allow: [www, 33]\n"
             "  hosts: example.org\n  cors_origins: ['https://a.b']\n  insecure: yes\n"
             "  max_header_bytes: 8k\n  max_body_bytes: 2MiB\n  request_timeout: 1m\n"
             "  max_connections: 7\n"
             "processes:\n  web: {cmd: sleep 5}\n  db:\n    cmd: sleep 6\n");

    assert_string_equal(settings->name, "here");
    assert_string_equal(settings->state_dir, "/var/x");
    assert_string_equal(settings->log_file, "/var/log/x");
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_int_equal(settings->log_format, LOG_FORMAT_JSON);
    assert_string_equal(settings->http.bind[2], "unix:/run/x");
    assert_null(settings->http.bind[3]);
    assert_string_equal(settings->http.allow[1], "33");
    assert_string_equal(settings->http.hosts[0], "example.org");
    assert_string_equal(settings->http.cors_origins[0], "https://a.b");
    assert_true(settings->http.insecure);
    assert_int_equal(settings->http.header_bytes_max, 8192);
    assert_int_equal(settings->http.body_bytes_max, 2 << 20);
    assert_int_equal(settings->http.request_ms_max, 60000);
    assert_int_equal(settings->http.connections_max, 7);
    assert_int_equal(settings->template_count, 2);
    assert_string_equal(settings->templates[0]->name, "web");
    assert_string_equal(settings->templates[1]->name, "db");
    colony_settings_free(settings);
}

TEST(test_processes_may_be_a_list)
{
    struct colony_settings *settings =
        load("processes:\n- {name: b, cmd: x}\n- name: a\n  cmd: y\n");

    assert_int_equal(settings->template_count, 2);
    assert_string_equal(settings->templates[0]->name, "b");
    colony_settings_free(settings);
    assert_loads("processes:\n");
    assert_loads("processes: {}");
    assert_loads("");
    assert_refused("processes: 5", "must be a map of names");
    assert_refused("processes: [{cmd: x}]", ":1:13: cannot use these settings: `name` is missing");
    assert_refused("processes: [x]", "must be a map");
    assert_refused("processes: {web: ~}", "must be a map");
    assert_refused("processes: {web: sleep 5}", "cannot use `web`: it must be a map");
}

TEST(test_one_name_twice_is_refused)
{
    assert_refused("processes:\n- {name: a, cmd: x}\n- {name: b, cmd: x}\n- {name: a, cmd: x}\n",
                   ":4:3: cannot use the name `a` twice: it is on line 2 already");
    assert_refused("processes:\n  a: {cmd: x}\n  a: {cmd: x}\n",
                   ":3:3: cannot use the key `a` twice: it is on line 2 already");
}

TEST(test_faults_of_templates_have_their_place)
{
    assert_refused("processes:\n  web:\n    cmd: x\n    numprocesses: -1\n",
                   ":4:5: cannot use `numprocesses`: it must be a whole number from 0 to 10000");
    assert_refused("processes:\n  web:\n    cmd: x\n    cdw: /\n",
                   ":4:5: cannot use the key `cdw`");
    assert_refused("processes:\n  web: {}\n", ":2:3: cannot use `web`: `cmd` is missing");
    assert_refused("processes:\n  8080: {cmd: x}\n", ":2:3: cannot use the name `8080`");
    assert_refused("processes:\n  a/b: {cmd: x}\n", ":2:3: cannot use the name `a/b`");
    assert_refused("processes:\n  web: {cmd: x, uid: deploy-nobody}\n",
                   "no such user deploy-nobody");
}

TEST(test_unknown_keys_of_sections_name_the_nearest)
{
    assert_refused("http:\n  bid: x\n",
                   ":2:3: cannot use the key `bid`: it is unknown, did you mean `bind`?");
    assert_refused("log: {levle: info}", "did you mean `level`");
    assert_refused("state: {dir: x}", "cannot use the key `dir`");
    assert_refused("http: {port: 5000}", "did you mean `bind`");
    assert_refused("http: {prot: 5000}", "did you mean `bind`");
    assert_refused("user: {name: root, runas: []}", "did you mean `run_as`");
    assert_refused("colony: {htpp: {}}", "did you mean `http`");
    assert_refused("colony: {mine: {}}", "cannot use the key `mine`");
}

TEST(test_sections_of_later_versions_are_refused)
{
    static const char *const names[] = {"cluster"};
    char text[64];
    char why[64];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(text, sizeof text, "%s: {}\n", names[i]);
        (void)snprintf(why, sizeof why, ":1:1: cannot use section `%s`: this version", names[i]);
        assert_refused(text, why);
        (void)snprintf(text, sizeof text, "colony: {%s: {}}\n", names[i]);
        assert_refused(text, "does not have it");
    }
}

TEST(test_other_keys_are_the_users_own)
{
    struct colony_settings *settings = load("mine: {a: [1, 2]}\nx: 5\nlogs: 5\nhosts: []\n");

    assert_int_equal(colony_value_get(settings->source, "x")->type, VALUE_NUMBER);
    assert_null(colony_value_get(settings->source, "colony")); /* that is read, and freed */
    colony_settings_free(settings);
}

TEST(test_misspelt_sections_are_refused)
{
    assert_refused("proceses: {}",
                   ":1:1: cannot use the key `proceses`: did you mean `processes`?");
    assert_refused("htpp: {}", "did you mean `http`?");
    assert_refused("htp: {}", "did you mean `http`?");
    assert_refused("process: {}", "did you mean `processes`?");
    assert_refused("colny: {}", "did you mean `colony`?");
    assert_refused("users: {}", "put colony's own sections under `colony:`");
    assert_loads("colony: {}\nusers: {}\n");
}

TEST(test_sections_may_stand_under_colony)
{
    struct colony_settings *settings =
        load("colony:\n  http: {bind: none}\n  processes: {a: {cmd: x}}\n  events: ~\n"
             "http: mine\nevents: mine too\nlog: {level: error}\n");

    assert_string_equal(settings->http.bind[0], "none");
    assert_int_equal(settings->template_count, 1);
    assert_int_equal(settings->log_level, LOG_ERROR);
    colony_settings_free(settings);
    assert_refused("colony: 5", "must be a map of sections");
    assert_loads("colony:\n");
}

TEST(test_wrong_types_in_sections_are_refused)
{
    static const char *const bad[] = {
        "[]",
        "x",
        "http: 5",
        "http: []",
        "http: x",
        "http: {bind: 65536}",
        "http: {bind: [[]]}",
        "http: {bind: 'x'}",
        "http: {bind: ':80'}",
        "http: {bind: 'a:'}",
        "http: {bind: 'a:x'}",
        "http: {bind: 'a:65536'}",
        "http: {bind: '::1:80'}",
        "http: {bind: '[]:80'}",
        "http: {bind: '[::1]'}",
        "http: {bind: '[::1:80'}",
        "http: {bind: 'unix:'}",
        "http: {bind: [none, 'a:1']}",
        "http: {bind: ['a:1', none]}",
        "http: {bind: 'a:-1'}",
        "http: {bind: ''}",
        "http: {allow: {}}",
        "http: {allow: [yes]}",
        "http: {hosts: ['']}",
        "http: {cors_origins: [[]]}",
        "http: {insecure: 1}",
        "http: {max_header_bytes: 0}",
        "http: {max_header_bytes: -1}",
        "http: {max_header_bytes: 1G}",
        "http: {max_body_bytes: x}",
        "http: {max_body_bytes: .nan}",
        "http: {max_body_bytes: true}",
        "http: {request_timeout: x}",
        "http: {request_timeout: -1}",
        "http: {max_connections: 0}",
        "http: {max_connections: '5'}",
        "http: {max_connections: 1e30}",
        "log: debug",
        "log: {level: loud}",
        "log: {level: 5}",
        "log: {level: []}",
        "log: {format: xml}",
        "log: {file: ''}",
        "log: {file: 5}",
        "state: /x",
        "state: {directory: 5}",
        "state: {directory: []}",
        "name: 5",
        "name: []",
        "name: a/b",
        "name: ''",
        "user: 5",
        "user: []",
        "user: {}",
        "user: {name: 5}",
        "user: deploy-nobody",
        "user: {name: root, run_as: root}",
        "user: {name: root, run_as: [deploy-nobody]}",
        "user: {name: root, run_as: [{gid: 5}]}",
        "user: {name: root, run_as: [{uid: 0, x: 1}]}",
        "user: {name: root, run_as: [3999999999]}",
        "user: {name: root, allow: [all]}",
        "user: {name: root, allow: 5}",
        "user: {name: root, allow: {}}",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i], ":1:");
}

TEST(test_user_is_a_name_or_a_map)
{
    struct colony_settings *settings = load("user: root");

    assert_string_equal(settings->user.name, "root");
    assert_true(settings->user.engine.is_set);
    assert_int_equal(settings->user.engine.uid, 0);
    colony_settings_free(settings);
    settings = load("user:\n  name: daemon\n  run_as: [root, 1, {uid: 3, gid: 9, groups: [5, 6]}]\n"
                    "  allow: [nice, rlimits]\n");
    assert_string_equal(settings->user.name, "daemon");
    assert_int_equal(settings->user.engine.uid, 1);
    assert_int_equal(settings->user.identity_count, 3);
    assert_int_equal(settings->user.identities[1].uid, 1);
    assert_int_equal(settings->user.identities[2].gid, 9);
    assert_int_equal(settings->user.identities[2].group_count, 2);
    assert_true(settings->user.allow_nice);
    assert_true(settings->user.allow_rlimits);
    assert_false(settings->user.allow_oom_score_adj);
    colony_settings_free(settings);
}

TEST(test_user_is_taken_from_files_of_root_only)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (geteuid() != 0)
        skip();
    write_file("user: root");
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(colony_settings_load(&settings, path, &err), -EPERM);
    assert_non_null(strstr(err.message, ":1:1: cannot use section `user`"));
    assert_int_equal(chmod(path, 0646), 0);
    assert_int_equal(colony_settings_load(&settings, path, &err), -EPERM);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chown(path, 1, 0), 0);
    assert_int_equal(colony_settings_load(&settings, path, &err), -EPERM);
    write_file("colony: {user: root}");
    assert_int_equal(colony_settings_load(&settings, path, &err), -EPERM);
    assert_loads("name: x"); /* without the section the owner does not matter */
    assert_int_equal(chown(path, 0, 0), 0);
}

TEST(test_files_that_are_none_are_refused)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_settings_load(&settings, "/nonexistent", &err), -ENOENT);
    assert_int_equal(colony_settings_load(&settings, "/tmp", &err), -EISDIR);
    assert_int_equal(colony_settings_load(&settings, "/dev/zero", &err), -EFBIG);
    assert_int_equal(colony_settings_load(&settings, "/tmp", NULL), -EISDIR);
    assert_refused("a: *x", "alias");
    assert_refused("a: \xff", "UTF-8");
}

/* To JSON and back; the same JSON must come out of it. */
static struct colony_settings *round_trip(struct colony_settings *settings)
{
    struct colony_settings *again = NULL;
    struct colony_error err = {0};
    char *text = NULL;
    char *text_again = NULL;

    assert_int_equal(colony_settings_to_json(settings, &text), 0);
    if (colony_settings_parse_json(&again, text, strlen(text), &err) < 0)
        fail_msg("%s in %s", err.message, text);
    assert_int_equal(colony_settings_to_json(again, &text_again), 0);
    assert_string_equal(text, text_again);
    free(text);
    free(text_again);
    colony_settings_free(settings);
    return again;
}

TEST(test_settings_survive_the_way_to_the_engine)
{
    struct colony_settings *settings =
        load("name: here\nmine: [1.50, x]\nlog: {level: warning}\n"
             "http: {bind: 'a:1', request_timeout: 1.5}\n"
             "user: {name: daemon, run_as: [{uid: 3, gid: 9, groups: [5]}], allow: [nice]}\n"
             "processes:\n- {name: z, cmd: x, args: [022, yes, 1.10, 0x1F], env: {A: 1_000}}\n"
             "- {name: a, cmd: y, umask: 022, numprocesses: 0x10, uid: root}\n");
    uint64_t hash = settings->templates[0]->hash;
    uint64_t hash2 = settings->templates[1]->hash;

    settings = round_trip(settings);
    assert_string_equal(settings->name, "here");
    assert_int_equal(settings->log_level, LOG_WARNING);
    assert_string_equal(settings->http.bind[0], "a:1");
    assert_int_equal(settings->http.request_ms_max, 1500);
    assert_string_equal(settings->user.name, "daemon");
    assert_int_equal(settings->user.engine.uid, 1);
    assert_int_equal(settings->user.identities[0].gid, 9);
    assert_int_equal(settings->user.identities[0].groups[0], 5);
    assert_true(settings->user.allow_nice);
    assert_string_equal(settings->templates[0]->name, "z");
    assert_true(settings->templates[0]->hash == hash);
    assert_string_equal(settings->templates[0]->argv[1], "022");
    assert_string_equal(settings->templates[0]->argv[2], "yes");
    assert_string_equal(settings->templates[0]->argv[3], "1.10");
    assert_string_equal(settings->templates[0]->argv[4], "0x1F");
    assert_string_equal(settings->templates[0]->env[0], "A=1_000");
    assert_int_equal(settings->templates[1]->umask, 022);
    assert_int_equal(settings->templates[1]->numprocesses, 16);
    assert_true(settings->templates[1]->hash == hash2);
    assert_string_equal(colony_value_get(settings->source, "mine")->child->text, "1.50");
    colony_settings_free(settings);
}

TEST(test_what_the_command_line_changed_survives)
{
    struct colony_settings *settings = load("http: {bind: ['a:1', 'b:2']}\nname: x\n");

    free(settings->http.bind[1]);
    settings->http.bind[1] = NULL;
    free(settings->name);
    settings->name = strdup("y");
    settings->state_dir = strdup("/s");
    settings->log_file = strdup("/l");
    settings->log_level = LOG_DEBUG;
    settings->log_format = LOG_FORMAT_JSON;
    settings->user.name = strdup("root");
    settings = round_trip(settings);
    assert_string_equal(settings->http.bind[0], "a:1");
    assert_null(settings->http.bind[1]);
    assert_string_equal(settings->name, "y");
    assert_string_equal(settings->state_dir, "/s");
    assert_string_equal(settings->log_file, "/l");
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_int_equal(settings->log_format, LOG_FORMAT_JSON);
    assert_string_equal(settings->user.name, "root");
    colony_settings_free(settings);
}

TEST(test_the_users_keys_stay_the_users)
{
    struct colony_settings *settings =
        load("colony: {http: {bind: none}, rpc: ~}\nhttp: 5\nrpc: [1]\nusers: x\nname: n\n");

    settings = round_trip(round_trip(settings));
    assert_string_equal(settings->http.bind[0], "none");
    assert_int_equal(colony_value_get(settings->source, "http")->type, VALUE_NUMBER);
    assert_int_equal(colony_value_get(settings->source, "rpc")->type, VALUE_LIST);
    assert_non_null(colony_value_get(settings->source, "users"));
    assert_null(colony_value_get(settings->source, "name"));
    assert_string_equal(settings->name, "n");
    colony_settings_free(settings);
}

TEST(test_settings_from_nothing_survive)
{
    struct colony_settings *settings = NULL;

    assert_int_equal(colony_settings_new(&settings, NULL), 0);
    settings = round_trip(settings);
    assert_string_equal(settings->name, "colony");
    assert_null(settings->http.bind[0]);
    colony_settings_free(settings);
}

TEST(test_bad_json_settings_are_refused)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_settings_parse_json(&settings, "{", 1, &err), -EBADMSG);
    assert_int_equal(colony_settings_parse_json(&settings, "[]", 2, &err), -EINVAL);
    assert_int_equal(colony_settings_parse_json(&settings, "{\"http\": 5}", 11, &err), -EINVAL);
    assert_string_equal(err.message, "cannot use `http`: it must be a map of settings");
    assert_null(settings);
}

TEST(test_durations_are_parsed)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"0", 0},      {"500ms", 500},    {"5s", 5000},         {"5", 5000},
                {"1.5", 1500}, {"2m", 120000},    {"1h", 3600000},      {"1d", 86400000},
                {".5s", 500},  {"0.25h", 900000}, {"1.2345678s", 1234}, {"5S", 5000},
                {"007", 7000}, {"5.", 5000}};
    static const char *const bad[] = {"",
                                      ".",
                                      "s",
                                      "-1",
                                      "+1",
                                      "1x",
                                      "5 s",
                                      " 5",
                                      "5s ",
                                      "1e3",
                                      "nan",
                                      "inf",
                                      "0x10",
                                      "1.2.3",
                                      "0.5ms",
                                      "1w",
                                      "99999999999999999999",
                                      "40000d",
                                      "9223372036854775807"};
    uint64_t ms;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(colony_settings_parse_duration(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(colony_settings_parse_duration(bad[i], &ms), -EINVAL);
}

TEST(test_sizes_are_parsed)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"64", 64},
                {"64B", 64},
                {"64k", 65536},
                {"1K", 1024},
                {"64MiB", 67108864},
                {"1GB", 1 << 30},
                {"1.5g", 1610612736},
                {"2t", 2ULL << 40},
                {"0.5kib", 512},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      ".",
                                      "k",
                                      "-1",
                                      "1.5",
                                      "1.5b",
                                      "1 k",
                                      "1x",
                                      "1kk",
                                      "1e3",
                                      "0x1",
                                      "18446744073709551616",
                                      "99999999999t",
                                      "nan"};
    uint64_t bytes;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(colony_settings_parse_size(good[i].text, &bytes), 0);
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(colony_settings_parse_size(bad[i], &bytes), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_begin_with_their_defaults),
        cmocka_unit_test(test_every_section_is_read),
        cmocka_unit_test(test_processes_may_be_a_list),
        cmocka_unit_test(test_one_name_twice_is_refused),
        cmocka_unit_test(test_faults_of_templates_have_their_place),
        cmocka_unit_test(test_unknown_keys_of_sections_name_the_nearest),
        cmocka_unit_test(test_sections_of_later_versions_are_refused),
        cmocka_unit_test(test_other_keys_are_the_users_own),
        cmocka_unit_test(test_misspelt_sections_are_refused),
        cmocka_unit_test(test_sections_may_stand_under_colony),
        cmocka_unit_test(test_wrong_types_in_sections_are_refused),
        cmocka_unit_test(test_user_is_a_name_or_a_map),
        cmocka_unit_test(test_user_is_taken_from_files_of_root_only),
        cmocka_unit_test(test_files_that_are_none_are_refused),
        cmocka_unit_test(test_settings_survive_the_way_to_the_engine),
        cmocka_unit_test(test_what_the_command_line_changed_survives),
        cmocka_unit_test(test_the_users_keys_stay_the_users),
        cmocka_unit_test(test_settings_from_nothing_survive),
        cmocka_unit_test(test_bad_json_settings_are_refused),
        cmocka_unit_test(test_durations_are_parsed),
        cmocka_unit_test(test_sizes_are_parsed),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
