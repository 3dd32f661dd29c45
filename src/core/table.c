/* SPDX-License-Identifier: Apache-2.0 */
#include "core/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/table_internal.h"

enum {
    HEADER_BYTES = 4096,
    RECORDS_A_CHUNK = 64,
};

static const uint64_t id_max = 1ULL << 53; /* above it a number of JSON is no longer exact */

static const char table_magic[8] = "colony\n";

/* FNV-1a: finds damage, is no defence against malice (the file is 0600). */
static uint64_t checksum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t sum = 14695981039346656037ULL;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * 1099511628211ULL;
    return sum;
}

static uint64_t record_checksum(const struct colony_record *record)
{
    return checksum(record, offsetof(struct colony_record, checksum));
}

static uint64_t header_checksum(const struct colony_table_header *header)
{
    return checksum(header, offsetof(struct colony_table_header, checksum));
}

static uint64_t life_checksum(const struct colony_record *record, uint64_t start_ticks)
{
    const uint64_t life[] = {record->id, (uint64_t)record->pid, start_ticks};

    return checksum(life, sizeof life);
}

void colony_record_set_start(struct colony_record *record, uint64_t start_ticks)
{
    record->life_checksum = life_checksum(record, start_ticks);
    atomic_signal_fence(memory_order_release); /* we may be killed between the two */
    record->start_ticks = start_ticks;
}

bool colony_record_is_sound(const struct colony_record *record)
{
    if (record->id == 0 || record->id > id_max)
        return false;
    if (record->start_ticks != 0 &&
        record->life_checksum != life_checksum(record, record->start_ticks))
        return false;
    return record->checksum == record_checksum(record) &&
           memchr(record->name, '\0', sizeof record->name) && record->name[0] != '\0';
}

enum colony_record_state colony_record_state(const struct colony_record *record)
{
    return (enum colony_record_state)atomic_load_explicit(&record->state, memory_order_acquire);
}

void colony_record_set_state(struct colony_record *record, enum colony_record_state state)
{
    atomic_store_explicit(&record->state, (uint32_t)state, memory_order_release);
}

static uint64_t wall_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t colony_wall_now_ms(void)
{
    return wall_now_us() / 1000;
}

uint64_t colony_id_after_loss(void)
{
    return wall_now_us() / 10;
}

uint64_t colony_boot_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static int parse_boot_id(uint8_t out[16], const char *text)
{
    size_t digits = 0;

    for (; *text != '\0' && digits < 32; text++) {
        const char *digit = strchr("0123456789abcdef", *text);

        if (*text == '-')
            continue;
        if (!digit)
            return -EINVAL;
        out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | (digit - "0123456789abcdef"));
        digits++;
    }
    return digits == 32 ? 0 : -EINVAL;
}

