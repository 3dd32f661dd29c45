/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/paths.h"

/* Which rule holds depends on who runs the test; both are looked at when CI runs it as both. */
TEST(test_root_has_the_system_paths)
{
    char path[256];

    if (geteuid() != 0)
        skip();
    assert_int_equal(colony_default_socket(path, sizeof path), 0);
    assert_string_equal(path, COLONY_SYSTEM_SOCKET);
    assert_int_equal(colony_default_state_dir(path, sizeof path), 0);
    assert_string_equal(path, "/var/lib/colony");
}

TEST(test_a_user_has_paths_from_the_environment)
{
    char path[256];

    if (geteuid() == 0)
        skip();
    (void)setenv("XDG_RUNTIME_DIR", "/run/x", 1);
    assert_int_equal(colony_default_socket(path, sizeof path), 0);
    assert_string_equal(path, "/run/x/colony/colony.sock");
    (void)setenv("XDG_STATE_HOME", "/x/state", 1);
    assert_int_equal(colony_default_state_dir(path, sizeof path), 0);
    assert_string_equal(path, "/x/state/colony");
    (void)setenv("XDG_STATE_HOME", "relative", 1);
    (void)setenv("HOME", "/x", 1);
    assert_int_equal(colony_default_state_dir(path, sizeof path), 0);
    assert_string_equal(path, "/x/.local/state/colony");
}

TEST(test_a_user_without_a_home_is_told)
{
    char path[256];

    if (geteuid() == 0)
        skip();
    (void)unsetenv("XDG_STATE_HOME");
    (void)unsetenv("HOME");
    assert_int_equal(colony_default_state_dir(path, sizeof path), -ENOENT);
}

TEST(test_without_a_runtime_folder_the_socket_is_the_users_own)
{
    char path[256];
    char in_run[64];
    char in_tmp[64];

    if (geteuid() == 0)
        skip();
    (void)unsetenv("XDG_RUNTIME_DIR");
    (void)snprintf(in_run, sizeof in_run, "/run/user/%u/colony/colony.sock", (unsigned)geteuid());
    (void)snprintf(in_tmp, sizeof in_tmp, "/tmp/colony-%u/colony.sock", (unsigned)geteuid());
    assert_int_equal(colony_default_socket(path, sizeof path), 0);
    assert_true(strcmp(path, in_run) == 0 || strcmp(path, in_tmp) == 0);
}

TEST(test_a_path_that_does_not_fit_is_refused)
{
    char path[5] = "keep";

    assert_int_equal(colony_default_socket(path, sizeof path), -ENAMETOOLONG);
    assert_string_equal(path, "keep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_has_the_system_paths),
        cmocka_unit_test(test_a_user_has_paths_from_the_environment),
        cmocka_unit_test(test_a_user_without_a_home_is_told),
        cmocka_unit_test(test_without_a_runtime_folder_the_socket_is_the_users_own),
        cmocka_unit_test(test_a_path_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
