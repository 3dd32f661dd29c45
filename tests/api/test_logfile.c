/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/logfile_internal.h"

#include "../test.h"

enum {
    ROTATED_MAX = 3,
};

/* A log in a folder of its own, and a reader of it. */
struct fixture {
    char folder[64];
    char path[128];
    struct colony__logfile file;
    char text[4096]; /* what was read last */
};

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/colony-logfile-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->path, sizeof f->path, "%s/web.1.log", f->folder);
    assert_int_equal(colony__logfile_init(&f->file, f->path, ROTATED_MAX), 0);
}

static void fixture_clear(struct fixture *f)
{
    char command[128];

    colony__logfile_clear(&f->file);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
}

static void append(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "a");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* As the engine does it: the oldest goes, the others move up; the next write makes a new file. */
static void rotate(const struct fixture *f)
{
    char from[160];
    char to[160];

    for (int i = ROTATED_MAX; i > 0; i--) {
        (void)snprintf(from, sizeof from, i > 1 ? "%s.%d" : "%s", f->path, i - 1);
        (void)snprintf(to, sizeof to, "%s.%d", f->path, i);
        (void)unlink(to);
        (void)rename(from, to);
    }
}

/* All there is now, in pieces of @size. */
static const char *read_all(struct fixture *f, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while ((got = colony__logfile_read(&f->file, f->text + used, size)) > 0) {
        used += (size_t)got;
        assert_true(used + size < sizeof f->text);
    }
    assert_int_equal(got, 0);
    f->text[used] = '\0';
    return f->text;
}

static const char *last_lines(struct fixture *f, uint64_t lines)
{
    colony__logfile_clear(&f->file);
    assert_int_equal(colony__logfile_init(&f->file, f->path, ROTATED_MAX), 0);
    assert_int_equal(colony__logfile_seek(&f->file, lines), 0);
    return read_all(f, 7);
}

TEST(test_a_log_that_is_not_there_is_empty)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(last_lines(&f, 10), "");
    append(&f, "first\n");
    assert_string_equal(read_all(&f, 100), "first\n");
    fixture_clear(&f);
}

TEST(test_the_last_lines_are_found)
{
    struct fixture f;

    fixture_init(&f);
    append(&f, "one\ntwo\n\nfour\n");
    assert_string_equal(last_lines(&f, 0), "");
    assert_string_equal(last_lines(&f, 1), "four\n");
    assert_string_equal(last_lines(&f, 2), "\nfour\n");
    assert_string_equal(last_lines(&f, 3), "two\n\nfour\n");
    assert_string_equal(last_lines(&f, 4), "one\ntwo\n\nfour\n");
    assert_string_equal(last_lines(&f, 99), "one\ntwo\n\nfour\n");
    append(&f, "half");
    assert_string_equal(last_lines(&f, 1), "half");
    assert_string_equal(last_lines(&f, 2), "four\nhalf");
    fixture_clear(&f);
}

TEST(test_the_last_lines_may_be_in_rotated_files)
{
    struct fixture f;

    fixture_init(&f);
    append(&f, "1\n2\n");
    rotate(&f);
    append(&f, "3\nfo");
    rotate(&f);
    append(&f, "ur\n5\n");
    assert_string_equal(last_lines(&f, 1), "5\n");
    assert_string_equal(last_lines(&f, 2), "four\n5\n");
    assert_string_equal(last_lines(&f, 3), "3\nfour\n5\n");
    assert_string_equal(last_lines(&f, 4), "2\n3\nfour\n5\n");
    assert_string_equal(last_lines(&f, COLONY__LINES_ALL), "1\n2\n3\nfour\n5\n");
    rotate(&f); /* the new file has not been made yet */
    assert_string_equal(last_lines(&f, 2), "four\n5\n");
    fixture_clear(&f);
}

