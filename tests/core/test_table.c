/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include "core/error.h"
#include "core/table.h"

enum {
    CAPACITY = 100, /* on purpose no multiple of what is allocated at a time */
};

struct fixture {
    struct scratch scratch;
    struct colony_boot boot;
    struct colony_table table;
    uint32_t damaged;
};

static void open_table(struct fixture *f)
{
    struct colony_error err = {0};

    if (colony_table_open(&f->table, f->scratch.fd, CAPACITY, &f->damaged, &err) < 0)
        fail_msg("%s", err.message);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    scratch_init(&f->scratch);
    assert_int_equal(colony_boot_read(&f->boot, NULL), 0);
    open_table(f);
    assert_int_equal(f->damaged, 0);
}

static void fixture_clear(struct fixture *f)
{
    colony_table_close(&f->table);
    scratch_clear(&f->scratch);
}

static void reopen(struct fixture *f)
{
    colony_table_close(&f->table);
    open_table(f);
}

static struct colony_record *claim(struct fixture *f, const char *name, uint32_t slot)
{
    uint32_t index = UINT32_MAX;

    assert_int_equal(colony_table_claim(&f->table, name, slot, &f->boot, &index), 0);
    return &f->table.records[index];
}

static uint32_t index_of(const struct fixture *f, const struct colony_record *record)
{
    return (uint32_t)(record - f->table.records);
}

/* Writes one byte of the file, as a bad disk would. */
static void damage_byte(const struct fixture *f, off_t offset)
{
    int fd = openat(f->scratch.fd, "table", O_RDWR | O_CLOEXEC);
    unsigned char byte;

    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x5a;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    (void)close(fd);
}

static bool exists(const struct fixture *f, const char *name)
{
    return faccessat(f->scratch.fd, name, F_OK, 0) == 0;
}

TEST(test_a_claimed_record_says_who_it_is)
{
    struct fixture f;
    const struct colony_record *record;
    uint64_t before;

    fixture_init(&f);
    before = colony_boot_now_ns();
    record = claim(&f, "web", 3);
    assert_int_equal(colony_record_state(record), RECORD_CLAIMED);
    assert_string_equal(record->name, "web");
    assert_int_equal(record->slot, 3);
    assert_int_equal(record->pid, 0);
    assert_in_range(record->claimed_boot_ns, before, colony_boot_now_ns());
    assert_memory_equal(record->boot_id, f.boot.boot_id, sizeof record->boot_id);
    assert_int_equal(record->pid_namespace, f.boot.pid_namespace);
    assert_true(colony_record_is_sound(record));
    fixture_clear(&f);
}

TEST(test_a_freed_record_is_used_again_under_a_new_id)
{
    struct colony_record *first;
    struct colony_record *again;
    struct fixture f;
    uint64_t id;

    fixture_init(&f);
    first = claim(&f, "web", 1);
    (void)claim(&f, "db", 1);
    id = first->id;
    first->pid = 42;
    colony_table_free_record(&f.table, index_of(&f, first));
    assert_int_equal(f.table.used, 1);
    again = claim(&f, "web", 1);
    assert_ptr_equal(again, first);
    assert_true(again->id > id);
    assert_int_equal(again->pid, 0);
    fixture_clear(&f);
}

TEST(test_ids_are_never_used_twice)
{
    struct fixture f;
    uint64_t last = 0;

    fixture_init(&f);
    for (int round = 0; round < 300; round++) {
        struct colony_record *record = claim(&f, "web", 1);

        assert_true(record->id > last);
        last = record->id;
        colony_table_free_record(&f.table, index_of(&f, record));
        if (round % 50 == 0)
            reopen(&f); /* all free: only the header remembers */
    }
    fixture_clear(&f);
}

TEST(test_a_table_opened_again_has_all_of_it)
{
    struct colony_record *record;
    char instance[COLONY_INSTANCE_SIZE];
    struct fixture f;

    fixture_init(&f);
    memcpy(instance, f.table.header->instance, sizeof instance);
    assert_int_equal(strlen(instance), COLONY_INSTANCE_SIZE - 1);
    for (uint32_t i = 1; i <= 70; i++)
        (void)claim(&f, "web", i);
    record = &f.table.records[65];
    record->pid = 4711;
    colony_record_set_start(record, 99);
    record->note[3] = 7;
    colony_record_set_state(record, RECORD_ALIVE);
    colony_table_free_record(&f.table, 10);
    reopen(&f);
    assert_int_equal(f.damaged, 0);
    assert_int_equal(f.table.used, 69);
    assert_int_equal(f.table.header->high_water, 70);
    assert_string_equal(f.table.header->instance, instance);
    record = &f.table.records[65];
    assert_int_equal(colony_record_state(record), RECORD_ALIVE);
    assert_int_equal(record->slot, 66);
    assert_int_equal(record->pid, 4711);
    assert_int_equal(record->start_ticks, 99);
    assert_int_equal(record->note[3], 7);
    assert_int_equal(index_of(&f, claim(&f, "late", 1)), 10);
    fixture_clear(&f);
}

