/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/settings.h"

static char path[] = "/tmp/colony-test-XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int try_load(const char *text, struct colony_settings **out, struct colony_error *err)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return colony_settings_load(out, path, err);
}

static struct colony_settings *load(const char *text)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (try_load(text, &settings, &err) < 0)
        fail_msg("%s", err.message);
    return settings;
}

static struct colony_settings *copy_by_json(const struct colony_settings *settings)
{
    struct colony_settings *copy = NULL;
    struct colony_error err = {0};
    char *text = NULL;

    assert_int_equal(colony_settings_to_json(settings, &text), 0);
    if (colony_settings_parse_json(&copy, text, strlen(text), &err) < 0)
        fail_msg("%s", err.message);
    free(text);
    return copy;
}

static void assert_refused(const char *text, int code, const char *message)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(try_load(text, &settings, &err), code);
    assert_null(settings);
    if (strncmp(err.message, path, strlen(path)) != 0 || !strstr(err.message, message))
        fail_msg("`%s` is not in `%s`", message, err.message);
}

TEST(test_each_load_has_an_id_that_stays)
{
    struct colony_settings *first = load("name: a");
    struct colony_settings *second = load("name: a");
    struct colony_settings *copy = copy_by_json(first);

    assert_true(first->load_id != 0 && first->load_id != second->load_id);
    assert_true(copy->load_id == first->load_id);
    colony_settings_free(copy);
    colony_settings_free(first);
    colony_settings_free(second);
}

TEST(test_settings_of_an_older_colony_have_no_id)
{
    static const char text[] = "{\"colony\": {\"name\": \"a\"}}";
    struct colony_settings *settings = NULL;

    assert_int_equal(colony_settings_parse_json(&settings, text, strlen(text), NULL), 0);
    assert_true(settings->load_id == 0);
    assert_string_equal(settings->name, "a");
    colony_settings_free(settings);
}

TEST(test_a_key_load_id_is_the_users_own)
{
    struct colony_settings *settings = load("load_id: 5");
    struct colony_settings *copy = copy_by_json(settings);

    assert_true(copy->load_id == settings->load_id && copy->load_id != 5);
    colony_settings_free(copy);
    colony_settings_free(settings);
    assert_refused("colony: {load_id: 5}", -EINVAL, "cannot use the key `load_id`");
}

TEST(test_exit_with_names_a_template)
{
    struct colony_settings *settings = load("exit_with: web\nprocesses: {web: {cmd: x}}\n");
    struct colony_settings *copy = copy_by_json(settings);

    assert_string_equal(copy->exit_with, "web");
    colony_settings_free(copy);
    colony_settings_free(settings);
    assert_refused("exit_with: wbe\nprocesses: {web: {cmd: x}}\n", -ENOENT,
                   ":1:1: cannot end with `wbe`: there is no such process, did you mean `web`?");
    assert_refused("exit_with: zzzzzz\nprocesses: {web: {cmd: x}}\n", -ENOENT,
                   "cannot end with `zzzzzz`: there is no such process");
    assert_refused("exit_with: 5", -EINVAL, "cannot use `exit_with`: it must be the name");
    assert_refused("exit_with: [web]", -EINVAL, "cannot use `exit_with`");
}

TEST(test_exit_with_can_be_set_later)
{
    struct colony_settings *settings = load("exit_with: a\nprocesses: {a: {cmd: x}, b: {cmd: y}}");
    struct colony_error err = {0};

    assert_int_equal(colony_settings_set_exit_with(settings, "c", &err), -ENOENT);
    assert_string_equal(settings->exit_with, "a");
    assert_int_equal(colony_settings_set_exit_with(settings, "b", &err), 0);
    assert_string_equal(settings->exit_with, "b");
    colony_settings_free(settings);
}

TEST(test_unknown_keys_of_an_ini_files_processes_survive)
{
    static char ini[] = "/tmp/colony-test-XXXXXX.ini";
    struct colony_settings *settings = NULL;
    struct colony_settings *copy;
    struct colony_error err = {0};
    int fd = mkstemps(ini, 4);

    assert_true(fd >= 0 && write(fd, "[process:a]\ncmd=x\nmine=1\n", 25) == 25);
    assert_int_equal(close(fd), 0);
    if (colony_settings_load(&settings, ini, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(unlink(ini), 0);
    copy = copy_by_json(settings);
    assert_true(copy->templates[0]->hash == settings->templates[0]->hash);
    colony_settings_free(copy);
    colony_settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_load_has_an_id_that_stays),
        cmocka_unit_test(test_settings_of_an_older_colony_have_no_id),
        cmocka_unit_test(test_a_key_load_id_is_the_users_own),
        cmocka_unit_test(test_exit_with_names_a_template),
        cmocka_unit_test(test_exit_with_can_be_set_later),
        cmocka_unit_test(test_unknown_keys_of_an_ini_files_processes_survive),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