int colony_boot_read(struct colony_boot *out, struct colony_error *err)
{
    char text[64] = "";
    struct stat namespace;
    ssize_t count;
    int fd;

    memset(out, 0, sizeof *out);
    out->ticks_per_second = (uint64_t)sysconf(_SC_CLK_TCK);
    fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot read the boot id (is /proc mounted?)");
    count = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[count > 0 ? count : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (parse_boot_id(out->boot_id, text) < 0)
        return colony_fail(err, -EINVAL, "cannot read the boot id: unexpected `%s`", text);
    if (stat("/proc/self/ns/pid", &namespace) == 0)
        out->pid_namespace = namespace.st_ino;
    return 0;
}

/* proc(5) counts fields of /proc/PID/stat from 1: one behind the state. 0: no such process. */
static uint64_t read_stat(pid_t pid, int wanted)
{
    char path[32];
    char text[1024];
    const char *cursor;
    ssize_t count;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    count = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (count <= 0)
        return 0;
    text[count] = '\0';
    cursor = strrchr(text, ')'); /* the command may hold spaces and parentheses; proc(5) */
    if (!cursor || cursor[1] == '\0' || cursor[2] == 'X')
        return 0;
    for (int field = 2; field < wanted; field++) {
        cursor = strchr(cursor + 1, ' ');
        if (!cursor)
            return 0;
    }
    return strtoull(cursor + 1, NULL, 10);
}

uint64_t colony_proc_start_ticks(pid_t pid)
{
    return read_stat(pid, 22);
}

pid_t colony_proc_parent(pid_t pid)
{
    return (pid_t)read_stat(pid, 4);
}

static bool is_table(const struct colony_table *table, size_t size)
{
    const struct colony_table_header *header = table->header;

    return memcmp(header->magic, table_magic, sizeof table_magic) == 0 &&
           header->version == COLONY_TABLE_VERSION &&
           header->record_size == sizeof(struct colony_record) &&
           header->checksum == header_checksum(header) && header->high_water <= header->capacity &&
           size == HEADER_BYTES + (size_t)header->capacity * sizeof(struct colony_record);
}

static int map_file(struct colony_table *table, int fd, size_t size, int protection)
{
    void *map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return -errno;
    table->header = map;
    table->records = (struct colony_record *)(void *)((char *)map + HEADER_BYTES);
    table->size_bytes = size;
    table->fd = fd;
    return 0;
}

static void unmap(struct colony_table *table)
{
    if (table->header)
        (void)munmap(table->header, table->size_bytes);
    memset(table, 0, sizeof *table);
    table->fd = -1;
}

void colony_table_close(struct colony_table *table)
{
    int fd = table->fd;

    unmap(table);
    if (fd >= 0)
        (void)close(fd);
}

int colony__table_fill(struct colony_table *table, int fd, uint32_t capacity,
                       struct colony_error *err)
{
    size_t size = HEADER_BYTES + (size_t)capacity * sizeof(struct colony_record);
    struct colony_table_header *header;
    int rc = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;

    if (rc == 0)
        rc = -posix_fallocate(fd, 0, HEADER_BYTES);
    if (rc == 0)
        rc = map_file(table, fd, size, PROT_READ | PROT_WRITE);
    if (rc < 0) {
        (void)close(fd);
        return colony_fail_os(err, rc, "cannot make `table` in the state folder");
    }
    header = table->header;
    memcpy(header->magic, table_magic, sizeof header->magic);
    header->version = COLONY_TABLE_VERSION;
    header->record_size = sizeof(struct colony_record);
    header->capacity = capacity;
    header->next_id = 1;
    return 0;
}

static int make_table(struct colony_table *table, int state_fd, uint32_t capacity,
                      struct colony_error *err)
{
    int fd = openat(state_fd, "table", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot make `table` in the state folder");
    rc = colony__table_fill(table, fd, capacity, err);
    if (rc < 0)
        (void)unlinkat(state_fd, "table", 0);
    return rc;
}

void colony__table_set_instance(struct colony_table *table, const char *instance)
{
    (void)snprintf(table->header->instance, sizeof table->header->instance, "%s", instance);
    table->header->checksum = header_checksum(table->header);
}

/* Maps what is there. -EBADMSG: it is no table, or one of another shape. */
static int open_file(struct colony_table *table, int state_fd)
{
    struct stat info;
    int fd;
    int rc;

    fd = openat(state_fd, "table", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size < HEADER_BYTES) {
        (void)close(fd);
        return -EBADMSG;
    }
    rc = map_file(table, fd, (size_t)info.st_size, PROT_READ | PROT_WRITE);
    if (rc == 0 && is_table(table, (size_t)info.st_size))
        return 0;
    unmap(table);
    (void)close(fd);
    return rc < 0 ? rc : -EBADMSG;
}

/* No checksum covers the next id, which changes all the time. */
static uint32_t check_next_id(struct colony_table_header *header)
{
    if (header->next_id > 0 && header->next_id <= id_max)
        return 0;
    header->next_id = colony_id_after_loss();
    return 1;
}

/* Frees what cannot be believed; a process behind it is found again by its mark. */
static uint32_t drop_damaged_records(struct colony_table *table)
{
    uint32_t damaged = check_next_id(table->header);

    for (uint32_t i = 0; i < table->header->high_water; i++) {
        struct colony_record *record = &table->records[i];

        if (colony_record_state(record) == RECORD_FREE)
            continue;
        if (colony_record_state(record) > RECORD_FAILED || !colony_record_is_sound(record)) {
            memset(record, 0, sizeof *record);
            damaged++;
            continue;
        }
        table->used++;
        if (record->id >= table->header->next_id)
            table->header->next_id = record->id + 1;
    }
    return damaged;
}

/* A table made under a lower limit of descriptors is made anew while nothing stands in it. */
static int grow_empty(struct colony_table *table, int state_fd, uint32_t capacity,
                      struct colony_error *err)
{
    char instance[sizeof table->header->instance];
    uint64_t next_id = table->header->next_id;
    int rc;

    if (table->used > 0 || table->header->capacity >= capacity)
        return 0;
    (void)snprintf(instance, sizeof instance, "%s", table->header->instance);
    colony_table_close(table);
    if (unlinkat(state_fd, "table", 0) < 0)
        return colony_fail_os(err, -errno, "cannot make `table` in the state folder anew");
    rc = make_table(table, state_fd, capacity, err);
    if (rc < 0)
        return rc;
    (void)snprintf(table->header->instance, sizeof table->header->instance, "%s", instance);
    table->header->next_id = next_id; /* ids are never given twice */
    return 0;
}

int colony_table_open(struct colony_table *table, int state_fd, uint32_t capacity,
                      uint32_t *damaged_records, struct colony_error *err)
{
    char instance[COLONY_INSTANCE_SIZE];
    int rc;

    memset(table, 0, sizeof *table);
    table->fd = -1;
    *damaged_records = 0;
    rc = open_file(table, state_fd);
    if (rc == -EBADMSG)
        (void)renameat(state_fd, "table", state_fd, "table.damaged");
    else if (rc < 0 && rc != -ENOENT)
        return colony_fail_os(err, rc, "cannot open `table` in the state folder");
    if (rc < 0) {
        colony__instance_read(state_fd, instance);
        *damaged_records = rc == -EBADMSG || instance[0] != '\0' ? UINT32_MAX : 0;
        rc = make_table(table, state_fd, capacity, err);
        if (rc < 0)
            return rc;
        if (*damaged_records > 0)
            table->header->next_id = colony_id_after_loss();
    } else {
        *damaged_records = drop_damaged_records(table);
        rc = grow_empty(table, state_fd, capacity, err);
        if (rc < 0)
            return rc;
    }
    rc = colony__instance_settle(state_fd, table->header->instance, instance, err);
    if (rc < 0) {
        colony_table_close(table);
        return rc;
    }
    colony__table_set_instance(table, instance);
    return 0;
}

int colony_table_map(struct colony_table *table, int fd, struct colony_error *err)
{
    struct stat info;
    int rc = 0;

    memset(table, 0, sizeof *table);
    table->fd = -1;
    if (fstat(fd, &info) < 0 || info.st_size < HEADER_BYTES)
        rc = -EBADMSG;
    if (rc == 0)
        rc = map_file(table, fd, (size_t)info.st_size, PROT_READ);
    if (rc == 0 && is_table(table, (size_t)info.st_size))
        return 0;
    unmap(table);
    (void)close(fd);
    return colony_fail(err, rc < 0 ? rc : -EBADMSG, "cannot read the keeper's table");
}

static struct colony_record *find_free(struct colony_table *table, uint32_t *index)
{
    struct colony_table_header *header = table->header;

    for (uint32_t i = table->free_hint; i < header->high_water; i++) {
        if (colony_record_state(&table->records[i]) != RECORD_FREE)
            continue;
        table->free_hint = i + 1;
        *index = i;
        return &table->records[i];
    }
    table->free_hint = header->high_water;
    if (header->high_water == header->capacity)
        return NULL;
    *index = header->high_water;
    return &table->records[header->high_water];
}

/* A full disk is told here; a page that cannot be had later would be a SIGBUS. */
static int allocate_chunk(const struct colony_table *table, uint32_t first)
{
    const off_t size = (off_t)sizeof(struct colony_record);
    uint32_t left = table->header->capacity - first; /* the file must not grow by this */
    uint32_t count = left < RECORDS_A_CHUNK ? left : RECORDS_A_CHUNK;

    return -posix_fallocate(table->fd, HEADER_BYTES + first * size, count * size);
}

/* Of no state yet: nobody sees it. */
static int take_record(struct colony_table *table, uint32_t *index)
{
    struct colony_record *record = find_free(table, index);

    if (!record)
        return -ENOSPC;
    if (*index == table->header->high_water) {
        int rc = *index % RECORDS_A_CHUNK == 0 ? allocate_chunk(table, *index) : 0;

        if (rc < 0)
            return rc;
        table->header->high_water++;
        table->free_hint = table->header->high_water;
    }
    memset(record, 0, sizeof *record);
    record->id = table->header->next_id++;
    return 0;
}

static void identify(struct colony_record *record, const char *name, uint32_t slot,
                     const struct colony_boot *boot)
{
    record->pid_namespace = boot->pid_namespace;
    memcpy(record->boot_id, boot->boot_id, sizeof record->boot_id);
    record->slot = slot;
    (void)snprintf(record->name, sizeof record->name, "%s", name);
    record->checksum = record_checksum(record);
}

int colony_table_claim(struct colony_table *table, const char *name, uint32_t slot,
                       const struct colony_boot *boot, uint32_t *index)
{
    struct colony_record *record;
    int rc = take_record(table, index);

    if (rc < 0)
        return rc;
    record = &table->records[*index];
    record->claimed_boot_ns = colony_boot_now_ns();
    identify(record, name, slot, boot);
    colony_record_set_state(record, RECORD_CLAIMED);
    table->used++;
    return 0;
}

int colony_table_enter(struct colony_table *table, const struct colony_newcomer *newcomer,
                       const struct colony_boot *boot, uint32_t *index)
{
    uint64_t now_ns = colony_boot_now_ns();
    struct colony_record *record;
    int rc = take_record(table, index);

    if (rc < 0)
        return rc;
    record = &table->records[*index];
    record->claimed_boot_ns =
        newcomer->start_ticks * (UINT64_C(1000000000) / boot->ticks_per_second);
    if (record->claimed_boot_ns > now_ns)
        record->claimed_boot_ns = now_ns; /* of a time namespace with another zero */
    record->spawned_at_ms = colony_wall_now_ms() - (now_ns - record->claimed_boot_ns) / 1000000;
    identify(record, newcomer->name, newcomer->slot, boot);
    record->flags = newcomer->flags;
    record->pid = newcomer->pid;
    memcpy(record->note, newcomer->note, sizeof record->note);
    colony_record_set_start(record, newcomer->start_ticks);
    colony_record_set_state(record, RECORD_ALIVE);
    table->used++;
    return 0;
}

void colony_table_free_record(struct colony_table *table, uint32_t index)
{
    colony_record_set_state(&table->records[index], RECORD_FREE);
    table->used--;
    if (index < table->free_hint)
        table->free_hint = index;
}
