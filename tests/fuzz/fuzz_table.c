/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's table as a file that anything may have happened to, and taking over from it.
 *
 * An input is a byte that says what is made right (so that not every one is refused by a checksum),
 * a header and records.
 */
#include "keeper.h"

enum {
    HEADER_BYTES = 4096,
    TABLE_RECORDS = 4, /* in the file; the keeper wants more */
    MAKE_HEADER_SOUND = 1 << 0,
    MAKE_RECORDS_SOUND = 1 << 1,
    MAKE_RECORDS_OURS = 1 << 2, /* of this boot */
    MAKE_SIZE_RIGHT = 1 << 3,
};

static uint64_t sum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037ULL;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    return hash;
}

static void make_sound(struct colony_record *record, const struct colony_boot *boot, uint8_t how)
{
    if (how & MAKE_RECORDS_OURS) {
        memcpy(record->boot_id, boot->boot_id, sizeof record->boot_id);
        record->pid_namespace = boot->pid_namespace;
    }
    if (!(how & MAKE_RECORDS_SOUND))
        return;
    record->checksum = sum(record, offsetof(struct colony_record, checksum));
    colony_record_set_start(record, record->start_ticks);
}

/* True when a file was made. */
static bool write_table(const struct keeper *keeper, struct fuzz_input *input)
{
    uint8_t how = fuzz_byte(input);
    struct colony_table_header header;
    struct colony_record record;
    off_t at = HEADER_BYTES;
    int fd;

    if (input->left == 0)
        return false;
    fd = openat(keeper->state_fd, "table", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    fuzz_take(input, &header, sizeof header);
    header.checksum = how & MAKE_HEADER_SOUND
                          ? sum(&header, offsetof(struct colony_table_header, checksum))
                          : header.checksum;
    CHECK(pwrite(fd, &header, sizeof header, 0) == (ssize_t)sizeof header);
    for (uint32_t i = 0; i < TABLE_RECORDS && input->left > 0; i++, at += (off_t)sizeof record) {
        fuzz_take(input, &record, sizeof record);
        make_sound(&record, &keeper->boot, how);
        CHECK(pwrite(fd, &record, sizeof record, at) == (ssize_t)sizeof record);
    }
    if (how & MAKE_SIZE_RIGHT)
        at = HEADER_BYTES + (off_t)(header.capacity % 256) * (off_t)sizeof record;
    CHECK(ftruncate(fd, at) == 0);
    (void)close(fd);
    return true;
}

/* It can be filled to its end, with ids that were never given. */
static void fill(struct keeper *keeper)
{
    struct colony_table *table = &keeper->table;
    uint64_t last = table->header->next_id;
    uint32_t index;

    while (table->used < table->header->capacity) {
        CHECK(colony_table_claim(table, "filled", 1, &keeper->boot, &index) == 0);
        CHECK(index < table->header->capacity && table->records[index].id >= last);
        keeper_init_process(&keeper->processes[index]);
        last = table->records[index].id;
        CHECK(table->header->next_id > last);
        colony_record_set_state(&table->records[index], RECORD_FAILED);
    }
    CHECK(colony_table_claim(table, "filled", 1, &keeper->boot, &index) == -ENOSPC);
}

/* What was made right stays right, also for who only reads it. */
static void check_again(struct fuzz_keeper *fixture)
{
    struct keeper *keeper = &fixture->keeper;
    uint32_t used = keeper->table.used;
    struct colony_table mapped;
    int fd = openat(keeper->state_fd, "table", O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0 && colony_table_map(&mapped, fd, NULL) == 0);
    CHECK(mapped.header->next_id == keeper->table.header->next_id);
    colony_table_close(&mapped);
    free(keeper->processes);
    colony_table_close(&keeper->table);
    CHECK(fuzz_keeper_open(fixture) == 0);
    CHECK(keeper->table.used == used);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A keeper that takes over closes the pipes that it finds no use for: of ours none may be left. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct colony_own_pipes pipes;

    (void)argc, (void)argv;
    CHECK(colony_own_pipes_read(&pipes, -1) == 0);
    colony_own_pipes_clear(&pipes);
    if (fcntl(fuzz_stderr, F_GETFD) < 0)
        fuzz_stderr = STDERR_FILENO;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_keeper *fixture = fuzz_keeper_begin();
    struct keeper *keeper = &fixture->keeper;
    bool was_there = write_table(keeper, &input);
    uint32_t damaged = fuzz_keeper_open(fixture);

    CHECK(was_there || damaged == 0);
    CHECK(strlen(keeper->table.header->instance) == COLONY_INSTANCE_SIZE - 1);
    check_again(fixture);
    keeper_take_over(keeper, 0); /* not looking for marks: /proc is not the input's */
    fuzz_keeper_check(keeper);
    fuzz_keeper_connect(fixture);
    fuzz_keeper_check(keeper);
    fill(keeper);
    fuzz_keeper_end(fixture);
    return 0;
}
