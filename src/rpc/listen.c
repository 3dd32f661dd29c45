/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/address.h"
#include "core/error.h"
#include "core/listen.h"

/* Where to listen; without a port of its own: the first free one. */
struct place {
    struct colony_bind bind;
    bool has_port;
};

static int fail_place(const char *where, struct colony_error *err)
{
    return colony_fail(err, -EINVAL, "cannot listen on '%s': neither HOST:PORT nor [V6]:PORT",
                       where);
}

static int split(struct place *place, const char *where, struct colony_error *err)
{
    char text[sizeof place->bind.host + 16];
    const char *given = where;
    size_t size;
    int rc;

    if (strncmp(given, "tcp://", 6) == 0)
        given += 6;
    size = strlen(given);
    if (size == 0 || size >= sizeof place->bind.host)
        return fail_place(where, err);
    /* HOST alone, "HOST:" and "[V6]" get some port, so that one parser knows all of them. */
    if (given[size - 1] == ':')
        rc = snprintf(text, sizeof text, "%s0", given);
    else if (strchr(given, ':') == NULL ? strspn(given, "0123456789") != size
                                        : given[size - 1] == ']')
        rc = snprintf(text, sizeof text, "%s:0", given);
    else
        rc = snprintf(text, sizeof text, "%s", given);
    if (rc < 0 || colony_bind_parse(&place->bind, text, NULL) < 0 || place->bind.is_unix)
        return fail_place(where, err);
    place->has_port = strcmp(text, given) == 0;
    return 0;
}

static void set_port(struct sockaddr_storage *address, int port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        v4.sin_port = htons((uint16_t)port);
        memcpy(address, &v4, sizeof v4);
        return;
    }
    memcpy(&v6, address, sizeof v6);
    v6.sin6_port = htons((uint16_t)port);
    memcpy(address, &v6, sizeof v6);
}

static int open_first(struct colony_address *address, bool has_port)
{
    int fd = -EADDRINUSE;

    if (has_port)
        return colony_listen_open(address, SOCK_STREAM);
    for (int port = COLONY_RPC_PORT_FIRST; port <= COLONY_RPC_PORT_LAST && fd == -EADDRINUSE;
         port++) {
        set_port(&address->of, port);
        fd = colony_listen_open(address, SOCK_STREAM);
    }
    return fd;
}

static int port_of(const char *text)
{
    return (int)strtol(strrchr(text, ':') + 1, NULL, 10);
}

int colony_rpc_listen(struct colony_rpc_listening *out, const char *where, bool may_be_remote,
                      struct colony_error *err)
{
    struct place place = {0};
    struct colony_address address = {0};
    int fd;
    int rc = split(&place, where ? where : "127.0.0.1:", err);

    if (rc == 0)
        rc = colony_listen_resolve(&place.bind, &address, err);
    if (rc < 0)
        return rc;
    if (!colony_address_is_loopback(&address.of) && !may_be_remote)
        return colony_fail(err, -EACCES,
                           "cannot serve RPC on %s: an address beyond this machine needs keys "
                           "(`keys` and `allow`), or `insecure: true`",
                           place.bind.host);
    fd = open_first(&address, place.has_port);
    if (fd == -EADDRINUSE && !place.has_port)
        return colony_fail(err, fd, "cannot serve RPC on %s: ports %d to %d are all in use",
                           place.bind.host, COLONY_RPC_PORT_FIRST, COLONY_RPC_PORT_LAST);
    if (fd < 0)
        return colony_fail_os(err, fd, "cannot serve RPC on %s", where ? where : place.bind.host);
    out->fd = fd;
    out->port = port_of(address.text);
    (void)snprintf(out->address, sizeof out->address, "%s", address.text);
    return 0;
}
