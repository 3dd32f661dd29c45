/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_socket.c - the sockets of the daemon endpoint, before there is a loop. libc only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/daemon.h"
#include "api/tokens_internal.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/listen.h"
#include "core/settings.h"

enum {
    PORT_TRIES = 20,             /* for a free port that is free as UDP too */
    RECEIVE_BYTES = 4096 * 1024, /* what a burst of datagrams may take while the loop is busy */
};

static int fail(struct colony_error *err, int rc, const char *where)
{
    if (rc == -EADDRINUSE)
        return colony_fail(err, rc,
                           "cannot take events on %s: Address already in use (by another colony? "
                           "`master: port` or --events give this one its own)",
                           where);
    return colony_fail_os(err, rc, "cannot take events on %s", where);
}

/* More than the system's limit is root's to take. */
static void enlarge(int fd)
{
    int size = RECEIVE_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static int open_pair(struct colony_daemon_sockets *out, const struct colony_address *wanted,
                     struct colony_address *got)
{
    int rc;

    *got = *wanted;
    out->tcp = colony_listen_open(got, SOCK_STREAM);
    if (out->tcp < 0)
        return out->tcp;
    out->udp = colony_listen_open(got, SOCK_DGRAM); /* of the port that TCP has got */
    if (out->udp >= 0) {
        enlarge(out->udp);
        return 0;
    }
    rc = out->udp;
    (void)close(out->tcp);
    return rc;
}

/* Who may send events may have done what they lead to. */
static int check_power(const struct colony_settings *settings, const struct colony_address *address,
                       struct colony_error *err)
{
    const struct colony_events_settings *events = settings->events;

    if (events->tokens || events->insecure || !colony_events_has_power(events) ||
        colony_address_is_loopback(&address->of))
        return 0;
    return colony_fail(
        err, -EACCES,
        "cannot take events on %s: anybody there could have `exec` and `stdin` of "
        "`events: handlers` done (write `tokens` or `insecure: true` in `events`, or "
        "`host: localhost` in `master`)",
        address->text);
}

static bool has_port(const struct colony_master_settings *master)
{
    return master->port != 0;
}

static void fill_bind(struct colony_bind *bind, const struct colony_master_settings *master)
{
    *bind = (struct colony_bind){.is_unix = false};
    (void)snprintf(bind->host, sizeof bind->host, "%s", master->host);
    (void)snprintf(bind->port, sizeof bind->port, "%u", master->port);
}

int colony_daemon_listen(struct colony_daemon_sockets *out, const struct colony_settings *settings,
                         struct colony_error *err)
{
    const struct colony_master_settings *master = &settings->master;
    struct colony_bind bind;
    struct colony_address wanted;
    struct colony_address got;
    int rc;

    fill_bind(&bind, master);
    rc = colony_listen_resolve(&bind, &wanted, err);
    if (rc < 0)
        return rc;
    rc = check_power(settings, &wanted, err);
    if (rc < 0)
        return rc;
    got = wanted;
    rc = open_pair(out, &wanted, &got);
    for (int i = 1; i < PORT_TRIES && rc == -EADDRINUSE && !has_port(master); i++)
        rc = open_pair(out, &wanted, &got);
    if ((rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) && strcmp(master->host, "::") == 0) {
        (void)snprintf(bind.host, sizeof bind.host, "0.0.0.0");
        rc = colony_listen_resolve(&bind, &wanted, err);
        if (rc == 0)
            rc = open_pair(out, &wanted, &got);
    }
    if (rc < 0)
        return fail(err, rc, wanted.text);
    (void)snprintf(out->tcp_name, sizeof out->tcp_name, COLONY_DAEMON_PREFIX "%s", got.text);
    (void)snprintf(out->udp_name, sizeof out->udp_name, COLONY_DAEMON_UDP_PREFIX "%s", got.text);
    return 0;
}

int colony_daemon_check(const struct colony_settings *settings, struct colony_error *err)
{
    struct colony__tokens *tokens = NULL;
    struct colony_address address;
    struct colony_bind bind;
    int rc = 0;

    if (!settings->master.is_wanted)
        return 0;
    if (settings->events->tokens)
        rc = colony__tokens_load(&tokens, settings->events->tokens, err);
    colony__tokens_free(tokens);
    if (rc < 0 || !colony_events_has_power(settings->events))
        return rc;
    fill_bind(&bind, &settings->master);
    rc = colony_listen_resolve(&bind, &address, err);
    return rc < 0 ? rc : check_power(settings, &address, err);
}