TEST(test_lines_longer_than_a_block_are_scanned)
{
    struct fixture f;
    char *line = malloc(200001);

    fixture_init(&f);
    memset(line, 'x', 199999);
    line[199999] = '\n';
    line[200000] = '\0';
    append(&f, "before\n");
    append(&f, line);
    append(&f, "after\n");
    assert_int_equal(colony__logfile_seek(&f.file, 2), 0);
    assert_int_equal(f.file.offset, strlen("before\n"));
    assert_int_equal(colony__logfile_seek(&f.file, 3), 0);
    assert_int_equal(f.file.offset, 0);
    free(line);
    fixture_clear(&f);
}

TEST(test_reading_ends_where_the_file_ended)
{
    struct fixture f;

    fixture_init(&f);
    append(&f, "one\n");
    assert_int_equal(colony__logfile_seek(&f.file, 10), 0);
    append(&f, "two\n");
    assert_string_equal(read_all(&f, 100), "one\n");
    f.file.has_end = false; /* from here on it is followed */
    assert_string_equal(read_all(&f, 100), "two\n");
    fixture_clear(&f);
}

TEST(test_a_log_is_followed_over_rotations)
{
    struct fixture f;

    fixture_init(&f);
    append(&f, "one\n");
    assert_string_equal(read_all(&f, 100), "one\n");
    append(&f, "two\n");
    rotate(&f);
    assert_string_equal(read_all(&f, 100), "two\n");
    append(&f, "three\n");
    rotate(&f);
    append(&f, "four\n");
    assert_string_equal(read_all(&f, 2), "three\nfour\n");
    assert_false(f.file.has_gap);
    fixture_clear(&f);
}

TEST(test_a_log_that_was_rotated_before_its_first_look_is_read_from_its_oldest_file)
{
    struct fixture f;

    fixture_init(&f);
    assert_string_equal(last_lines(&f, 0), "");
    append(&f, "1\n");
    rotate(&f);
    append(&f, "2\n");
    rotate(&f);
    append(&f, "3\n");
    assert_string_equal(read_all(&f, 100), "1\n2\n3\n");
    assert_false(f.file.has_gap);
    fixture_clear(&f);
}

TEST(test_files_rotated_away_unread_leave_a_gap)
{
    struct fixture f;
    char line[16];

    fixture_init(&f);
    append(&f, "first\n");
    assert_string_equal(read_all(&f, 100), "first\n");
    for (int i = 0; i < 6; i++) {
        rotate(&f);
        (void)snprintf(line, sizeof line, "%d\n", i);
        append(&f, line);
    }
    assert_string_equal(read_all(&f, 100), "2\n3\n4\n5\n");
    assert_true(f.file.has_gap);
    fixture_clear(&f);
}

TEST(test_reading_goes_on_from_where_another_reader_was)
{
    struct fixture f;
    dev_t device;
    ino_t inode;

    fixture_init(&f);
    append(&f, "one\ntwo\n");
    assert_string_equal(last_lines(&f, 1), "two\n");
    device = f.file.device;
    inode = f.file.inode;
    rotate(&f);
    append(&f, "three\n");
    colony__logfile_clear(&f.file);
    assert_int_equal(colony__logfile_init(&f.file, f.path, ROTATED_MAX), 0);
    assert_int_equal(colony__logfile_resume(&f.file, device, inode, 4), 0);
    append(&f, "later\n");
    assert_string_equal(read_all(&f, 5), "two\nthree\n");
    assert_false(f.file.has_gap);
    f.file.has_end = false;
    assert_string_equal(read_all(&f, 5), "later\n");
    fixture_clear(&f);
}

TEST(test_a_place_that_was_rotated_away_leaves_a_gap)
{
    struct fixture f;

    fixture_init(&f);
    append(&f, "one\n");
    assert_int_equal(colony__logfile_resume(&f.file, 0, 0, 0), 0); /* before the first byte */
    assert_false(f.file.has_gap);
    assert_string_equal(read_all(&f, 100), "one\n");
    assert_int_equal(colony__logfile_resume(&f.file, f.file.device, f.file.inode + 1, 2), 0);
    assert_true(f.file.has_gap);
    assert_string_equal(read_all(&f, 100), "one\n");
    fixture_clear(&f);
}

