/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_notify.c - the notify sockets of slots: made for the first process, kept for the next. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/keeper_internal.h"
#include "core/log.h"
#include "core/notify.h"

static int open_folder(struct keeper *keeper)
{
    struct stat info;

    if (keeper->notify_fd >= 0 && (fstat(keeper->notify_fd, &info) < 0 || info.st_nlink == 0)) {
        (void)close(keeper->notify_fd); /* somebody has removed it */
        keeper->notify_fd = -1;
    }
    if (keeper->notify_fd < 0)
        keeper->notify_fd = colony_notify_open_folder(keeper->state_fd);
    return keeper->notify_fd < 0 ? keeper->notify_fd : 0;
}

/* Which of the streams it is; COLONY_STREAMS_FIXED: it has none. */
static size_t notify_stream(const struct colony_record *record)
{
    size_t i = 0;

    while (i < COLONY_STREAMS_FIXED && record->stream_kind[i] != STREAM_NOTIFY)
        i++;
    return i;
}

static int make_socket(struct keeper *keeper, uint32_t index, uid_t uid)
{
    const struct colony_record *record = &keeper->table.records[index];
    char path[COLONY_NOTIFY_PATH_SIZE];
    int rc = colony_notify_path(path, sizeof path, keeper->options->state_dir, record->name,
                                record->slot);
    int fd;

    if (rc < 0)
        return rc; /* no process could reach it */
    fd = colony_notify_bind(keeper->notify_fd, record->name, record->slot);
    if (fd < 0)
        return fd;
    rc = colony_notify_give(keeper->notify_fd, record->name, record->slot, uid);
    if (rc == 0)
        rc = keeper_keep_stream(keeper, index, notify_stream(record), fd);
    if (rc < 0)
        (void)close(fd);
    return rc;
}

/* The slot has a socket that its next process can send to as @uid. */
int keeper_open_notify(struct keeper *keeper, uint32_t index, uid_t uid)
{
    struct colony_record *record = &keeper->table.records[index];
    size_t stream = notify_stream(record);
    int rc;

    if (stream == COLONY_STREAMS_FIXED)
        return 0;
    if (geteuid() != 0)
        uid = geteuid(); /* it can be nobody else's: another identity fails at its own step */
    rc = open_folder(keeper);
    if (rc < 0)
        return rc;
    if (keeper->processes[index].streams[stream] >= 0) {
        rc = colony_notify_give(keeper->notify_fd, record->name, record->slot, uid);
        if (rc != -ENOENT)
            return rc;
        (void)close(keeper->processes[index].streams[stream]); /* nobody can reach it any more */
        keeper->processes[index].streams[stream] = -1;
    }
    return make_socket(keeper, index, uid);
}

/* Whoever could send to it, or would, had its file not been removed. */
static uid_t owner_of(const struct keeper *keeper, const struct colony_record *record)
{
    uid_t uid = geteuid();
    struct stat info;
    char path[32];

    if (colony_notify_owner(keeper->notify_fd, record->name, record->slot, &uid) == 0)
        return uid;
    (void)snprintf(path, sizeof path, "/proc/%d", (int)record->pid);
    return stat(path, &info) == 0 ? info.st_uid : uid;
}

/*
 * One that came along over an exec still holds what was sent meanwhile. Else a process that lives
 * gets another at the same path, which it finds with its next message; an ended one's slot gets one
 * when it goes on.
 */
void keeper_adopt_notify(struct keeper *keeper, uint32_t index,
                         const struct colony_own_pipes *pipes)
{
    struct colony_record *record = &keeper->table.records[index];
    size_t stream = notify_stream(record);
    int rc;

    if (stream == COLONY_STREAMS_FIXED)
        return;
    rc = colony_adopt_stream(record, stream, pipes);
    if (rc >= 0) {
        keeper->processes[index].streams[stream] = rc;
        return;
    }
    if (colony_record_state(record) != RECORD_ALIVE)
        return;
    record->flags |= RECORD_NOTICE_LOST;
    rc = open_folder(keeper);
    if (rc == 0)
        rc = make_socket(keeper, index, owner_of(keeper, record));
    if (rc < 0)
        colony_log(SEVERITY_WARNING, "cannot make the notify socket of %s.%u again: %s",
                   record->name, record->slot, strerror(-rc));
}

/* A process that was found by its mark has a socket if there is the file of one. */
bool keeper_find_notify(struct keeper *keeper, const struct colony_record *record)
{
    uid_t uid;

    return open_folder(keeper) == 0 &&
           colony_notify_owner(keeper->notify_fd, record->name, record->slot, &uid) == 0;
}

void keeper_remove_notify(struct keeper *keeper, const struct colony_record *record)
{
    if (notify_stream(record) < COLONY_STREAMS_FIXED && open_folder(keeper) == 0)
        colony_notify_remove(keeper->notify_fd, record->name, record->slot);
}
