/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/settings_internal.h"

enum {
    MANY = 10000,
};

static char folder[] = "/tmp/colony-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    return chdir(folder);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    if (chdir("/") < 0)
        return -1;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0)
            assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
}

/* Writes a file below the test's folder, and makes the folders it is in. */
static void write_file(const char *path, const char *text)
{
    char copy[256];
    FILE *file;

    (void)snprintf(copy, sizeof copy, "%s", path);
    make_parents(copy);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct colony_settings *load(const char *path)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (colony__settings_load(&settings, path, "etc", &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

/* The names of the templates of @path, with a space between each two. */
static void assert_loads(const char *path, const char *names)
{
    struct colony_settings *settings = load(path);
    char text[512] = "";

    for (size_t i = 0; i < settings->template_count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                       settings->templates[i]->name);
    assert_string_equal(text, names);
    colony_settings_free(settings);
}

static void assert_refused(const char *path, int code, const char *message)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony__settings_load(&settings, path, "etc", &err), code);
    assert_null(settings);
    if (!strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
    assert_int_equal(colony__settings_load(&settings, path, "etc", NULL), code);
}

TEST(test_a_file_a_pattern_a_folder_and_a_list_are_included)
{
    write_file("sub/a.yaml", "processes: {a: {cmd: x}}");
    write_file("sub/c.yml", "processes: [{name: c, cmd: x}]");
    write_file("sub/b.ini", "[process:b]\ncmd = x\n");
    write_file("sub/.hidden.yaml", "nonsense");
    write_file("sub/README", "nonsense");
    write_file("sub/a.yaml~", "nonsense");
    assert_int_equal(mkdir("sub/d.yaml", 0755), 0);
    assert_int_equal(mkfifo("sub/e.yaml", 0600), 0);
    write_file("main.yaml", "include: sub/a.yaml\nprocesses: {m: {cmd: x}}");
    assert_loads("main.yaml", "m a");
    write_file("main.yaml", "include: sub\nprocesses: {m: {cmd: x}}");
    assert_loads("main.yaml", "m a b c");
    write_file("main.yaml", "include: sub/*.y*ml\n");
    assert_loads("main.yaml", "a c");
    write_file("main.yaml", "include: [sub/c.yml, 'sub/[ab].*[!~]']\n");
    assert_loads("main.yaml", "c a b");
    write_file("main.yaml", "colony: {include: sub/a.yaml}\ninclude: mine\n");
    assert_loads("main.yaml", "a");
    write_file("main.yaml", "include:\n");
    assert_loads("main.yaml", "");
}

TEST(test_ini_and_yaml_include_each_other)
{
    write_file("a.ini", "[gaffer]\ninclude = b.yaml\n[process:a]\ncmd=x\nmine=1\n");
    write_file("b.yaml", "include: c.ini\nprocesses: {b: {cmd: x}}");
    write_file("c.ini", "[gaffer]\ninclude_dir = sub\n[process:c]\ncmd=x\n");
    write_file("sub/d.yaml", "processes: {d: {cmd: x}}");
    assert_loads("a.ini", "a b c d");
    /* What an INI file's processes may have, others may not. */
    write_file("b.yaml", "processes: {b: {cmd: x, mine: 1}}");
    assert_refused("a.ini", -EINVAL, "b.yaml:1:25: cannot use the key `mine`");
}

TEST(test_paths_start_at_the_folder_of_the_file_that_includes)
{
    char path[256];

    write_file("sub/a.yaml", "include: b.yaml");
    write_file("sub/b.yaml", "processes: {b: {cmd: x}}");
    write_file("main.yaml", "include: ./sub/a.yaml");
    assert_loads("main.yaml", "b");
    (void)snprintf(path, sizeof path, "%s/main.yaml", folder);
    assert_loads(path, "b");
    (void)snprintf(path, sizeof path, "include: %s/sub/b.yaml", folder);
    write_file("main.yaml", path);
    assert_loads("main.yaml", "b");
}

TEST(test_a_file_that_is_reached_twice_is_read_once)
{
    write_file("a.yaml", "include: common.yaml");
    write_file("common.yaml", "processes: {c: {cmd: x}}");
    write_file("main.yaml", "include: [common.yaml, a.yaml, ./common.yaml, 'comm*']");
    assert_loads("main.yaml", "c");
}

TEST(test_what_two_files_say_is_refused_with_both_places)
{
    write_file("b.yaml", "\nprocesses: {a: {cmd: x}}");
    write_file("main.yaml", "include: b.yaml\nprocesses:\n- {name: a, cmd: x}");
    assert_refused("main.yaml", -EINVAL,
                   "b.yaml:2:13: cannot use the name `a` twice: it is in main.yaml:3 already");
    write_file("b.yaml", "http: {bind: none}");
    write_file("main.yaml", "include: b.yaml\nhttp: {bind: none}");
    assert_refused("main.yaml", -EINVAL,
                   "b.yaml:1:1: cannot use the section `http` twice: it is in main.yaml:2 already");
    write_file("main.yaml", "include: b.yaml\ncolony: {http: {bind: none}}");
    assert_refused("main.yaml", -EINVAL, "b.yaml:1:1: cannot use the section `http` twice");
    write_file("b.yaml", "mine: 1");
    write_file("main.yaml", "mine: 2\ninclude: b.yaml");
    assert_refused("main.yaml", -EINVAL,
                   "b.yaml:1:1: cannot use the key `mine` twice: it is in main.yaml:1 already");
}

TEST(test_sections_of_several_files_are_one)
{
    struct colony_settings *settings;

    write_file("b.yaml", "log: {level: debug}\nmine: 1\n");
    write_file("c.ini", "[gaffer]\nhttp_endpoints=x\n[endpoint:x]\nbind=unix:/x\n[other]\n");
    write_file("main.yaml", "include: [b.yaml, c.ini]\nname: n\nhis: 1\n");
    settings = load("main.yaml");
    assert_string_equal(settings->name, "n");
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_string_equal(settings->http.bind[0], "unix:/x");
    assert_int_equal(settings->file_count, 3);
    assert_string_equal(settings->files[2].path, "c.ini");
    assert_true(settings->files[2].is_ini && !settings->files[1].is_ini);
    colony_settings_free(settings);
}

TEST(test_faults_name_the_file_they_are_in)
{
    write_file("b.yaml", "processes:\n  b: {cdm: x}\n");
    write_file("main.yaml", "include: b.yaml\nprocesses: {a: {cmd: x}}");
    assert_refused("main.yaml", -EINVAL, "b.yaml:2:7: cannot use the key `cdm`");
    write_file("b.yaml", "log: {level: loud}");
    assert_refused("main.yaml", -EINVAL, "b.yaml:1:7: cannot use `level`");
    write_file("b.yaml", "procesess: {}");
    assert_refused("main.yaml", -EINVAL, "b.yaml:1:1: cannot use the key `procesess`");
    write_file("b.yaml", "[1, 2]");
    assert_refused("main.yaml", -EINVAL, "b.yaml:1:1: cannot use these settings");
    write_file("b.yaml", "{");
    assert_refused("main.yaml", -EINVAL, "b.yaml:2:1: cannot read this YAML");
    write_file("b.yaml", "a: \xff");
    assert_refused("main.yaml", -EINVAL, "b.yaml:1:4: cannot read this YAML: it is not UTF-8");
    write_file("b.ini", "[process:b]\ncmd=x\nnumprocesses=many\n");
    write_file("main.yaml", "include: b.ini");
    assert_refused("main.yaml", -EINVAL, "b.ini:3:1: cannot use `numprocesses`");
}

TEST(test_byte_order_marks_and_crlf_are_fine_in_yaml)
{
    write_file("main.yaml", "\xef\xbb\xbfprocesses:\r\n  a:\r\n    cmd: x\r\n");
    assert_loads("main.yaml", "a");
}

TEST(test_what_cannot_be_included_is_refused_where_it_is_asked_for)
{
    write_file("main.yaml", "\ninclude: [none.yaml]");
    assert_refused("main.yaml", -ENOENT, "main.yaml:2:11: cannot open none.yaml: No such file");
    write_file("main.yaml", "include: none/*.yaml");
    assert_loads("main.yaml", "");
    write_file("main.yaml", "include: {a: b}");
    assert_refused("main.yaml", -EINVAL, "main.yaml:1:1: cannot use `include`: it must be a path");
    write_file("main.yaml", "include: [[a]]");
    assert_refused("main.yaml", -EINVAL, "cannot use `include`");
    write_file("main.yaml", "include: ''");
    assert_refused("main.yaml", -EINVAL, "cannot use `include`");
    assert_refused(folder, -EISDIR, "it is a folder; give a file");
    assert_refused("none.yaml", -ENOENT, "cannot open none.yaml");
}

TEST(test_cycles_are_spelled_out)
{
    write_file("a.yaml", "include: a.yaml");
    assert_refused("a.yaml", -ELOOP, "a.yaml:1:1: cannot include a.yaml: a.yaml → a.yaml");
    write_file("a.yaml", "include: sub/b.ini");
    write_file("sub/b.ini", "[gaffer]\ninclude = c.yaml\n");
    write_file("sub/c.yaml", "include: ../a.yaml");
    assert_refused("a.yaml", -ELOOP,
                   "cannot include a.yaml: a.yaml → sub/b.ini → sub/c.yaml → "
                   "a.yaml");
    write_file("sub/c.yaml", "include: '*'");
    assert_refused("a.yaml", -ELOOP,
                   "cannot include sub/b.ini: sub/b.ini → sub/c.yaml → sub/b.ini");
}

TEST(test_depth_has_a_limit)
{
    char path[32];
    char text[64];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(path, sizeof path, "%d.yaml", i);
        (void)snprintf(text, sizeof text, "include: %d.yaml", i + 1);
        write_file(path, i == 19 ? "processes: {a: {cmd: x}}" : text);
    }
    assert_refused("0.yaml", -EINVAL, "15.yaml:1:1: cannot include this: more than 16 files");
    assert_loads("4.yaml", "a");
}

TEST(test_conf_d_belongs_to_the_systems_file)
{
    assert_false(colony__settings_has_default("etc"));
    write_file("etc/colony.yaml", "processes: {a: {cmd: x}}");
    assert_true(colony__settings_has_default("etc"));
    assert_loads("etc/colony.yaml", "a");
    write_file("etc/conf.d/c.yaml", "processes: {c: {cmd: x}}");
    write_file("etc/conf.d/b.ini", "[process:b]\ncmd=x\n");
    assert_loads("etc/colony.yaml", "a b c");
    assert_loads("./etc/../etc/colony.yaml", "a b c");
    write_file("etc/other.yaml", "processes: {o: {cmd: x}}");
    assert_loads("etc/other.yaml", "o");
    write_file("etc/colony.yaml", "include: conf.d");
    assert_loads("etc/colony.yaml", "b c");
    assert_int_equal(unlink("etc/colony.yaml"), 0);
    assert_true(colony__settings_has_default("etc"));
    assert_loads("etc/colony.yaml", "b c");
}

TEST(test_user_is_taken_only_when_all_files_are_roots)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    write_file("b.yaml", "processes: {a: {cmd: x}}");
    write_file("main.yaml", "user: root\ninclude: b.yaml");
    if (geteuid() != 0)
        skip();
    assert_loads("main.yaml", "a");
    assert_int_equal(chmod("b.yaml", 0666), 0);
    assert_refused("main.yaml", -EPERM,
                   "main.yaml:1:1: cannot use section `user`: b.yaml must belong to root");
    assert_int_equal(chmod("b.yaml", 0644), 0);
    assert_int_equal(chown("b.yaml", 65534, 65534), 0);
    assert_int_equal(colony_settings_load(&settings, "main.yaml", &err), -EPERM);
    write_file("main.yaml", "include: b.yaml");
    assert_loads("main.yaml", "a");
}

