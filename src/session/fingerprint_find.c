/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_find.c - which of all living processes is the one that was saved.
 *
 * A hash of each command line is kept, sorted: looking for many that do not run costs no walk over
 * /proc for each, and only who may be it is looked at closely.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "core/sweep.h"
#include "core/table.h"
#include "session/fingerprint_internal.h"

enum {
    FOLDER_SIZE = 32, /* /proc/PID */
    MARK_SIZE = 512,  /* a longer one is nobody's */
    BUFFER_BYTES = 4096,
};

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct command_line {
    uint64_t hash;
    pid_t pid;
    bool is_taken;
};

struct colony_process_index {
    struct command_line *items; /* by hash, then by pid */
    size_t count;
    size_t room;
    struct colony_socket_table *sockets; /* read once there is somebody to look at */
};

struct search {
    struct colony_process_index *index;
    const struct colony_fingerprint *saved;
    const char *mark;
    struct command_line *best;
    double best_score;
    uint64_t best_start_ticks;
};

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
    return hash;
}

static int compare(const void *left, const void *right)
{
    const struct command_line *a = left;
    const struct command_line *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

/* FNV_BASIS: it has none, has ended, or is not ours. */
static uint64_t hash_command_line(int proc, const char *pid)
{
    char path[64];
    char buffer[BUFFER_BYTES];
    struct stat info;
    uint64_t hash = FNV_BASIS;
    ssize_t size;
    int fd;

    if (fstatat(proc, pid, &info, 0) < 0 || info.st_uid != geteuid())
        return FNV_BASIS;
    (void)snprintf(path, sizeof path, "%.32s/cmdline", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FNV_BASIS;
    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        hash = hash_bytes(hash, buffer, (size_t)size);
    (void)close(fd);
    return hash;
}

static int add(struct colony_process_index *index, int proc, const char *text)
{
    pid_t pid = isdigit((unsigned char)text[0]) ? (pid_t)strtol(text, NULL, 10) : 0;
    uint64_t hash = pid > 0 && pid != getpid() ? hash_command_line(proc, text) : FNV_BASIS;
    struct command_line *grown;

    if (hash == FNV_BASIS)
        return 0;
    grown = colony_array_room(index->items, index->count, &index->room, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    index->items = grown;
    grown[index->count++] = (struct command_line){.hash = hash, .pid = pid};
    return 0;
}

static int read_all(struct colony_process_index *index)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    int rc = 0;

    if (!proc)
        return -errno;
    while (rc == 0 && (entry = readdir(proc)))
        rc = add(index, dirfd(proc), entry->d_name);
    (void)closedir(proc);
    return rc;
}

int colony_process_index_new(struct colony_process_index **out, struct colony_error *err)
{
    struct colony_process_index *index = calloc(1, sizeof *index);
    int rc = index ? read_all(index) : -ENOMEM;

    if (rc < 0) {
        colony_process_index_free(index);
        return colony_fail_os(err, rc, "cannot look for processes in /proc");
    }
    if (index->items)
        qsort(index->items, index->count, sizeof *index->items, compare);
    *out = index;
    return 0;
}

void colony_process_index_free(struct colony_process_index *index)
{
    if (!index)
        return;
    colony_socket_table_free(index->sockets);
    free(index->items);
    free(index);
}

void colony_process_index_take(struct colony_process_index *index, pid_t pid)
{
    for (size_t i = 0; i < index->count; i++)
        if (index->items[i].pid == pid)
            index->items[i].is_taken = true;
}

static bool has_same_cmdline(const struct colony_fingerprint *saved, int folder)
{
    struct colony__items items = {0};
    struct colony_fingerprint live = {0};
    bool is_same;

    if (colony__cmdline_read(&items, folder) < 0)
        return false;
    colony__items_settle(&items, FIELD_CMDLINE, &live);
    is_same = live.fields[FIELD_CMDLINE].count == saved->fields[FIELD_CMDLINE].count;
    for (size_t i = 0; is_same && i < live.fields[FIELD_CMDLINE].count; i++)
        is_same =
            strcmp(live.fields[FIELD_CMDLINE].items[i], saved->fields[FIELD_CMDLINE].items[i]) == 0;
    colony_fingerprint_clear(&live);
    return is_same;
}

/* One that another colony or session has marked as its own is left to it. */
static bool is_others(const struct search *search, pid_t pid)
{
    char mark[MARK_SIZE];

    return search->mark && colony_proc_get_env(pid, "COLONY_ID", mark, sizeof mark) &&
           strcmp(mark, search->mark) != 0;
}

/* Equal hashes are not the same yet, and its number may be another's by now. */
static bool may_be(const struct search *search, pid_t pid)
{
    char path[FOLDER_SIZE];
    struct stat info;
    bool may;
    int folder;

    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    may = fstat(folder, &info) == 0 && info.st_uid == geteuid() &&
          has_same_cmdline(search->saved, folder) && !is_others(search, pid);
    (void)close(folder);
    return may;
}

/* Of those that look alike the eldest: a process and the children that it has just forked. */
static void weigh(struct search *search, struct command_line *item)
{
    struct colony_fingerprint live = {0};
    uint64_t start_ticks = colony_proc_start_ticks(item->pid);
    double score;

    if (!search->index->sockets)
        (void)colony_socket_table_read(&search->index->sockets, getpid(), NULL);
    if (start_ticks == 0 ||
        colony_fingerprint_take(&live, item->pid, search->index->sockets, NULL) < 0)
        return;
    score = colony_fingerprint_score(search->saved, &live);
    colony_fingerprint_clear(&live);
    if (search->best && (score < search->best_score ||
                         (score == search->best_score && start_ticks >= search->best_start_ticks)))
        return;
    search->best = item;
    search->best_score = score;
    search->best_start_ticks = start_ticks;
}

/* The place of the first of that hash, or where it would be. */
static size_t first_of(const struct colony_process_index *index, uint64_t hash)
{
    size_t low = 0;
    size_t high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->items[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

pid_t colony_process_index_find(struct colony_process_index *index,
                                const struct colony_fingerprint *saved, const char *mark)
{
    struct search search = {.index = index, .saved = saved, .mark = mark};
    uint64_t hash = FNV_BASIS;

    for (size_t i = 0; i < saved->fields[FIELD_CMDLINE].count; i++) {
        const char *item = saved->fields[FIELD_CMDLINE].items[i];

        hash = hash_bytes(hash, item, strlen(item) + 1);
    }
    if (hash == FNV_BASIS)
        return 0;
    for (size_t i = first_of(index, hash); i < index->count && index->items[i].hash == hash; i++)
        if (!index->items[i].is_taken && may_be(&search, index->items[i].pid))
            weigh(&search, &index->items[i]);
    if (!search.best)
        return 0;
    search.best->is_taken = true;
    return search.best->pid;
}
