/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_streams.c - the keeper's ends of streams, and the socket pairs of custom ones. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/keeper_internal.h"

/* Where its end of a custom stream stands, 0 for none; NULL: there has never been one. */
static int *custom_place(const struct keeper *keeper, uint32_t index, size_t stream)
{
    return keeper->custom ? &keeper->custom[index][stream - CUSTOM_STREAM_FIRST] : NULL;
}

int keeper_stream(const struct keeper *keeper, uint32_t index, size_t stream)
{
    const int *place;

    if (stream < COLONY_STREAMS_FIXED)
        return keeper->processes[index].streams[stream];
    place = custom_place(keeper, index, stream);
    return place && *place > 0 ? *place : -1;
}

int keeper_set_stream(struct keeper *keeper, uint32_t index, size_t stream, int fd)
{
    if (stream < COLONY_STREAMS_FIXED) {
        keeper->processes[index].streams[stream] = fd;
        return 0;
    }
    if (!keeper->custom)
        keeper->custom = calloc(keeper->table.header->capacity, sizeof *keeper->custom);
    if (!keeper->custom)
        return -ENOMEM;
    *custom_place(keeper, index, stream) = fd;
    keeper->custom_fds++;
    return 0;
}

int keeper_keep_stream(struct keeper *keeper, uint32_t index, size_t stream, int fd)
{
    struct stat info;
    int rc;

    if (fstat(fd, &info) < 0)
        return -errno;
    if (info.st_ino > UINT32_MAX)
        return -EOVERFLOW; /* no kernel has such, and it could not be found again */
    rc = keeper_set_stream(keeper, index, stream, fd);
    if (rc < 0)
        return rc;
    keeper->processes[index].fresh_streams |= (uint16_t)(1U << stream);
    keeper->table.records[index].stream_inode[stream] = (uint32_t)info.st_ino;
    return 0;
}

int keeper_make_custom(struct keeper *keeper, uint32_t index, size_t stream, int *child_end)
{
    int ends[2];
    int rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    /* Of our end alone: all who hold it share this. The child's blocks, as it expects. */
    rc = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (rc == 0)
        rc = keeper_keep_stream(keeper, index, stream, ends[0]);
    if (rc < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return rc;
    }
    *child_end = ends[1];
    keeper->custom_fds++;
    return 0;
}

void keeper_close_custom(struct keeper *keeper, uint32_t index)
{
    for (size_t i = CUSTOM_STREAM_FIRST; keeper->custom && i < COLONY_STREAMS_MAX; i++) {
        int fd = keeper_stream(keeper, index, i);

        if (fd < 0)
            continue;
        (void)close(fd);
        *custom_place(keeper, index, i) = 0;
        keeper->custom_fds--;
    }
}

void keeper_free_job(struct keeper *keeper, struct colony_spawn_job *job)
{
    for (size_t i = CUSTOM_STREAM_FIRST; i < COLONY_STREAMS_MAX; i++)
        keeper->custom_fds -= job->ends[i] >= 0;
    colony_spawn_job_free(job);
}