TEST(test_a_damaged_header_is_moved_aside)
{
    static const off_t places[] = {0, 8, 12, 16, 24}; /* magic, version, sizes, instance */

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char instance[COLONY_INSTANCE_SIZE];
        struct fixture f;
        uint64_t id;

        fixture_init(&f);
        id = claim(&f, "web", 1)->id;
        memcpy(instance, f.table.header->instance, sizeof instance);
        colony_table_close(&f.table);
        damage_byte(&f, places[i]);
        open_table(&f);
        assert_int_equal(f.damaged, UINT32_MAX);
        assert_int_equal(f.table.used, 0);
        assert_true(exists(&f, "table.damaged"));
        /* living processes bear the mark of this instance: it must stay */
        assert_string_equal(f.table.header->instance, instance);
        assert_true(claim(&f, "web", 1)->id > id); /* one that was given before it was lost */
        reopen(&f);
        assert_int_equal(f.damaged, 0);
        fixture_clear(&f);
    }
}

TEST(test_a_damaged_record_is_freed_and_the_others_are_kept)
{
    const struct colony_record *damaged;
    struct fixture f;

    fixture_init(&f);
    for (uint32_t i = 1; i <= 5; i++)
        (void)claim(&f, "web", i);
    damaged = &f.table.records[2];
    damage_byte(&f, (const char *)&damaged->name - (const char *)f.table.header);
    reopen(&f);
    assert_int_equal(f.damaged, 1);
    assert_int_equal(f.table.used, 4);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(colony_record_state(&f.table.records[i]),
                         i == 2 ? RECORD_FREE : RECORD_CLAIMED);
    fixture_clear(&f);
}

TEST(test_a_record_in_no_known_state_is_damaged)
{
    struct fixture f;

    fixture_init(&f);
    colony_record_set_state(claim(&f, "web", 1), (enum colony_record_state)77);
    reopen(&f);
    assert_int_equal(f.damaged, 1);
    assert_int_equal(f.table.used, 0);
    fixture_clear(&f);
}

/* No checksum covers it; ids above 2^53 are not exact in JSON, and past the last come the first. */
TEST(test_a_damaged_next_id_is_told_and_set_right)
{
    static const uint64_t damaged[] = {0, 1ULL << 60, UINT64_MAX};
    struct fixture f;

    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        uint64_t last_id;

        fixture_init(&f);
        (void)claim(&f, "web", 1);
        last_id = claim(&f, "web", 2)->id;
        colony_table_free_record(&f.table, 1); /* nothing tells of it any more */
        f.table.header->next_id = damaged[i];
        reopen(&f);
        assert_int_equal(f.damaged, 1);
        assert_int_equal(f.table.used, 1);
        assert_true(claim(&f, "web", 2)->id > last_id);
        fixture_clear(&f);
    }
}

TEST(test_a_table_that_is_lost_again_at_once_gives_no_id_twice)
{
    static const struct timespec lifetime = {.tv_nsec = 5000000}; /* of 100 forks: less than any */
    uint64_t last_id = 0;
    struct fixture f;

    fixture_init(&f);
    for (int i = 0; i < 5; i++) {
        for (uint32_t slot = 1; slot <= CAPACITY; slot++) {
            uint64_t id = claim(&f, "web", slot)->id;

            assert_true(id > last_id);
            last_id = id;
        }
        assert_true(last_id < 1000000000000000); /* digits in every JSON */
        colony_table_close(&f.table);
        assert_int_equal(unlinkat(f.scratch.fd, "table", 0), 0);
        (void)nanosleep(&lifetime, NULL);
        open_table(&f);
        assert_int_equal(f.damaged, UINT32_MAX);
    }
    fixture_clear(&f);
}

TEST(test_the_checksum_covers_who_a_record_is)
{
    struct colony_record *record;
    struct fixture f;

    fixture_init(&f);
    record = claim(&f, "web", 1);
    for (size_t i = 0; i < offsetof(struct colony_record, checksum); i++) {
        ((unsigned char *)record)[i] ^= 1;
        assert_false(colony_record_is_sound(record));
        ((unsigned char *)record)[i] ^= 1;
    }
    assert_true(colony_record_is_sound(record));
    record->pid = 5; /* what becomes of it is written as it comes */
    record->note[0] = 1;
    colony_record_set_state(record, RECORD_EXITED);
    assert_true(colony_record_is_sound(record));
    fixture_clear(&f);
}