TEST(test_a_file_that_was_cut_is_read_from_its_beginning)
{
    struct fixture f;

    fixture_init(&f);
    append(&f, "one\ntwo\n");
    assert_string_equal(read_all(&f, 100), "one\ntwo\n");
    assert_int_equal(truncate(f.path, 0), 0);
    append(&f, "new\n");
    assert_string_equal(read_all(&f, 100), "new\n");
    fixture_clear(&f);
}

TEST(test_what_is_no_regular_file_is_not_read)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(symlink("/etc/passwd", f.path), 0);
    assert_string_equal(last_lines(&f, 10), "");
    fixture_clear(&f);
}

TEST(test_whole_lines_are_prefixed)
{
    struct colony__buffer out = {0};
    struct colony__buffer carry = {0};

    assert_int_equal(colony__lines_prefix(&out, &carry, "a: ", "one\n\ntw", 7), 0);
    assert_int_equal(colony__lines_prefix(&out, &carry, "a: ", "o", 1), 0);
    assert_int_equal(colony__lines_prefix(&out, &carry, "a: ", "\nthree", 6), 0);
    assert_int_equal(out.size, strlen("a: one\na: \na: two\n"));
    assert_memory_equal(out.data, "a: one\na: \na: two\n", out.size);
    assert_int_equal(colony__lines_flush(&out, &carry, "a: "), 0);
    assert_memory_equal(out.data + out.size - 9, "a: three\n", 9);
    assert_int_equal(colony__lines_flush(&out, &carry, "a: "), 0);
    assert_int_equal(carry.size, 0);
    colony__buffer_clear(&out);
    colony__buffer_clear(&carry);
}

TEST(test_only_lines_over_the_limit_are_broken)
{
    struct colony__buffer out = {0};
    struct colony__buffer carry = {0};
    char *line = malloc(COLONY__LINE_MAX + 2);

    memset(line, 'x', COLONY__LINE_MAX + 1);
    line[COLONY__LINE_MAX] = '\n';
    assert_int_equal(colony__lines_prefix(&out, &carry, "", line, COLONY__LINE_MAX), 0);
    assert_int_equal(out.size, 0);
    assert_int_equal(colony__lines_prefix(&out, &carry, "", "\n", 1), 0);
    assert_int_equal(out.size, COLONY__LINE_MAX + 1);
    line[COLONY__LINE_MAX] = 'x';
    line[COLONY__LINE_MAX + 1] = '\n';
    colony__buffer_reset(&out);
    assert_int_equal(colony__lines_prefix(&out, &carry, "", line, COLONY__LINE_MAX + 2), 0);
    assert_int_equal(out.size, COLONY__LINE_MAX + 1 + 2);
    free(line);
    colony__buffer_clear(&out);
    colony__buffer_clear(&carry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_that_is_not_there_is_empty),
        cmocka_unit_test(test_the_last_lines_are_found),
        cmocka_unit_test(test_the_last_lines_may_be_in_rotated_files),
        cmocka_unit_test(test_lines_longer_than_a_block_are_scanned),
        cmocka_unit_test(test_reading_ends_where_the_file_ended),
        cmocka_unit_test(test_a_log_is_followed_over_rotations),
        cmocka_unit_test(
            test_a_log_that_was_rotated_before_its_first_look_is_read_from_its_oldest_file),
        cmocka_unit_test(test_files_rotated_away_unread_leave_a_gap),
        cmocka_unit_test(test_reading_goes_on_from_where_another_reader_was),
        cmocka_unit_test(test_a_place_that_was_rotated_away_leaves_a_gap),
        cmocka_unit_test(test_a_file_that_was_cut_is_read_from_its_beginning),
        cmocka_unit_test(test_what_is_no_regular_file_is_not_read),
        cmocka_unit_test(test_whole_lines_are_prefixed),
        cmocka_unit_test(test_only_lines_over_the_limit_are_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
