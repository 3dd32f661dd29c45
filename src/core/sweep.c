/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/message.h"
#include "core/table.h"

enum {
    ENVIRON_BYTES_MAX = 4 << 20,
    FAMILY_MAX = 16384, /* processes looked at in one sweep */
};

size_t colony_proc_pread_pids(int fd, pid_t *pids, size_t max)
{
    char text[4096];
    size_t held = 0; /* of a number that the end of the block cut */
    size_t count = 0;
    off_t offset = 0;
    ssize_t size;

    while ((size = pread(fd, text + held, sizeof text - held - 1, offset)) > 0) {
        char *cursor = text;
        char *end;

        offset += size;
        text[held + (size_t)size] = '\0';
        for (end = cursor + strcspn(cursor, " \n"); *end && count < max;
             end = cursor + strcspn(cursor, " \n")) {
            pids[count++] = (pid_t)strtol(cursor, NULL, 10);
            cursor = end + 1;
        }
        held = strlen(cursor);
        memmove(text, cursor, held + 1);
    }
    return count;
}

size_t colony_proc_read_pids(int folder, const char *path, pid_t *pids, size_t max)
{
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    size_t count;

    if (fd < 0)
        return 0;
    count = colony_proc_pread_pids(fd, pids, max);
    (void)close(fd);
    return count;
}

size_t colony_proc_children(pid_t pid, pid_t *pids, size_t max)
{
    char path[96];
    struct dirent *task;
    size_t count = 0;
    DIR *tasks;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (!tasks)
        return 0;
    while ((task = readdir(tasks))) {
        if (!isdigit((unsigned char)task->d_name[0]))
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/task/%.16s/children", (int)pid, task->d_name);
        count += colony_proc_read_pids(AT_FDCWD, path, pids + count, max - count);
    }
    (void)closedir(tasks);
    return count;
}

/* Appends the descendants of each of the first @count pids; returns the new count. */
static size_t add_descendants(pid_t *pids, size_t count, size_t max)
{
    for (size_t i = 0; i < count && count < max; i++)
        count += colony_proc_children(pids[i], pids + count, max - count);
    return count;
}

void colony_seen_clear(struct colony_seen *seen)
{
    free(seen->items);
    seen->items = NULL;
    seen->count = 0;
}

void colony_seen_note(struct colony_seen *seen, pid_t pid)
{
    pid_t *pids = calloc(COLONY_SEEN_MAX, sizeof *pids);
    size_t count;

    colony_seen_clear(seen);
    if (!pids)
        return; /* marks still tell */
    pids[0] = pid;
    count = add_descendants(pids, 1, COLONY_SEEN_MAX);
    if (count > 1)
        seen->items = calloc(count - 1, sizeof *seen->items);
    for (size_t i = 1; seen->items && i < count; i++) {
        struct colony_seen_process *item = &seen->items[seen->count];

        item->pid = pids[i];
        item->start_ticks = colony_proc_start_ticks(pids[i]);
        if (item->start_ticks > 0)
            seen->count++;
    }
    free(pids);
}

static void add_seen(struct colony_seen *seen, pid_t pid)
{
    struct colony_seen_process *grown;

    if (seen->count >= COLONY_SEEN_MAX)
        return;
    grown = realloc(seen->items, (seen->count + 1) * sizeof *grown);
    if (!grown)
        return;
    grown[seen->count++] = (struct colony_seen_process){pid, colony_proc_start_ticks(pid)};
    seen->items = grown;
}

static bool was_seen(const struct colony_seen *seen, pid_t pid)
{
    for (size_t i = 0; i < seen->count; i++)
        if (seen->items[i].pid == pid)
            return seen->items[i].start_ticks == colony_proc_start_ticks(pid);
    return false;
}

static char *read_environ(pid_t pid, size_t *size)
{
    char path[32];
    char *text = NULL;
    size_t capacity = 0;
    ssize_t count = 1;
    int fd;

    *size = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    while (count > 0 && *size < ENVIRON_BYTES_MAX) {
        if (*size + 4096 > capacity) {
            char *grown = realloc(text, capacity * 2 + 16384);

            if (!grown)
                break;
            text = grown;
            capacity = capacity * 2 + 16384;
        }
        count = read(fd, text + *size, capacity - *size - 1);
        *size += count > 0 ? (size_t)count : 0;
    }
    (void)close(fd);
    if (text)
        text[*size] = '\0';
    return text;
}

