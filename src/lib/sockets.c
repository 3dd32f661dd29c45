/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sockets_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/daemon.h"
#include "api/endpoint.h"
#include "core/error.h"
#include "core/keeper_options.h"
#include "core/passed.h"
#include "core/settings.h"
#include "rpc/listen.h"

enum {
    TRIES = 50, /* with a pause between them */
    PAUSE_MS = 10,
};

struct opening {
    struct colony_keeper_options *keeper;
    const struct colony__sockets_plan *plan;
    struct colony_error *err;
};

/*
 * The lock on the state folder may be free a moment before the sockets are: the kernel closes what
 * an engine had that was killed, one descriptor after the other, and not before its last thread has
 * come back from the disk.
 */
static void pause_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    (void)nanosleep(&pause, NULL);
}

static int check_room(const struct opening *opening, size_t count, const char *what)
{
    if (opening->keeper->socket_count + count <= KEEPER_SOCKETS_MAX)
        return 0;
    return colony_fail(opening->err, -E2BIG, "cannot %s: %d addresses at most", what,
                       KEEPER_SOCKETS_MAX);
}

static void hold(struct opening *opening, const char *name, int fd)
{
    struct colony_keeper_options *keeper = opening->keeper;
    struct colony_held_socket *held = &keeper->sockets[keeper->socket_count++];

    (void)snprintf(held->name, sizeof held->name, "%s", name);
    held->fd = fd;
    held->is_lent = opening->plan->passed && colony_passed_has(opening->plan->passed, fd);
}

static int listen_on(struct opening *opening, const char *bind, int tls)
{
    const struct colony__sockets_plan *plan = opening->plan;
    const struct colony_endpoint endpoint = {.bind = bind, .passed = plan->passed, .tls = tls};
    char name[COLONY_SOCKET_NAME_SIZE];
    int fd = -1;
    int rc = check_room(opening, 1, "listen");

    for (int i = 0; i < TRIES && rc == 0; i++) {
        rc = colony_endpoint_listen(&fd, name, sizeof name, &endpoint, &plan->settings->http,
                                    opening->err);
        if (rc != -EADDRINUSE || i + 1 == TRIES)
            break;
        pause_a_moment();
        rc = 0;
    }
    if (rc == 0)
        hold(opening, name, fd);
    return rc;
}

/* The control socket, then what is asked for, then the endpoints. */
static int open_control(struct opening *opening)
{
    const struct colony_http_settings *http = &opening->plan->settings->http;
    int tls = http->tls.certfile ? 0 : COLONY_ENDPOINT_PLAIN;
    char **bind = http->bind;
    char text[PATH_MAX + 8];
    int rc;

    if (!opening->plan->control)
        return 0;
    (void)snprintf(text, sizeof text, "unix:%s", opening->plan->control);
    rc = listen_on(opening, text, COLONY_ENDPOINT_PLAIN);
    if (rc == 0 && opening->plan->has_default && !(bind && bind[0]))
        rc = listen_on(opening, "127.0.0.1:5000", tls);
    for (; rc == 0 && bind && *bind; bind++)
        if (strcmp(*bind, "none") != 0)
            rc = listen_on(opening, *bind,
                           strncmp(*bind, "unix:", 5) == 0 ? COLONY_ENDPOINT_PLAIN : tls);
    for (size_t i = 0; rc == 0 && i < http->endpoint_count; i++)
        rc = listen_on(opening, http->endpoints[i].bind,
                       http->endpoints[i].tls.certfile ? (int)i + 1 : COLONY_ENDPOINT_PLAIN);
    return rc;
}

static int open_events(struct opening *opening)
{
    struct colony_daemon_sockets sockets;
    int rc = check_room(opening, 2, "take events");

    if (rc < 0)
        return rc;
    rc = -EADDRINUSE;
    for (int i = 0; i < TRIES && rc == -EADDRINUSE; i++) {
        if (i > 0)
            pause_a_moment();
        rc = colony_daemon_listen(&sockets, opening->plan->settings, opening->err);
    }
    if (rc < 0)
        return rc;
    hold(opening, sockets.tcp_name, sockets.tcp);
    hold(opening, sockets.udp_name, sockets.udp);
    return 0;
}

static int open_rpc(struct opening *opening)
{
    const struct colony_rpc_settings *rpc = &opening->plan->settings->rpc;
    struct colony_rpc_listening listening;
    char name[COLONY_SOCKET_NAME_SIZE];
    int rc = check_room(opening, 1, "serve RPC");

    if (rc == 0)
        rc = colony_rpc_listen(&listening, rpc->bind, rpc->keys || rpc->insecure, opening->err);
    if (rc < 0)
        return rc;
    (void)snprintf(name, sizeof name, COLONY_RPC_PREFIX "%s", listening.address);
    hold(opening, name, listening.fd);
    return 0;
}

int colony__sockets_open(struct colony_keeper_options *keeper,
                         const struct colony__sockets_plan *plan, struct colony_error *err)
{
    struct opening opening = {.keeper = keeper, .plan = plan, .err = err};
    int rc = plan->has_rpc && plan->settings->rpc.is_wanted ? open_rpc(&opening) : 0;

    if (rc == 0)
        rc = open_control(&opening); /* others can see what is made here */
    if (rc == 0 && plan->has_events && plan->settings->master.is_wanted)
        rc = open_events(&opening);
    return rc;
}
