/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_find.c - which processes of a session live: those that the database notes, told from
 * strangers by their start time and boot; else those that resemble what was saved of them.
 *
 * The command lines of all processes of ours are read once, so that looking for many that do not
 * run costs no walk over /proc for each.
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
#include "core/table.h"
#include "core/template.h"
#include "session/fingerprint.h"
#include "session/look_internal.h"
#include "session/workspace.h"

enum {
    BUFFER_BYTES = 4096,
};

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

struct finding {
    struct session_look *look;
    struct colony_workspace *workspace;
    uint64_t *hashes; /* of command lines; sorted */
    size_t hash_count;
    size_t hash_room;
    pid_t *taken;
    size_t taken_count;
    char instance[COLONY_INSTANCE_SIZE];
};

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
    return hash;
}

static int compare_hashes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

static void add_hash(struct finding *finding, uint64_t hash)
{
    uint64_t *grown =
        colony_array_room(finding->hashes, finding->hash_count, &finding->hash_room, sizeof *grown);

    if (!grown)
        return; /* it is not found, and a new one is started: as if it had been elsewhere */
    finding->hashes = grown;
    grown[finding->hash_count++] = hash;
}

static void read_command_line(struct finding *finding, int proc, const char *pid)
{
    char path[64];
    char buffer[BUFFER_BYTES];
    struct stat info;
    uint64_t hash = FNV_BASIS;
    ssize_t size;
    int fd;

    if (fstatat(proc, pid, &info, 0) < 0 || info.st_uid != geteuid())
        return;
    (void)snprintf(path, sizeof path, "%.32s/cmdline", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* it has ended meanwhile */
    while ((size = read(fd, buffer, sizeof buffer)) > 0)
        hash = hash_bytes(hash, buffer, (size_t)size);
    (void)close(fd);
    if (hash != FNV_BASIS)
        add_hash(finding, hash);
}

static void read_command_lines(struct finding *finding)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]))
            read_command_line(finding, dirfd(proc), entry->d_name);
    if (proc)
        (void)closedir(proc);
    if (finding->hash_count > 0)
        qsort(finding->hashes, finding->hash_count, sizeof *finding->hashes, compare_hashes);
}

static bool may_run(const struct finding *finding, const struct colony_fingerprint *saved)
{
    uint64_t hash = FNV_BASIS;

    if (finding->hash_count == 0)
        return false;
    for (size_t i = 0; i < saved->fields[FIELD_CMDLINE].count; i++) {
        const char *item = saved->fields[FIELD_CMDLINE].items[i];

        hash = hash_bytes(hash, item, strlen(item) + 1);
    }
    return bsearch(&hash, finding->hashes, finding->hash_count, sizeof hash, compare_hashes);
}

/* What was saved of it, or at least how it would be run: then its items are @process's. */
static void find(struct finding *finding, struct look_item *item)
{
    const struct colony_session_process *process = &finding->look->list.items[item->index];
    char mark[COLONY_INSTANCE_SIZE + COLONY_NAME_MAX + sizeof "//1"];
    const struct colony_fingerprint_limits limits = {finding->taken, finding->taken_count, mark};
    struct colony_fingerprint saved = {0};
    bool is_saved =
        colony_fingerprint_load(&saved, finding->workspace, process->name, NULL, NULL) == 0;

    if (!is_saved) {
        saved = (struct colony_fingerprint){0};
        saved.fields[FIELD_CMDLINE].items = process->cmdline;
        while (process->cmdline && process->cmdline[saved.fields[FIELD_CMDLINE].count])
            saved.fields[FIELD_CMDLINE].count++;
    }
    (void)snprintf(mark, sizeof mark, "%s/%s/1", finding->instance, process->name);
    if (may_run(finding, &saved))
        item->pid = colony_fingerprint_find_process(&saved, &limits);
    if (item->pid > 0) {
        item->start_ticks = colony_proc_start_ticks(item->pid);
        finding->taken[finding->taken_count++] = item->pid;
    }
    if (is_saved)
        colony_fingerprint_clear(&saved);
}

static void note(struct finding *finding, struct look_item *item)
{
    const struct colony_session_process *process = &finding->look->list.items[item->index];
    int fd = process->pid > 0 ? colony_session_process_pidfd(process) : -ESRCH;

    if (fd < 0)
        return;
    (void)close(fd);
    item->is_noted = true;
    item->pid = process->pid;
    item->start_ticks =
        process->start_ticks ? process->start_ticks : colony_proc_start_ticks(process->pid);
    finding->taken[finding->taken_count++] = item->pid;
}

static void read_instance(struct finding *finding)
{
    int fd = open(colony_workspace_state_dir(finding->workspace), O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || colony_instance_settle(fd, finding->instance, NULL) < 0)
        finding->instance[0] = '\0'; /* a mark of nobody's */
    if (fd >= 0)
        (void)close(fd);
}

void session_look_find(struct session_look *look, struct colony_workspace *workspace, bool finds)
{
    struct finding finding = {.look = look, .workspace = workspace};

    finding.taken = calloc(look->count + 1, sizeof *finding.taken);
    if (!finding.taken)
        return;
    for (size_t i = 0; i < look->count; i++)
        note(&finding, &look->items[i]);
    if (finds && finding.taken_count < look->count) {
        read_instance(&finding);
        read_command_lines(&finding);
    }
    for (size_t i = 0; finds && i < look->count; i++)
        if (!look->items[i].is_noted && look->items[i].template)
            find(&finding, &look->items[i]);
    free(finding.hashes);
    free(finding.taken);
}
