/* SPDX-License-Identifier: Apache-2.0 */
/* test_table_instance.c - the instance of a state folder, asked for before there is a keeper. */
#include "../scratch.h"

#include <errno.h>

#include "core/error.h"
#include "core/table.h"

static void settle(const struct scratch *scratch, char out[COLONY_INSTANCE_SIZE])
{
    struct colony_error err = {0};

    if (colony_instance_settle(scratch->fd, out, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(strspn(out, "0123456789abcdef"), COLONY_INSTANCE_SIZE - 1);
}

static void write_file(const struct scratch *scratch, const char *name, const char *text)
{
    int fd = openat(scratch->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static unsigned count_files(const struct scratch *scratch)
{
    static const char *const names[] = {"instance", "table", "table.damaged"};
    unsigned count = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        count += faccessat(scratch->fd, names[i], F_OK, 0) == 0;
    return count;
}

/* What a keeper opens; its instance. */
static void open_table(const struct scratch *scratch, uint32_t *damaged,
                       char out[COLONY_INSTANCE_SIZE])
{
    struct colony_table table;
    struct colony_error err = {0};

    if (colony_table_open(&table, scratch->fd, 100, damaged, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(table.header->capacity, 100);
    assert_int_equal(table.used, 0);
    (void)snprintf(out, COLONY_INSTANCE_SIZE, "%.16s", table.header->instance);
    colony_table_close(&table);
}

TEST(test_it_is_the_same_each_time)
{
    struct scratch scratch;
    char first[COLONY_INSTANCE_SIZE];
    char second[COLONY_INSTANCE_SIZE];

    scratch_init(&scratch);
    settle(&scratch, first);
    settle(&scratch, second);
    assert_string_equal(first, second);
    assert_int_equal(count_files(&scratch), 2);
    scratch_clear(&scratch);
}

TEST(test_what_one_that_was_killed_left_is_taken_away)
{
    struct scratch scratch;
    char instance[COLONY_INSTANCE_SIZE];

    scratch_init(&scratch);
    write_file(&scratch, "instance.colony-0.new", "0123");
    write_file(&scratch, "table.colony-0.new", "");
    settle(&scratch, instance);
    assert_int_equal(faccessat(scratch.fd, "instance.colony-0.new", F_OK, 0), -1);
    assert_int_equal(faccessat(scratch.fd, "table.colony-0.new", F_OK, 0), -1);
    assert_int_equal(count_files(&scratch), 2);
    scratch_clear(&scratch);
}

TEST(test_a_keeper_after_it_goes_by_it_and_misses_no_table)
{
    struct scratch scratch;
    char settled[COLONY_INSTANCE_SIZE];
    char opened[COLONY_INSTANCE_SIZE];
    uint32_t damaged = 0;

    scratch_init(&scratch);
    settle(&scratch, settled);
    open_table(&scratch, &damaged, opened);
    assert_string_equal(settled, opened);
    assert_int_equal(damaged, 0); /* else it would look for processes by their marks */
    settle(&scratch, settled);
    assert_string_equal(settled, opened);
    scratch_clear(&scratch);
}

TEST(test_it_is_that_of_a_keeper_before_it)
{
    struct scratch scratch;
    char opened[COLONY_INSTANCE_SIZE];
    char settled[COLONY_INSTANCE_SIZE];
    uint32_t damaged = 0;

    scratch_init(&scratch);
    open_table(&scratch, &damaged, opened);
    assert_int_equal(unlinkat(scratch.fd, "instance", 0), 0);
    settle(&scratch, settled);
    assert_string_equal(settled, opened);
    assert_int_equal(unlinkat(scratch.fd, "table", 0), 0); /* the file still has it */
    settle(&scratch, settled);
    assert_string_equal(settled, opened);
    scratch_clear(&scratch);
}

TEST(test_what_is_damaged_is_mended_by_the_other)
{
    struct scratch scratch;
    char settled[COLONY_INSTANCE_SIZE];
    char again[COLONY_INSTANCE_SIZE];

    scratch_init(&scratch);
    settle(&scratch, settled);
    write_file(&scratch, "instance", "nonsense");
    settle(&scratch, again);
    assert_string_equal(settled, again);
    write_file(&scratch, "instance", "0123456789abcdef"); /* a table is believed more */
    settle(&scratch, again);
    assert_string_equal(settled, again);
    write_file(&scratch, "table", "nonsense");
    settle(&scratch, again);
    assert_string_equal(settled, again);
    scratch_clear(&scratch);
}

TEST(test_a_lone_damaged_file_is_replaced)
{
    struct scratch scratch;
    char settled[COLONY_INSTANCE_SIZE];
    char again[COLONY_INSTANCE_SIZE];

    scratch_init(&scratch);
    write_file(&scratch, "instance", "nonsense");
    settle(&scratch, settled);
    settle(&scratch, again);
    assert_string_equal(settled, again);
    scratch_clear(&scratch);
}

TEST(test_many_who_ask_at_once_are_told_the_same)
{
    enum { ASKERS = 8 };
    struct scratch scratch;
    char settled[COLONY_INSTANCE_SIZE];
    pid_t pids[ASKERS];
    int ends[2];

    scratch_init(&scratch);
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < ASKERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            char out[COLONY_INSTANCE_SIZE];
            int rc = colony_instance_settle(scratch.fd, out, NULL);

            _exit(rc < 0 || write(ends[1], out, sizeof out) != (ssize_t)sizeof out);
        }
    }
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(wait_for_child(pids[i]), 0);
    settle(&scratch, settled);
    for (int i = 0; i < ASKERS; i++) {
        char told[COLONY_INSTANCE_SIZE];

        assert_int_equal(read(ends[0], told, sizeof told), (ssize_t)sizeof told);
        assert_string_equal(told, settled);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    scratch_clear(&scratch);
}

TEST(test_a_folder_that_cannot_be_written_is_told)
{
    struct colony_error err = {0};
    char out[COLONY_INSTANCE_SIZE];
    int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(colony_instance_settle(fd, out, &err) < 0);
    assert_non_null(strstr(err.message, "in the state folder"));
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_the_same_each_time),
        cmocka_unit_test(test_what_one_that_was_killed_left_is_taken_away),
        cmocka_unit_test(test_a_keeper_after_it_goes_by_it_and_misses_no_table),
        cmocka_unit_test(test_it_is_that_of_a_keeper_before_it),
        cmocka_unit_test(test_what_is_damaged_is_mended_by_the_other),
        cmocka_unit_test(test_a_lone_damaged_file_is_replaced),
        cmocka_unit_test(test_many_who_ask_at_once_are_told_the_same),
        cmocka_unit_test(test_a_folder_that_cannot_be_written_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
