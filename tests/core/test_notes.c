/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/error.h"
#include "core/notes.h"
#include "core/table.h"

enum {
    CAPACITY = 200,
};

struct fixture {
    struct scratch scratch;
    struct colony_notes notes;
    int folder;
};

static void fixture_map(struct fixture *f)
{
    int fd = colony_notes_open(f->folder, CAPACITY, NULL);

    assert_true(fd >= 0);
    assert_int_equal(colony_notes_map(&f->notes, fd, NULL), 0);
    assert_int_equal(f->notes.capacity, CAPACITY);
}

static void fixture_init(struct fixture *f)
{
    scratch_init(&f->scratch);
    f->folder = open(f->scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->folder >= 0);
    fixture_map(f);
}

static void fixture_clear(struct fixture *f)
{
    colony_notes_clear(&f->notes);
    (void)close(f->folder);
    scratch_clear(&f->scratch);
}

static const struct colony_record web = {.id = 7, .claimed_boot_ns = 1000};

static void put(struct fixture *f, uint32_t index, const struct colony_record *record, int byte)
{
    uint8_t note[COLONY_NOTE_SIZE];

    memset(note, byte, sizeof note);
    assert_int_equal(colony_notes_put(&f->notes, index, record, note), 0);
}

/* The byte a note consists of; -1: there is none. */
static int get(const struct fixture *f, uint32_t index, const struct colony_record *record)
{
    uint8_t note[COLONY_NOTE_SIZE];

    if (colony_notes_get(&f->notes, index, record, note) < 0)
        return -1;
    for (size_t i = 1; i < sizeof note; i++)
        assert_int_equal(note[i], note[0]);
    return note[0];
}

TEST(test_the_last_note_counts_and_outlives_us)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(get(&f, 3, &web), -1);
    for (int i = 1; i < 50; i++) {
        put(&f, 3, &web, i);
        assert_int_equal(get(&f, 3, &web), i);
    }
    colony_notes_clear(&f.notes);
    colony_notes_clear(&f.notes); /* like new */
    fixture_map(&f);
    assert_int_equal(get(&f, 3, &web), 49);
    assert_int_equal(get(&f, 2, &web), -1);
    fixture_clear(&f);
}

TEST(test_a_note_is_of_one_process_alone)
{
    const struct colony_record next = {.id = 8, .claimed_boot_ns = 1000};
    const struct colony_record of_another_table = {.id = 7, .claimed_boot_ns = 1001};
    struct fixture f;

    fixture_init(&f);
    put(&f, 0, &web, 1);
    assert_int_equal(get(&f, 0, &next), -1);
    assert_int_equal(get(&f, 0, &of_another_table), -1);
    put(&f, 0, &next, 2);
    assert_int_equal(get(&f, 0, &web), -1);
    assert_int_equal(get(&f, 0, &next), 2);
    fixture_clear(&f);
}

TEST(test_there_is_a_place_for_each_record_and_no_more)
{
    const uint8_t note[COLONY_NOTE_SIZE] = {0};
    uint8_t found[COLONY_NOTE_SIZE];
    struct fixture f;

    fixture_init(&f);
    for (uint32_t i = 0; i < CAPACITY; i++)
        put(&f, i, &web, (int)i);
    for (uint32_t i = 0; i < CAPACITY; i++)
        assert_int_equal(get(&f, i, &web), i);
    assert_int_equal(colony_notes_put(&f.notes, CAPACITY, &web, note), -ENOSPC);
    assert_int_equal(colony_notes_get(&f.notes, CAPACITY, &web, found), -ENOENT);
    fixture_clear(&f);
}

TEST(test_what_cannot_be_read_is_not_taken_for_nothing)
{
    uint8_t found[COLONY_NOTE_SIZE];
    struct fixture f;
    int fd;

    fixture_init(&f);
    put(&f, 0, &web, 1);
    fd = f.notes.fd;
    f.notes.fd = -1;
    assert_int_equal(colony_notes_get(&f.notes, 0, &web, found), -EBADF);
    f.notes.fd = fd;
    assert_int_equal(get(&f, 0, &web), 1);
    fixture_clear(&f);
}

/* A writer is killed at random: what is found is one whole note, and never an older than known. */
TEST(test_a_writer_may_be_killed_at_any_time)
{
    struct fixture f;
    uint8_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(done != MAP_FAILED);
    fixture_init(&f);
    for (int round = 0; round < 50; round++) {
        volatile uint8_t *last = done;
        pid_t pid;
        int note;

        put(&f, 0, &web, 0);
        *last = 0;
        pid = fork();
        if (pid == 0)
            for (uint8_t i = 1;; i++) {
                put(&f, 0, &web, i);
                *last = i;
            }
        while (*last < 200 - round)
            ;
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        note = get(&f, 0, &web);
        assert_true(note == *last || note == (uint8_t)(*last + 1));
    }
    (void)munmap(done, 4096);
    fixture_clear(&f);
}

TEST(test_what_is_no_file_of_notes_is_refused)
{
    struct colony_error err = {0};
    struct colony_notes notes;
    struct fixture f;
    char path[PATH_MAX];

    fixture_init(&f);
    assert_true(colony_notes_map(&notes, open("/dev/null", O_RDWR | O_CLOEXEC), &err) < 0);
    assert_true(colony_notes_map(&notes, -1, &err) < 0);
    assert_non_null(strstr(err.message, "cannot map the notes"));
    (void)snprintf(path, sizeof path, "%s/notes", f.scratch.path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(colony_notes_open(f.folder, CAPACITY, &err), -ELOOP);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_note_counts_and_outlives_us),
        cmocka_unit_test(test_a_note_is_of_one_process_alone),
        cmocka_unit_test(test_there_is_a_place_for_each_record_and_no_more),
        cmocka_unit_test(test_what_cannot_be_read_is_not_taken_for_nothing),
        cmocka_unit_test(test_a_writer_may_be_killed_at_any_time),
        cmocka_unit_test(test_what_is_no_file_of_notes_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
