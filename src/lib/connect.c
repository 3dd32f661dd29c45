/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c - an engine in this program and its keeper: which there is, and the link to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "lib/keeper_internal.h"
#include "lib/life_internal.h"

void colony__connect_close(struct colony *colony)
{
    if (colony->keeper)
        colony__keeper_close(colony->keeper);
    colony->keeper = NULL;
}

static void on_keeper_ended(void *data)
{
    struct colony *colony = data;

    colony__connect_close(colony);
    colony__life_keeper_ended(colony);
}

/*
 * Pipes of processes, which must not be without an end of ours at any moment: one that reads would
 * see the end of its input, and what was written and not read would be lost. Where the program has
 * closed its first three they are above these, which are others in a keeper.
 */

static void hold(int fd, void *data)
{
    struct colony__held *held = data;
    int *fds = colony_array_room(held->fds, held->count, &held->capacity, sizeof *fds);
    int copy = fds ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;

    if (fds)
        held->fds = fds;
    if (copy >= 0) /* else what is in it is lost, and what runs is not */
        held->fds[held->count++] = copy;
}

void colony__connect_hold(struct colony *colony)
{
    colony_engine_each_fd(colony->engine, hold, &colony->held);
}

void colony__connect_release(struct colony *colony)
{
    struct colony__held *held = &colony->held;

    while (held->count > 0)
        (void)close(held->fds[--held->count]);
    free(held->fds);
    *held = (struct colony__held){0};
}

static int start_keeper(struct colony *colony, struct colony_error *err)
{
    const struct colony__keeper_plan plan = {
        .options = &colony->options,
        .pipes = colony->held.fds,
        .pipe_count = colony->held.count,
        .ended = on_keeper_ended,
        .data = colony,
    };

    return colony__keeper_new(&colony->keeper, colony->loop, &plan, err);
}

int colony__connect_fail(const struct colony *colony, struct colony_error *err)
{
    return colony_fail(err, -EPROTO, "cannot work with %s as keeper: it ended at once",
                       colony->options.program);
}

/* The keeper there is, or a new one. */
int colony__connect(struct colony *colony, struct colony_error *err)
{
    int *link_fd = &colony->options.link_fd;
    int rc = colony->keeper ? colony__keeper_link(colony->keeper, link_fd) : -EPIPE;

    if (rc == -EPIPE || rc == -ECONNRESET) {
        colony__connect_close(colony);
        rc = start_keeper(colony, err);
        if (rc < 0)
            return rc;
        rc = colony__keeper_link(colony->keeper, link_fd);
        if (rc == -EPIPE || rc == -ECONNRESET)
            return colony__connect_fail(colony, err);
    }
    return rc < 0 ? colony_fail_os(err, rc, "cannot talk to the keeper") : 0;
}
