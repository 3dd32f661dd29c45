/* SPDX-License-Identifier: Apache-2.0 */
#include "logged.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum {
    BYTES_MAX = 8 << 20,
    FILES_MAX = 512,
};

static char given[BYTES_MAX];
static char found[BYTES_MAX];

static ssize_t read_rotated(const struct logged *logged, unsigned number, char *text)
{
    char path[300];

    (void)snprintf(path, sizeof path, number > 0 ? "%s.%u" : "%s", logged->path, number);
    return read_file(path, text, (size_t)(found + sizeof found - text));
}

/* All there is, oldest first, in `found`; each file but the newest must end with a whole line. */
static size_t gather(const struct logged *logged, bool are_lines_whole)
{
    unsigned oldest = 0;
    size_t total = 0;
    char path[300];

    do {
        oldest++;
        (void)snprintf(path, sizeof path, "%s.%u", logged->path, oldest);
    } while (access(path, F_OK) == 0);
    for (unsigned number = oldest; number-- > 0;) {
        ssize_t size = read_rotated(logged, number, found + total);

        CHECK(size >= 0);
        total += (size_t)size;
        if (number > 0 && are_lines_whole)
            CHECK(size > 0 && found[total - 1] == '\n');
    }
    return total;
}

static void check_all_found(const struct logged *logged, size_t size)
{
    CHECK(gather(logged, true) == size);
    CHECK(memcmp(found, given, size) == 0);
}

FOLDER_TEST(test_output_arrives_byte_for_byte)
{
    struct logged logged = {0};
    uint32_t seed = 1;
    struct stat info;

    for (size_t i = 0; i < sizeof given; i++)
        given[i] = (char)((seed = seed * 1664525U + 1013904223U) >> 24);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, sizeof given);
    logged_close(&logged);
    check_all_found(&logged, sizeof given);
    CHECK(stat(logged.path, &info) == 0);
    CHECK((info.st_mode & 07777) == 0600);
}

FOLDER_TEST(test_a_file_that_is_there_is_continued)
{
    struct logged logged = {0};

    make_lines(given, 20, 100);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 1000);
    logged_close(&logged);
    logged = (struct logged){0};
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given + 1000, 1000);
    logged_close(&logged);
    check_all_found(&logged, 2000);
}

FOLDER_TEST(test_a_file_is_made_when_there_is_something_to_write)
{
    struct logged logged = {0};

    logged_init(&logged, data);
    logged_close(&logged);
    CHECK(size_of(logged.path) == -1);
}

FOLDER_TEST(test_rotation_by_size_loses_nothing_and_tears_no_line)
{
    struct logged logged = {.settings = {.size_bytes = 10000, .count = FILES_MAX}};
    const size_t size = 20000 * 137;
    unsigned files = 0;
    char path[300];

    make_lines(given, 20000, 137);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, size);
    logged_close(&logged);
    check_all_found(&logged, size);
    for (unsigned i = 1; i <= FILES_MAX; i++) {
        off_t bytes;

        (void)snprintf(path, sizeof path, "%s.%u", logged.path, i);
        bytes = size_of(path);
        files += bytes >= 0;
        CHECK(bytes == -1 || (bytes >= 10000 && bytes < 10000 + 137));
    }
    CHECK(files == size / 10001 || files == size / 10000);
}

FOLDER_TEST(test_no_more_files_are_kept_than_the_count)
{
    struct logged logged = {.settings = {.size_bytes = 1000, .count = 2}};
    size_t size;

    make_lines(given, 1000, 50);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 1000 * 50 - 25);
    write_out(&logged, logged.write_fd, given + 1000 * 50 - 25, 25);
    logged_close(&logged);
    CHECK(read_rotated(&logged, 3, found) == -1);
    CHECK(read_rotated(&logged, 2, found) == 1000);
    size = gather(&logged, true);
    CHECK(size >= 2000 && size <= 3000);
    CHECK(memcmp(found, given + 1000 * 50 - size, size) == 0); /* the newest */
}

FOLDER_TEST(test_with_a_count_of_0_the_file_begins_anew)
{
    struct logged logged = {.settings = {.size_bytes = 1000, .count = 0}};
    ssize_t size;

    make_lines(given, 110, 50);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 110 * 50);
    logged_close(&logged);
    size = read_rotated(&logged, 0, found);
    CHECK(size == 500);
    CHECK(memcmp(found, given + 110 * 50 - size, (size_t)size) == 0);
    CHECK(read_rotated(&logged, 1, found) == -1);
}