bool colony_proc_get_env(pid_t pid, const char *key, char *value, size_t value_size)
{
    size_t key_length = strlen(key);
    size_t size;
    char *text = read_environ(pid, &size);
    bool found = false;

    for (const char *entry = text; !found && entry && entry < text + size;
         entry += strlen(entry) + 1)
        if (strncmp(entry, key, key_length) == 0 && entry[key_length] == '=') {
            (void)snprintf(value, value_size, "%s", entry + key_length + 1);
            found = true;
        }
    free(text);
    return found;
}

enum life {
    LIFE_OVER,   /* a zombie at most */
    LIFE_ENDING, /* on its way through exit: it may have lost its environment already */
    LIFE_FULL,
};

static enum life look_at_life(pid_t pid)
{
    const unsigned exiting = 0x4; /* PF_EXITING */
    unsigned flags = 0;
    char path[32];
    char text[512] = "";
    const char *cursor;
    ssize_t count;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return LIFE_OVER;
    count = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[count > 0 ? count : 0] = '\0';
    cursor = strrchr(text, ')');
    if (!cursor || strlen(cursor) < 3 || cursor[2] == 'Z' || cursor[2] == 'X')
        return LIFE_OVER;
    for (int field = 3; cursor && field <= 9; field++) /* flags is the 9th */
        cursor = strchr(cursor + 1, ' ');
    flags = cursor ? (unsigned)strtoul(cursor, NULL, 10) : 0;
    return flags & exiting ? LIFE_ENDING : LIFE_FULL;
}

bool colony_proc_is_running(pid_t pid)
{
    return pid > 0 && look_at_life(pid) != LIFE_OVER;
}

static void look_at(const struct colony_sweep *sweep, pid_t pid, struct colony_swept *out)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    char mark[COLONY_RECORD_NAME_SIZE + COLONY_INSTANCE_SIZE + 16];
    bool has_mark = colony_proc_get_env(pid, "COLONY_ID", mark, sizeof mark);
    bool seen = was_seen(sweep->seen, pid);
    enum life life;

    if (pidfd < 0)
        return;
    life = look_at_life(pid); /* after its environment was read: one that is there is whole */
    if (life != LIFE_OVER && (seen || (has_mark && strcmp(mark, sweep->mark) == 0))) {
        out->found++;
        if (!seen)
            add_seen(sweep->seen, pid);
        if (sweep->signo > 0)
            (void)syscall(SYS_pidfd_send_signal, pidfd, sweep->signo, NULL, 0);
    } else if (life == LIFE_FULL && !has_mark && !sweep->everywhere) {
        out->unclaimed++;
    }
    (void)close(pidfd);
}

static size_t all_processes(pid_t *pids, size_t max)
{
    struct dirent *entry;
    size_t count = 0;
    DIR *folder = opendir("/proc");

    if (!folder)
        return 0;
    while (count < max && (entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]))
            pids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
    (void)closedir(folder);
    return count;
}

/* A leader's strays become our children when their parents end (PR_SET_CHILD_SUBREAPER). */
static size_t find_strays(const struct colony_sweep *sweep, pid_t *pids, size_t max)
{
    size_t count =
        sweep->everywhere ? all_processes(pids, max) : colony_proc_children(getpid(), pids, max);
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (!sweep->is_known(pids[i], sweep->data))
            pids[kept++] = pids[i];
    if (sweep->everywhere)
        return kept;
    if (sweep->leader > 0)
        kept += colony_proc_children(sweep->leader, pids + kept, max - kept);
    return add_descendants(pids, kept, max);
}

void colony_sweep_run(const struct colony_sweep *sweep, struct colony_swept *out)
{
    pid_t *pids = calloc(FAMILY_MAX, sizeof *pids);
    size_t count;

    memset(out, 0, sizeof *out);
    out->is_partial = sweep->everywhere;
    if (!pids)
        return;
    count = find_strays(sweep, pids, FAMILY_MAX);
    for (size_t i = 0; i < count; i++)
        look_at(sweep, pids[i], out);
    free(pids);
}