static void write_many(const char *path, const char *before, const char *after)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    (void)fputs("processes:\n", file);
    for (int i = 0; i < MANY; i++)
        (void)fprintf(file, "%s%d%s", before, i, after);
    assert_int_equal(fclose(file), 0);
}

TEST(test_ten_thousand_templates_are_loaded_at_once)
{
    struct colony_settings *settings;
    clock_t begin;

    write_many("main.yaml", "  t", ": {cmd: sleep 5, env: {A: b}}\n");
    begin = clock();
    settings = load("main.yaml");
    assert_int_equal(settings->template_count, MANY);
    assert_true(clock() - begin < 3 * CLOCKS_PER_SEC); /* 0.2 s; sanitizers are slower */
    colony_settings_free(settings);
    write_many("b.yaml", "- {name: t", ", cmd: x}\n");
    write_file("main.yaml", "include: b.yaml\nprocesses: {t9999: {cmd: x}}");
    assert_refused("main.yaml", -EINVAL, "b.yaml:10001:3: cannot use the name `t9999` twice");
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_a_file_a_pattern_a_folder_and_a_list_are_included),
        IN_FOLDER(test_ini_and_yaml_include_each_other),
        IN_FOLDER(test_paths_start_at_the_folder_of_the_file_that_includes),
        IN_FOLDER(test_a_file_that_is_reached_twice_is_read_once),
        IN_FOLDER(test_what_two_files_say_is_refused_with_both_places),
        IN_FOLDER(test_sections_of_several_files_are_one),
        IN_FOLDER(test_faults_name_the_file_they_are_in),
        IN_FOLDER(test_byte_order_marks_and_crlf_are_fine_in_yaml),
        IN_FOLDER(test_what_cannot_be_included_is_refused_where_it_is_asked_for),
        IN_FOLDER(test_cycles_are_spelled_out),
        IN_FOLDER(test_depth_has_a_limit),
        IN_FOLDER(test_conf_d_belongs_to_the_systems_file),
        IN_FOLDER(test_user_is_taken_only_when_all_files_are_roots),
        IN_FOLDER(test_ten_thousand_templates_are_loaded_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