FOLDER_TEST(test_without_a_size_nothing_is_rotated)
{
    struct logged logged = {.settings = {.size_bytes = 0, .count = 5}};

    make_lines(given, 30000, 100);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 30000 * 100);
    logged_close(&logged);
    check_all_found(&logged, 30000 * 100);
    CHECK(read_rotated(&logged, 1, found) == -1);
}

FOLDER_TEST(test_a_line_longer_than_the_limit_stays_whole)
{
    struct logged logged = {.settings = {.size_bytes = 4096, .count = FILES_MAX}};
    const size_t size = 10 * 300000;

    make_lines(given, 10, 300000);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, size);
    logged_close(&logged);
    check_all_found(&logged, size);
    CHECK(read_rotated(&logged, 3, found) == 300000);
}

FOLDER_TEST(test_a_line_without_end_is_torn_and_nothing_of_it_is_lost)
{
    struct logged logged = {.settings = {.size_bytes = 4096, .count = FILES_MAX}};

    memset(given, 'x', sizeof given);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, sizeof given);
    logged_close(&logged);
    CHECK(gather(&logged, false) == sizeof given);
    CHECK(read_rotated(&logged, 3, found) > 1 << 20);
    CHECK(read_rotated(&logged, 3, found) < 2 << 20);
}

FOLDER_TEST(test_a_file_that_was_removed_is_made_anew)
{
    struct logged logged = {0};

    make_lines(given, 20, 100);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 1000);
    TURN_UNTIL(&logged, size_of(logged.path) == 1000);
    CHECK(unlink(logged.path) == 0);
    write_out(&logged, logged.write_fd, given + 1000, 1000);
    TURN_UNTIL(&logged, size_of(logged.path) == 1000);
    logged_close(&logged);
    CHECK(read_rotated(&logged, 0, found) == 1000);
    CHECK(memcmp(found, given + 1000, 1000) == 0);
}

FOLDER_TEST(test_a_file_that_was_emptied_is_continued_at_its_end)
{
    struct logged logged = {0};

    make_lines(given, 20, 100);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 1000);
    TURN_UNTIL(&logged, size_of(logged.path) == 1000);
    CHECK(truncate(logged.path, 0) == 0);
    write_out(&logged, logged.write_fd, given + 1000, 1000);
    logged_close(&logged);
    CHECK(read_rotated(&logged, 0, found) == 1000); /* and no hole before it */
    CHECK(memcmp(found, given + 1000, 1000) == 0);
}

FOLDER_TEST(test_what_cannot_be_renamed_is_appended_to)
{
    struct logged logged = {.settings = {.size_bytes = 1000, .count = 3}};
    int fd;

    make_lines(given, 100, 50);
    CHECK(chown(data, NOBODY, NOBODY) == 0 || geteuid() != 0);
    drop_rights();
    (void)snprintf(logged.path, sizeof logged.path, "%s/x.log", (const char *)data);
    fd = open(logged.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    (void)close(fd);
    CHECK(chmod(data, 0500) == 0);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 100 * 50);
    logged_close(&logged);
    CHECK(chmod(data, 0700) == 0);
    check_all_found(&logged, 100 * 50);
    CHECK(logged.status_count == 0 || logged.statuses[0] == LOG_OK);
}

FOLDER_TEST(test_a_link_is_not_followed)
{
    struct logged logged = {0};
    char other[300];
    uint64_t bytes;
    uint64_t lines;

    (void)snprintf(other, sizeof other, "%s/other", (const char *)data);
    (void)snprintf(logged.path, sizeof logged.path, "%s/x.log", (const char *)data);
    CHECK(symlink(other, logged.path) == 0);
    make_lines(given, 10, 100);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, 1000);
    TURN_UNTIL(&logged,
               (colony_log_dropped(logged.log, &bytes, &lines), bytes == 1000 && lines == 10));
    logged_close(&logged);
    CHECK(size_of(other) == -1);
}

/* Files of this process end at @bytes; 0: anywhere. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

FOLDER_TEST(test_what_a_full_file_does_not_take_is_counted_to_the_byte)
{
    struct logged logged = {.settings = {.on_full = LOG_FULL_DROP}};
    const size_t size = 10000 * 100;
    uint64_t bytes = 0;
    uint64_t lines = 0;

    make_lines(given, 10000, 100);
    limit_files(100050);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, size);
    TURN_UNTIL(&logged,
               (colony_log_dropped(logged.log, &bytes, &lines),
                bytes == size - 100050 && lines == count_newlines(given + 100050, size - 100050)));
    TURN_UNTIL(&logged, logged.status_count == 1);
    CHECK(colony_log_status(logged.log) == LOG_DROPPING);
    CHECK(logged.statuses[0] == LOG_DROPPING);
    limit_files(0);
    write_out(&logged, logged.write_fd, given, 1000); /* and goes on by itself */
    TURN_UNTIL(&logged, logged.status_count == 2 && logged.statuses[1] == LOG_OK);
    colony_log_dropped(logged.log, &bytes, &lines);
    CHECK(bytes == size - 100050);
    logged_close(&logged);
    CHECK(read_rotated(&logged, 0, found) == 100050 + 1000);
    CHECK(memcmp(found, given, 100050) == 0);
    CHECK(memcmp(found + 100050, given, 1000) == 0);
}

