/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <limits.h>

#include "core/fresh.h"

enum {
    WRITERS = 4,
    ROUNDS = 2000,
};

static int open_fresh(const char *folder, char *fresh)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int made = colony_fresh_open(fd, "x", 0600, fresh, PATH_MAX);

    (void)close(fd);
    return made;
}

static void assert_fresh(const char *folder, const char *name)
{
    char fresh[PATH_MAX];
    int fd = open_fresh(folder, fresh);
    struct stat info;

    CHECK(fd >= 0);
    CHECK(strcmp(fresh, name) == 0);
    CHECK(fstat(fd, &info) == 0 && info.st_size == 0 && info.st_nlink == 1);
    (void)close(fd); /* as when its writer is killed */
}

FOLDER_TEST(test_what_a_killed_writer_left_is_taken_away)
{
    for (int i = 0; i < 3; i++)
        assert_fresh(data, "x.colony-0.new");
}

FOLDER_TEST(test_what_is_being_written_is_left_alone)
{
    char fresh[PATH_MAX];
    int first = open_fresh(data, fresh);
    struct stat info;

    CHECK(first >= 0 && strcmp(fresh, "x.colony-0.new") == 0);
    assert_fresh(data, "x.colony-1.new");
    assert_fresh(data, "x.colony-1.new");
    CHECK(fstat(first, &info) == 0 && info.st_nlink == 1);
    (void)close(first);
    assert_fresh(data, "x.colony-0.new");
}

FOLDER_TEST(test_what_is_no_file_of_a_writers_stays)
{
    char path[PATH_MAX];
    struct stat info;

    (void)snprintf(path, sizeof path, "%s/x.colony-0.new", (const char *)data);
    CHECK(symlink("/dev/null", path) == 0);
    (void)snprintf(path, sizeof path, "%s/x.colony-1.new", (const char *)data);
    CHECK(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/x.colony-2.new", (const char *)data);
    CHECK(mkfifo(path, 0600) == 0);
    assert_fresh(data, "x.colony-3.new");
    CHECK(lstat(path, &info) == 0 && S_ISFIFO(info.st_mode));
}

FOLDER_TEST(test_a_name_that_is_too_long_is_refused)
{
    char fresh[8];
    char path[PATH_MAX];
    char name[NAME_MAX + 1] = "";
    int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    CHECK(colony_fresh_open(fd, "x", 0600, fresh, sizeof fresh) == -ENAMETOOLONG);
    memset(name, 'n', sizeof name - 1);
    CHECK(colony_fresh_open(fd, name, 0600, path, sizeof path) == -ENAMETOOLONG);
    CHECK(colony_fresh_open(INT_MAX, "x", 0600, path, sizeof path) == -EBADF);
    (void)close(fd);
}

/* Writes over and over; some of it is left as if it had been killed. */
static void write_often(const char *folder, int number)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char text[32];
    int length = snprintf(text, sizeof text, "writer %d\n", number);

    for (int i = 0; i < ROUNDS; i++) {
        char fresh[PATH_MAX];
        int fd = colony_fresh_open(at, "x", 0600, fresh, sizeof fresh);

        CHECK(fd >= 0);
        CHECK(write(fd, text, (size_t)length) == length);
        if (i % 7 != 0)
            CHECK(renameat(at, fresh, at, "x") == 0); /* it is there, whoever else writes */
        (void)close(fd);
    }
}

FOLDER_TEST(test_many_who_write_at_once_do_not_touch_each_others)
{
    pid_t pids[WRITERS];
    char path[PATH_MAX];

    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            write_often(data, i);
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;

        CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
    }
    (void)snprintf(path, sizeof path, "%s/x.colony-%d.new", (const char *)data, WRITERS + 1);
    CHECK(access(path, F_OK) < 0); /* as few as there are writers at once, and one more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_killed_writer_left_is_taken_away),
        cmocka_unit_test(test_what_is_being_written_is_left_alone),
        cmocka_unit_test(test_what_is_no_file_of_a_writers_stays),
        cmocka_unit_test(test_a_name_that_is_too_long_is_refused),
        cmocka_unit_test(test_many_who_write_at_once_do_not_touch_each_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
