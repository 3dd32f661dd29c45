/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_socket.c - the sockets of the daemon endpoint, before there is a loop. libc only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/daemon.h"
#include "api/listen_internal.h"
#include "core/error.h"
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

static int open_pair(struct colony_daemon_sockets *out, const struct colony__address *wanted,
                     struct colony__address *got)
{
    int rc;

    *got = *wanted;
    out->tcp = colony__listen_open(got, SOCK_STREAM);
    if (out->tcp < 0)
        return out->tcp;
    out->udp = colony__listen_open(got, SOCK_DGRAM); /* of the port that TCP has got */
    if (out->udp >= 0) {
        enlarge(out->udp);
        return 0;
    }
    rc = out->udp;
    (void)close(out->tcp);
    return rc;
}

static bool has_port(const struct colony_master_settings *master)
{
    return master->port != 0;
}

int colony_daemon_listen(struct colony_daemon_sockets *out, const struct colony_settings *settings,
                         struct colony_error *err)
{
    const struct colony_master_settings *master = &settings->master;
    struct colony__bind bind = {.is_unix = false};
    struct colony__address wanted;
    struct colony__address got;
    int rc;

    (void)snprintf(bind.host, sizeof bind.host, "%s", master->host);
    (void)snprintf(bind.port, sizeof bind.port, "%u", master->port);
    rc = colony__listen_resolve(&bind, &wanted, err);
    if (rc < 0)
        return rc;
    got = wanted;
    rc = open_pair(out, &wanted, &got);
    for (int i = 1; i < PORT_TRIES && rc == -EADDRINUSE && !has_port(master); i++)
        rc = open_pair(out, &wanted, &got);
    if ((rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) && strcmp(master->host, "::") == 0) {
        (void)snprintf(bind.host, sizeof bind.host, "0.0.0.0");
        rc = colony__listen_resolve(&bind, &wanted, err);
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
    (void)settings, (void)err;
    return 0;
}
