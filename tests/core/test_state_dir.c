/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/state_dir.h"

enum {
    SOMEBODY = 65534,
};

static char folder[] = "/tmp/colony-test-XXXXXX";
static struct colony_state_dir opened;

static int open_folder(void **state)
{
    struct colony_error err;

    (void)state;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    if (!mkdtemp(folder) || colony_state_dir_open(&opened, folder, &err) < 0)
        return -1;
    return colony_state_dir_make_engines(&opened, geteuid(), getegid(), &err);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static int close_folder(void **state)
{
    (void)state;
    colony_state_dir_close(&opened);
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_folder(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct colony_settings *make_settings(const char *name)
{
    struct colony_settings *settings = NULL;

    assert_int_equal(colony_settings_new(&settings, NULL), 0);
    free(settings->name);
    settings->name = strdup(name);
    assert_non_null(settings->name);
    return settings;
}

static void save(const char *name)
{
    struct colony_settings *settings = make_settings(name);
    struct colony_error err = {0};

    if (colony_state_dir_save_settings(&opened, settings, false, 0, &err) < 0)
        fail_msg("%s", err.message);
    colony_settings_free(settings);
}

static void save_reloaded(const char *name)
{
    struct colony_settings *settings = make_settings(name);
    struct colony_error err = {0};

    if (colony_state_dir_save_reloaded(folder, settings, &err) < 0)
        fail_msg("%s", err.message);
    colony_settings_free(settings);
}

static void assert_loads(const char *name)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    if (colony_state_dir_load_settings(folder, &settings, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(settings->name, name);
    colony_settings_free(settings);
}

static void write_reloaded(const char *text)
{
    FILE *file = fopen(in_folder("engine/settings.json"), "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

TEST(test_the_engine_has_folders_of_its_own)
{
    static const char *const names[] = {"log", "engine"};
    struct colony_error err;
    struct stat info;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(stat(in_folder(names[i]), &info), 0);
        assert_int_equal(info.st_mode & 07777, 0700);
        assert_int_equal(info.st_uid, geteuid());
    }
    if (geteuid() != 0)
        return;
    assert_int_equal(colony_state_dir_make_engines(&opened, SOMEBODY, SOMEBODY, &err), 0);
    assert_int_equal(stat(in_folder("engine"), &info), 0);
    assert_int_equal(info.st_uid, SOMEBODY);
}

TEST(test_what_a_reload_applied_comes_first_until_serve_starts_anew)
{
    struct stat info;

    save("first");
    assert_loads("first");
    save_reloaded("second");
    save_reloaded("third");
    assert_loads("third");
    assert_int_equal(stat(in_folder("engine/settings.json"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(access(in_folder("engine/settings.json.new"), F_OK), -1);
    save("fourth");
    assert_int_equal(access(in_folder("engine/settings.json"), F_OK), -1);
    assert_loads("fourth");
}

TEST(test_a_reload_that_is_not_sound_is_passed_over)
{
    save("first");
    write_reloaded("{\"colony\": {\"na");
    assert_loads("first");
    write_reloaded("");
    assert_loads("first");
    assert_int_equal(unlink(in_folder("engine/settings.json")), 0);
    assert_int_equal(symlink("../settings.json", in_folder("engine/settings.json")), 0);
    assert_loads("first");
    assert_int_equal(unlink(in_folder("engine/settings.json")), 0);
    assert_int_equal(mkfifo(in_folder("engine/settings.json"), 0600), 0);
    assert_loads("first"); /* and does not wait for somebody to write */
}

TEST(test_root_trusts_what_is_roots_only)
{
    if (geteuid() != 0)
        skip();
    save("first");
    save_reloaded("second");
    assert_int_equal(chown(in_folder("engine/settings.json"), SOMEBODY, SOMEBODY), 0);
    assert_loads("first");
    /* The engine's user does, in a folder of its own. */
    assert_int_equal(chown(in_folder("engine"), SOMEBODY, SOMEBODY), 0);
    assert_int_equal(chmod(folder, 0711), 0);
    assert_int_equal(seteuid(SOMEBODY), 0);
    assert_loads("second");
    save_reloaded("third");
    assert_loads("third");
    assert_int_equal(seteuid(0), 0);
    assert_loads("first");
    assert_int_equal(chown(in_folder("engine/settings.json"), 0, 0), 0);
    assert_loads("third");
}

TEST(test_a_link_in_place_of_the_folder_is_not_followed)
{
    struct colony_settings *settings = make_settings("x");
    struct colony_error err = {0};

    assert_int_equal(rmdir(in_folder("engine")), 0);
    assert_int_equal(symlink("log", in_folder("engine")), 0);
    assert_true(colony_state_dir_save_reloaded(folder, settings, &err) < 0);
    assert_int_equal(strncmp(err.message, "cannot open /tmp/colony-test-", 29), 0);
    assert_int_equal(unlink(in_folder("engine")), 0);
    assert_int_equal(colony_state_dir_save_reloaded(folder, settings, &err), -ENOENT);
    colony_settings_free(settings);
}

TEST(test_without_any_settings_it_says_which_are_missing)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_state_dir_load_settings(folder, &settings, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/settings.json: No such file"));
    assert_null(settings);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_the_engine_has_folders_of_its_own),
        IN_FOLDER(test_what_a_reload_applied_comes_first_until_serve_starts_anew),
        IN_FOLDER(test_a_reload_that_is_not_sound_is_passed_over),
        IN_FOLDER(test_root_trusts_what_is_roots_only),
        IN_FOLDER(test_a_link_in_place_of_the_folder_is_not_followed),
        IN_FOLDER(test_without_any_settings_it_says_which_are_missing),
    };

    colony_log_init("test", SEVERITY_ERROR, LOG_STYLE_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
