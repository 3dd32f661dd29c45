/* SPDX-License-Identifier: Apache-2.0 */
/* Where a workspace is, its layout and its lock. */
#include "spaces.h"

#include <errno.h>

static bool is_private(struct space *space, const char *path)
{
    struct stat info;

    return fstatat(space->scratch.fd, path, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           (info.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

TEST(test_the_layout_is_private)
{
    static const char *const folders[] = {"bin", "db",  "err", "etc",
                                          "fp",  "out", "pid", COLONY_WORKSPACE_STATE};
    struct space space;

    space_init(&space);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        assert_true(is_private(&space, folders[i]));
    assert_int_equal(space_put(&space, "yellow-panda", "nap", "5"), 0);
    assert_true(is_private(&space, "db/session.db"));
    assert_true(is_private(&space, "etc/nap.yaml"));
    space_clear(&space);
}

TEST(test_init_again_adds_what_is_missing_and_overwrites_nothing)
{
    struct space space;
    size_t added;

    space_init(&space);
    assert_int_equal(colony_workspace_add_file(space.workspace, "bin/x", "one", false, &space.err),
                     1);
    assert_int_equal(colony_workspace_add_file(space.workspace, "bin/x", "two", false, &space.err),
                     0);
    assert_string_equal(space_read(&space, "bin/x"), "one");
    assert_int_equal(unlinkat(space.scratch.fd, "fp", AT_REMOVEDIR), 0);
    assert_int_equal(colony_workspace_init(space.scratch.path, &added, &space.err), 0);
    assert_int_equal(added, 1);
    assert_true(space_has(&space, "fp"));
    assert_int_equal(colony_workspace_init(space.scratch.path, &added, &space.err), 0);
    assert_int_equal(added, 0);
    space_clear(&space);
}

TEST(test_it_is_found_from_below)
{
    struct colony_workspace *found = NULL;
    struct space space;
    char below[128];

    space_init(&space);
    (void)unsetenv("COLONY_SESSION");
    (void)snprintf(below, sizeof below, "%s/out/deep", space.scratch.path);
    assert_int_equal(mkdir(below, 0700), 0);
    assert_int_equal(chdir(below), 0);
    assert_int_equal(colony_workspace_open(&found, NULL, &space.err), 0);
    assert_string_equal(colony_workspace_path(found), space.scratch.path);
    colony_workspace_close(found);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(colony_workspace_open(&found, NULL, &space.err), -ENOENT);
    assert_non_null(strstr(space.err.message, "is in no workspace"));
    assert_int_equal(setenv("COLONY_SESSION", space.scratch.path, 1), 0);
    assert_int_equal(colony_workspace_open(&found, NULL, &space.err), 0);
    colony_workspace_close(found);
    assert_int_equal(unsetenv("COLONY_SESSION"), 0);
    space_clear(&space);
}

TEST(test_a_folder_that_is_none_is_told)
{
    struct colony_workspace *found = NULL;
    struct colony_error err;
    struct scratch scratch;

    scratch_init(&scratch);
    assert_int_equal(colony_workspace_open(&found, scratch.path, &err), -ENOENT);
    assert_non_null(strstr(err.message, "is no workspace"));
    assert_int_equal(colony_workspace_open(&found, "/nonexistent/x", &err), -ENOENT);
    scratch_clear(&scratch);
}

FOLDER_TEST(test_somebody_elses_is_refused)
{
    struct colony_workspace *found = NULL;
    struct colony_error err;
    size_t added;

    CHECK(colony_workspace_init(data, &added, &err) == 0);
    if (geteuid() != 0)
        skip_in_child("that takes root");
    CHECK(chown(data, NOBODY, NOBODY) == 0);
    CHECK(colony_workspace_open(&found, data, &err) == -EPERM);
    CHECK(strstr(err.message, "belongs to user 65534"));
}

TEST(test_a_link_in_place_of_a_folder_is_refused)
{
    struct colony_workspace *found = NULL;
    struct space space;

    space_init(&space);
    assert_int_equal(unlinkat(space.scratch.fd, "fp", AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("/tmp", space.scratch.fd, "fp"), 0);
    assert_int_equal(colony_workspace_open(&found, space.scratch.path, &space.err), -ENOTDIR);
    assert_int_equal(unlinkat(space.scratch.fd, "fp", 0), 0);
    space_clear(&space);
}

TEST(test_one_holds_the_lock_and_is_told_to_who_waits)
{
    struct colony_workspace *other = NULL;
    struct space space;
    char pid[32];

    space_init(&space);
    assert_int_equal(colony_workspace_open(&other, space.scratch.path, &space.err), 0);
    assert_int_equal(colony_workspace_lock(space.workspace, 0, &space.err), 0);
    assert_int_equal(colony_workspace_lock(space.workspace, 0, &space.err), 0);
    assert_int_equal(colony_workspace_lock(other, 20, &space.err), -EBUSY);
    (void)snprintf(pid, sizeof pid, "pid %ld ", (long)getpid());
    assert_non_null(strstr(space.err.message, pid));
    colony_workspace_unlock(space.workspace);
    assert_int_equal(colony_workspace_lock(other, 0, &space.err), -EBUSY);
    colony_workspace_unlock(space.workspace);
    assert_int_equal(colony_workspace_lock(other, 0, &space.err), 0);
    colony_workspace_close(other);
    assert_int_equal(colony_workspace_lock(space.workspace, 0, &space.err), 0);
    space_clear(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_layout_is_private),
        cmocka_unit_test(test_init_again_adds_what_is_missing_and_overwrites_nothing),
        cmocka_unit_test(test_it_is_found_from_below),
        cmocka_unit_test(test_a_folder_that_is_none_is_told),
        cmocka_unit_test(test_somebody_elses_is_refused),
        cmocka_unit_test(test_a_link_in_place_of_a_folder_is_refused),
        cmocka_unit_test(test_one_holds_the_lock_and_is_told_to_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
