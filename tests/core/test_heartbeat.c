/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/heartbeat.h"

enum {
    WALL_MS = 1700000000, /* as good as any */
    BOOT_MS = 5000000,
};

static char folder[64];

static int set_up(void **state __attribute__((unused)))
{
    (void)snprintf(folder, sizeof folder, "/tmp/colony-heart-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a fixed text */
    return 0;
}

TEST(test_a_touch_makes_a_private_file_that_is_now)
{
    struct stat st;
    int64_t at_ms = 0;

    assert_int_equal(colony_heartbeat_touch("heart", NULL, NULL), 0);
    assert_int_equal(stat("heart", &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(colony_heartbeat_look("heart", NULL, &at_ms, NULL), 0);
    assert_true(llabs(at_ms - (long long)time(NULL) * 1000) < 10000);
}

TEST(test_a_touch_makes_an_old_heart_young_and_keeps_what_is_in_it)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    int fd = open("heart", O_WRONLY | O_CREAT, 0640);
    int64_t at_ms = 0;
    struct stat st;

    assert_int_equal(write(fd, "kept", 4), 4);
    assert_int_equal(futimens(fd, old), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(colony_heartbeat_look("heart", NULL, &at_ms, NULL), 0);
    assert_int_equal(at_ms, 1000000);
    assert_int_equal(colony_heartbeat_touch("heart", NULL, NULL), 0);
    assert_int_equal(stat("heart", &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_true(st.st_mtime > 1000000);
}

TEST(test_a_folder_means_the_file_of_that_name_in_it)
{
    struct colony_error err = {0};
    int64_t at_ms = 0;

    assert_int_equal(mkdir("hearts", 0700), 0);
    assert_int_equal(colony_heartbeat_look("hearts", "web", &at_ms, &err), -ENOENT);
    assert_int_equal(colony_heartbeat_touch("hearts", "web", NULL), 0);
    assert_int_equal(access("hearts/web", F_OK), 0);
    assert_int_equal(colony_heartbeat_look("hearts", "web", &at_ms, NULL), 0);
    assert_int_equal(colony_heartbeat_touch("hearts", NULL, &err), -EISDIR);
    assert_non_null(strstr(err.message, "it is a folder"));
}

TEST(test_a_symlink_is_no_heart_and_what_it_points_to_is_left_alone)
{
    struct colony_error err = {0};
    int64_t at_ms = 0;

    assert_int_equal(symlink("victim", "heart"), 0);
    assert_int_equal(colony_heartbeat_touch("heart", NULL, &err), -EINVAL);
    assert_non_null(strstr(err.message, "it is a symlink"));
    assert_int_equal(access("victim", F_OK), -1);
    assert_int_equal(colony_heartbeat_look("heart", NULL, &at_ms, &err), -EINVAL);
}

TEST(test_a_pipe_is_no_heart_and_holds_up_nobody)
{
    struct colony_error err = {0};
    int64_t at_ms = 0;

    assert_int_equal(mkfifo("heart", 0600), 0);
    assert_int_equal(colony_heartbeat_touch("heart", NULL, &err), -EINVAL);
    assert_non_null(strstr(err.message, "it is a pipe"));
    assert_int_equal(colony_heartbeat_look("heart", NULL, &at_ms, &err), -EINVAL);
}

TEST(test_an_age_is_that_of_the_file)
{
    struct colony_heartbeat heart = {0};

    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS - 700, WALL_MS, BOOT_MS), 700);
    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS - 700, WALL_MS + 50, BOOT_MS + 50), 750);
    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS + 90, WALL_MS + 100, BOOT_MS + 100), 10);
}

TEST(test_no_file_is_as_old_as_can_be)
{
    struct colony_heartbeat heart = {0};

    assert_true(colony_heartbeat_age(&heart, 0, WALL_MS, BOOT_MS) == UINT64_MAX);
    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS, WALL_MS, BOOT_MS + 10), 0);
    assert_true(colony_heartbeat_age(&heart, 0, WALL_MS, BOOT_MS + 20) == UINT64_MAX);
}

TEST(test_a_time_in_the_future_grows_old_too)
{
    struct colony_heartbeat heart = {0};

    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS + 3600000, WALL_MS, BOOT_MS), 0);
    assert_int_equal(
        colony_heartbeat_age(&heart, WALL_MS + 3600000, WALL_MS + 5000, BOOT_MS + 5000), 5000);
}

TEST(test_a_clock_that_is_set_forward_makes_no_heart_old)
{
    struct colony_heartbeat heart = {0};

    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS, WALL_MS, BOOT_MS), 0);
    /* seen before the jump */
    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS, WALL_MS + 3600000, BOOT_MS + 100), 100);
    /* it beat just before the jump, and nobody had looked since */
    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS + 150, WALL_MS + 3600100, BOOT_MS + 200),
                     100);
}

TEST(test_a_heart_that_was_old_at_the_first_look_is)
{
    struct colony_heartbeat heart = {0};

    assert_int_equal(colony_heartbeat_age(&heart, WALL_MS - 60000, WALL_MS, BOOT_MS), 60000);
    heart = (struct colony_heartbeat){0};
    assert_true(colony_heartbeat_age(&heart, 1, WALL_MS, 50) <= 50); /* older than the machine */
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_a_touch_makes_a_private_file_that_is_now),
        IN_FOLDER(test_a_touch_makes_an_old_heart_young_and_keeps_what_is_in_it),
        IN_FOLDER(test_a_folder_means_the_file_of_that_name_in_it),
        IN_FOLDER(test_a_symlink_is_no_heart_and_what_it_points_to_is_left_alone),
        IN_FOLDER(test_a_pipe_is_no_heart_and_holds_up_nobody),
        cmocka_unit_test(test_an_age_is_that_of_the_file),
        cmocka_unit_test(test_no_file_is_as_old_as_can_be),
        cmocka_unit_test(test_a_time_in_the_future_grows_old_too),
        cmocka_unit_test(test_a_clock_that_is_set_forward_makes_no_heart_old),
        cmocka_unit_test(test_a_heart_that_was_old_at_the_first_look_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
