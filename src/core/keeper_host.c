/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_host.c - a program that embeds colony: the engine is in it, and it started us.
 *
 * It sends the link of its engine, and another one when that has to begin anew. What runs ends with
 * it, unless it leaves that: then nobody is left to say how each process is to be stopped, and an
 * engine of our own, which has the settings and the notes of the host's, does just that.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/keeper_internal.h"
#include "core/log.h"
#include "core/manager.h"

int keeper_watch_host(struct keeper *keeper)
{
    int rc;

    if (keeper->options->host_fd < 0)
        return 0;
    rc = keeper_watch(keeper, keeper->options->host_fd, SOURCE_HOST, 0);
    return rc == 0 ? keeper_watch(keeper, keeper->options->link_fd, SOURCE_HOST, 0) : rc;
}

/* Its life is that of its process: a copy of its end of the socket may live on in a child of it. */
static bool has_ended(const struct keeper *keeper)
{
    struct pollfd host = {.fd = keeper->options->host_fd, .events = POLLIN};

    return poll(&host, 1, 0) == 1;
}

/* Leaves the epoll set with it. */
static void lose_host(struct keeper *keeper)
{
    struct colony_keeper_options *options = keeper->options;

    keeper_drop_link(keeper);
    colony_fd_close(&options->host_fd);
    colony_fd_close(&options->link_fd);
    if (options->leaves || keeper->table.used == 0) {
        keeper->is_ending = true;
        return;
    }
    colony_log(SEVERITY_WARNING, "the program is gone: stops its processes");
    options->is_orphaned = true;
    keeper->is_asked_to_end = true;
    keeper->engine_restart_at_ms = keeper_now_ms();
}

void keeper_on_host(struct keeper *keeper)
{
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t fd_count = 0;
    int rc;

    if (keeper->options->host_fd < 0)
        return; /* an event of before it ended */
    rc = colony_message_receive(keeper->options->link_fd, &message, fds, &fd_count);
    if (rc == 0 && message.type == MESSAGE_LINK && fd_count == 1) {
        keeper_drop_link(keeper);
        fd_count = 0;
        rc = keeper_take_link(keeper, fds[0]);
        if (rc < 0)
            colony_log(SEVERITY_ERROR, "cannot listen to the engine: out of memory");
    }
    while (fd_count > 0)
        (void)close(fds[--fd_count]);
    if (has_ended(keeper) || rc == -ECONNRESET)
        lose_host(keeper);
}
