/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/address.h"
#include "core/error.h"

/* Where to listen, in two parts; port -1: the first free one. */
struct place {
    char host[256];
    int port;
};

static int fail_place(const char *where, struct colony_error *err)
{
    return colony_fail(err, -EINVAL, "cannot listen on '%s': neither HOST:PORT nor [V6]:PORT",
                       where);
}

static int split(struct place *place, const char *where, struct colony_error *err)
{
    char text[sizeof place->host + 16];
    struct colony_bind bind;
    const char *given = where;
    size_t size;
    int rc;

    if (strncmp(given, "tcp://", 6) == 0)
        given += 6;
    place->port = -1;
    size = strlen(given);
    if (size == 0 || size >= sizeof place->host)
        return fail_place(where, err);
    /* HOST alone, "HOST:" and "[V6]" get some port, so that one parser knows all of them. */
    if (given[size - 1] == ':')
        rc = snprintf(text, sizeof text, "%s0", given);
    else if (strchr(given, ':') == NULL ? strspn(given, "0123456789") != size
                                        : given[size - 1] == ']')
        rc = snprintf(text, sizeof text, "%s:0", given);
    else
        rc = snprintf(text, sizeof text, "%s", given);
    if (rc < 0 || colony_bind_parse(&bind, text, NULL) < 0 || bind.is_unix)
        return fail_place(where, err);
    (void)snprintf(place->host, sizeof place->host, "%s", bind.host);
    if (strcmp(text, given) == 0)
        place->port = (int)strtol(bind.port, NULL, 10);
    return 0;
}

static int resolve(const struct place *place, struct sockaddr_storage *address, socklen_t *size,
                   struct colony_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    const struct addrinfo *chosen;
    int rc = getaddrinfo(place->host, NULL, &hints, &list);

    if (rc != 0 || !list)
        return colony_fail(err, -EINVAL, "cannot listen on %s: %s", place->host, gai_strerror(rc));
    chosen = list;
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        if (at->ai_family == AF_INET && chosen->ai_family != AF_INET)
            chosen = at; /* a name such as localhost has both: everybody expects 127.0.0.1 */
    memset(address, 0, sizeof *address);
    memcpy(address, chosen->ai_addr, chosen->ai_addrlen);
    *size = chosen->ai_addrlen;
    freeaddrinfo(list);
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

static int open_port(struct sockaddr_storage *address, socklen_t size, int port)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    int rc;

    if (fd < 0)
        return -errno;
    set_port(address, port);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (const struct sockaddr *)address, size) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    rc = -errno;
    (void)close(fd);
    return rc;
}

/* The descriptor, with *address as it has become. */
static int open_first(struct sockaddr_storage *address, socklen_t size, int port)
{
    int fd = -EADDRINUSE;

    if (port >= 0)
        return open_port(address, size, port);
    for (port = COLONY_RPC_PORT_FIRST; port <= COLONY_RPC_PORT_LAST && fd == -EADDRINUSE; port++)
        fd = open_port(address, size, port);
    return fd;
}

static int port_of(const char *text)
{
    return (int)strtol(strrchr(text, ':') + 1, NULL, 10);
}

int colony_rpc_listen(struct colony_rpc_listening *out, const char *where, bool may_be_remote,
                      struct colony_error *err)
{
    struct place place = {.port = -1};
    struct sockaddr_storage address = {0};
    char text[COLONY_ADDRESS_TEXT_MAX];
    socklen_t size = 0;
    int fd;
    int rc = split(&place, where ? where : "127.0.0.1:", err);

    if (rc == 0)
        rc = resolve(&place, &address, &size, err);
    if (rc < 0)
        return rc;
    if (!colony_address_is_loopback(&address) && !may_be_remote)
        return colony_fail(err, -EACCES,
                           "cannot serve RPC on %s: an address beyond this machine needs keys "
                           "(`keys` and `allow`), or `insecure: true`",
                           place.host);
    fd = open_first(&address, size, place.port);
    if (fd == -EADDRINUSE && place.port < 0)
        return colony_fail(err, fd, "cannot serve RPC on %s: ports %d to %d are all in use",
                           place.host, COLONY_RPC_PORT_FIRST, COLONY_RPC_PORT_LAST);
    if (fd < 0)
        return colony_fail_os(err, fd, "cannot serve RPC on %s", where ? where : place.host);
    size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        rc = -errno;
        (void)close(fd);
        return colony_fail_os(err, rc, "cannot serve RPC on %s", place.host);
    }
    colony_address_format(&address, text);
    out->fd = fd;
    out->port = port_of(text);
    (void)snprintf(out->address, sizeof out->address, "%s", text);
    return 0;
}
