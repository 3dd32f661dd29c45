/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c - an engine in this program and its keeper: which there is, and the link to it. */
#include <errno.h>
#include <stdlib.h>

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

struct fds {
    int *items;
    size_t count;
    size_t capacity;
};

static void add_fd(int fd, void *data)
{
    struct fds *fds = data;
    int *items = colony_array_room(fds->items, fds->count, &fds->capacity, sizeof *fds->items);

    if (!items)
        return; /* what it holds is lost, what runs is not */
    fds->items = items;
    fds->items[fds->count++] = fd;
}

static int start_keeper(struct colony *colony, struct colony_error *err)
{
    struct fds fds = {0};
    struct colony__keeper_plan plan = {
        .options = &colony->options,
        .ended = on_keeper_ended,
        .data = colony,
    };
    int rc;

    if (colony->engine)
        colony_engine_each_fd(colony->engine, add_fd, &fds);
    plan.pipes = fds.items;
    plan.pipe_count = fds.count;
    rc = colony__keeper_new(&colony->keeper, colony->loop, &plan, err);
    free(fds.items);
    return rc;
}

void colony__connect_prepare(struct colony *colony)
{
    if (!colony->keeper)
        (void)start_keeper(colony, NULL);
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
    }
    return rc < 0 ? colony_fail_os(err, rc, "cannot talk to the keeper") : 0;
}