FOLDER_TEST(test_with_block_a_full_file_loses_nothing)
{
    struct logged logged = {.settings = {.on_full = LOG_FULL_BLOCK}};
    const size_t size = 4 << 20;
    uint64_t bytes = 1;
    uint64_t lines = 1;
    size_t sent = 0;

    make_lines(given, size / 64, 64);
    limit_files(100000);
    logged_init(&logged, data);
    TURN_UNTIL(&logged, (sent += fill_pipe(logged.write_fd, given + sent, size - sent),
                         logged.status_count == 1 && logged.statuses[0] == LOG_BLOCKED));
    sent += fill_pipe(logged.write_fd, given + sent, size - sent);
    CHECK(sent < size); /* the process waits */
    CHECK(size_of(logged.path) == 100000);
    limit_files(0);
    TURN_UNTIL(&logged, logged.status_count == 2 && logged.statuses[1] == LOG_OK);
    write_out(&logged, logged.write_fd, given + sent, size - sent);
    colony_log_dropped(logged.log, &bytes, &lines);
    CHECK(bytes == 0 && lines == 0);
    logged_close(&logged);
    check_all_found(&logged, size);
}

FOLDER_TEST(test_a_full_disk_is_counted_to_the_byte)
{
    struct logged logged = {.settings = {.on_full = LOG_FULL_DROP}};
    const size_t size = 3 << 20;
    uint64_t bytes = 0;
    uint64_t lines = 0;

    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", data, "tmpfs", 0, "size=1m") < 0)
        skip_in_child("needs root, to mount a disk that is full soon");
    make_lines(given, size / 64, 64);
    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, given, size);
    TURN_UNTIL(&logged, (colony_log_dropped(logged.log, &bytes, &lines),
                         size_of(logged.path) + (off_t)bytes == (off_t)size));
    CHECK(bytes >= size - (1 << 20));
    TURN_UNTIL(&logged, (colony_log_dropped(logged.log, &bytes, &lines),
                         lines == count_newlines(given + size - bytes, bytes)));
    logged_close(&logged);
    CHECK(read_rotated(&logged, 0, found) == (ssize_t)(size - bytes));
    CHECK(memcmp(found, given, size - bytes) == 0); /* nothing after what was dropped first */
}

FOLDER_TEST(test_what_a_device_does_not_take_is_counted)
{
    struct logged logged = {.settings = {.on_full = LOG_FULL_DROP}};
    struct colony_log *full;
    uint64_t bytes;
    uint64_t lines;
    int fd;

    make_lines(given, 1000, 100);
    logged_init(&logged, data);
    fd = open_log(&logged, "/dev/full", &full);
    write_out(&logged, fd, given, 1000 * 100);
    TURN_UNTIL(&logged,
               (colony_log_dropped(full, &bytes, &lines), bytes == 1000 * 100 && lines == 1000));
    logged_close(&logged);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_arrives_byte_for_byte),
        cmocka_unit_test(test_a_file_that_is_there_is_continued),
        cmocka_unit_test(test_a_file_is_made_when_there_is_something_to_write),
        cmocka_unit_test(test_rotation_by_size_loses_nothing_and_tears_no_line),
        cmocka_unit_test(test_no_more_files_are_kept_than_the_count),
        cmocka_unit_test(test_with_a_count_of_0_the_file_begins_anew),
        cmocka_unit_test(test_without_a_size_nothing_is_rotated),
        cmocka_unit_test(test_a_line_longer_than_the_limit_stays_whole),
        cmocka_unit_test(test_a_line_without_end_is_torn_and_nothing_of_it_is_lost),
        cmocka_unit_test(test_a_file_that_was_removed_is_made_anew),
        cmocka_unit_test(test_a_file_that_was_emptied_is_continued_at_its_end),
        cmocka_unit_test(test_what_cannot_be_renamed_is_appended_to),
        cmocka_unit_test(test_a_link_is_not_followed),
        cmocka_unit_test(test_what_a_full_file_does_not_take_is_counted_to_the_byte),
        cmocka_unit_test(test_with_block_a_full_file_loses_nothing),
        cmocka_unit_test(test_a_full_disk_is_counted_to_the_byte),
        cmocka_unit_test(test_what_a_device_does_not_take_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