TEST(test_a_truncated_file_is_moved_aside)
{
    static const off_t sizes[] = {0, 1, 4095, 4096, 5000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fixture f;
        int fd;

        fixture_init(&f);
        (void)claim(&f, "web", 1);
        colony_table_close(&f.table);
        fd = openat(f.scratch.fd, "table", O_RDWR | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, sizes[i]), 0);
        (void)close(fd);
        open_table(&f);
        assert_int_equal(f.damaged, UINT32_MAX);
        assert_int_equal(f.table.used, 0);
        assert_true(exists(&f, "table.damaged"));
        fixture_clear(&f);
    }
}

TEST(test_what_is_no_file_is_refused_or_moved_aside)
{
    struct colony_error err = {0};
    struct fixture f;

    fixture_init(&f);
    colony_table_close(&f.table);
    assert_int_equal(unlinkat(f.scratch.fd, "table", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", f.scratch.fd, "table"), 0);
    assert_int_equal(colony_table_open(&f.table, f.scratch.fd, CAPACITY, &f.damaged, &err), -ELOOP);
    assert_non_null(strstr(err.message, "cannot open `table`"));
    assert_int_equal(unlinkat(f.scratch.fd, "table", 0), 0);
    assert_int_equal(mkfifoat(f.scratch.fd, "table", 0600), 0);
    open_table(&f);
    assert_int_equal(f.damaged, UINT32_MAX);
    fixture_clear(&f);
}

TEST(test_a_full_table_says_so)
{
    struct fixture f;
    uint32_t index;

    fixture_init(&f);
    for (uint32_t i = 1; i <= CAPACITY; i++)
        (void)claim(&f, "web", i);
    assert_int_equal(colony_table_claim(&f.table, "web", 1, &f.boot, &index), -ENOSPC);
    assert_int_equal(f.table.used, CAPACITY);
    colony_table_free_record(&f.table, 50);
    assert_int_equal(index_of(&f, claim(&f, "web", 1)), 50);
    assert_int_equal(colony_table_claim(&f.table, "web", 1, &f.boot, &index), -ENOSPC);
    fixture_clear(&f);
}

TEST(test_a_full_table_can_be_opened_again)
{
    struct fixture f;

    fixture_init(&f);
    for (uint32_t i = 1; i <= CAPACITY; i++)
        (void)claim(&f, "web", i);
    reopen(&f);
    assert_int_equal(f.damaged, 0);
    assert_int_equal(f.table.used, CAPACITY);
    fixture_clear(&f);
}

TEST(test_a_second_mapping_sees_what_the_first_writes)
{
    struct colony_record *record;
    struct colony_table engine;
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(
        colony_table_map(&engine, openat(f.scratch.fd, "table", O_RDONLY | O_CLOEXEC), NULL), 0);
    assert_int_equal(engine.header->high_water, 0);
    record = claim(&f, "web", 4);
    record->pid = 12;
    colony_record_set_state(record, RECORD_ALIVE);
    assert_int_equal(engine.header->high_water, 1);
    assert_int_equal(colony_record_state(&engine.records[0]), RECORD_ALIVE);
    assert_int_equal(engine.records[0].pid, 12);
    assert_string_equal(engine.records[0].name, "web");
    assert_true(colony_record_is_sound(&engine.records[0]));
    colony_table_close(&engine);
    fixture_clear(&f);
}

static void write_to_mapping(void *data)
{
    struct colony_table *engine = data;

    (void)signal(SIGSEGV, SIG_DFL);
    engine->header->next_id = 5;
}

TEST(test_the_second_mapping_cannot_be_written)
{
    struct colony_table engine;
    struct fixture f;
    int status;
    pid_t pid;

    fixture_init(&f);
    assert_int_equal(
        colony_table_map(&engine, openat(f.scratch.fd, "table", O_RDONLY | O_CLOEXEC), NULL), 0);
    pid = fork();
    if (pid == 0) {
        write_to_mapping(&engine);
        _exit(0);
    }
    status = wait_for_child(pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    colony_table_close(&engine);
    fixture_clear(&f);
}

TEST(test_only_a_table_is_mapped)
{
    struct colony_error err = {0};
    struct colony_table engine;
    struct fixture f;
    unsigned fds;

    fixture_init(&f);
    damage_byte(&f, 0);
    fds = count_fds();
    assert_int_equal(
        colony_table_map(&engine, openat(f.scratch.fd, "table", O_RDONLY | O_CLOEXEC), &err),
        -EBADMSG);
    assert_non_null(strstr(err.message, "cannot read the keeper's table"));
    assert_int_equal(
        colony_table_map(&engine, openat(f.scratch.fd, "instance", O_RDONLY | O_CLOEXEC), &err),
        -EBADMSG);
    assert_int_equal(count_fds(), fds);
    fixture_clear(&f);
}

TEST(test_a_name_that_is_too_long_is_cut_and_sound)
{
    char name[COLONY_RECORD_NAME_SIZE + 50];
    const struct colony_record *record;
    struct fixture f;

    fixture_init(&f);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    record = claim(&f, name, 1);
    assert_int_equal(strlen(record->name), COLONY_RECORD_NAME_SIZE - 1);
    assert_true(colony_record_is_sound(record));
    fixture_clear(&f);
}

TEST(test_two_folders_are_two_instances)
{
    struct fixture one;
    struct fixture two;

    fixture_init(&one);
    fixture_init(&two);
    assert_string_not_equal(one.table.header->instance, two.table.header->instance);
    fixture_clear(&one);
    fixture_clear(&two);
}

TEST(test_only_its_owner_may_read_the_table)
{
    struct stat info;
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(fstatat(f.scratch.fd, "table", &info, 0), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    fixture_clear(&f);
}

TEST(test_a_process_has_the_start_time_of_proc_stat)
{
    uint64_t ticks = colony_proc_start_ticks(getpid());
    int status;
    pid_t pid;

    assert_true(ticks > 0);
    assert_int_equal(colony_proc_start_ticks(getpid()), ticks);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_NAME, ") x (a b", 0, 0, 0); /* must not be taken for fields */
        _exit(colony_proc_start_ticks(getpid()) >= ticks &&
                      colony_proc_start_ticks(getpid()) < ticks + 360000
                  ? 0
                  : 1);
    }
    status = wait_for_child(pid);
    assert_int_equal(status, 0);
    assert_int_equal(colony_proc_start_ticks(pid), 0);
}

TEST(test_an_empty_table_grows_with_the_limit_and_a_used_one_stays)
{
    struct colony_error err = {0};
    struct fixture f;
    uint64_t last_id;

    fixture_init(&f);
    last_id = claim(&f, "web", 1)->id;
    colony_table_close(&f.table);
    assert_int_equal(colony_table_open(&f.table, f.scratch.fd, CAPACITY * 2, &f.damaged, &err), 0);
    assert_int_equal(f.table.header->capacity, CAPACITY);
    colony_table_free_record(&f.table, 0);
    colony_table_close(&f.table);
    assert_int_equal(colony_table_open(&f.table, f.scratch.fd, CAPACITY * 2, &f.damaged, &err), 0);
    assert_int_equal(f.damaged, 0);
    assert_int_equal(f.table.header->capacity, CAPACITY * 2);
    assert_true(claim(&f, "web", 1)->id > last_id);
    fixture_clear(&f);
}

TEST(test_a_process_has_its_parent_and_one_that_is_gone_has_none)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    assert_int_equal(colony_proc_parent(child), getpid());
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(colony_proc_parent(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_table_grows_with_the_limit_and_a_used_one_stays),
        cmocka_unit_test(test_a_claimed_record_says_who_it_is),
        cmocka_unit_test(test_a_freed_record_is_used_again_under_a_new_id),
        cmocka_unit_test(test_ids_are_never_used_twice),
        cmocka_unit_test(test_a_table_opened_again_has_all_of_it),
        cmocka_unit_test(test_a_damaged_header_is_moved_aside),
        cmocka_unit_test(test_a_damaged_record_is_freed_and_the_others_are_kept),
        cmocka_unit_test(test_a_record_in_no_known_state_is_damaged),
        cmocka_unit_test(test_a_damaged_next_id_is_told_and_set_right),
        cmocka_unit_test(test_a_table_that_is_lost_again_at_once_gives_no_id_twice),
        cmocka_unit_test(test_the_checksum_covers_who_a_record_is),
        cmocka_unit_test(test_a_truncated_file_is_moved_aside),
        cmocka_unit_test(test_what_is_no_file_is_refused_or_moved_aside),
        cmocka_unit_test(test_a_full_table_says_so),
        cmocka_unit_test(test_a_full_table_can_be_opened_again),
        cmocka_unit_test(test_a_second_mapping_sees_what_the_first_writes),
        cmocka_unit_test(test_the_second_mapping_cannot_be_written),
        cmocka_unit_test(test_only_a_table_is_mapped),
        cmocka_unit_test(test_a_name_that_is_too_long_is_cut_and_sound),
        cmocka_unit_test(test_two_folders_are_two_instances),
        cmocka_unit_test(test_only_its_owner_may_read_the_table),
        cmocka_unit_test(test_a_process_has_the_start_time_of_proc_stat),
        cmocka_unit_test(test_a_process_has_its_parent_and_one_that_is_gone_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
