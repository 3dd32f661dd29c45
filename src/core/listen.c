/* SPDX-License-Identifier: Apache-2.0 */
#include "core/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

/* The hint names the usual cause; the rest of the line is what every tool says. */
int colony_listen_fail_in_use(struct colony_error *err, const char *where)
{
    return colony_fail(err, -EADDRINUSE,
                       "cannot listen on %s: Address already in use (by another colony? --state "
                       "and --bind give this one its own)",
                       where);
}

int colony_listen_resolve(const struct colony_bind *bind, struct colony_address *address,
                          struct colony_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    const struct addrinfo *chosen;
    int rc = getaddrinfo(bind->host, bind->port, &hints, &list);

    if (rc != 0)
        return colony_fail(err, -EINVAL, "cannot listen on %s:%s: %s", bind->host, bind->port,
                           gai_strerror(rc));
    /* A name such as localhost has both: everybody expects 127.0.0.1. */
    for (chosen = list; chosen->ai_next && chosen->ai_family != AF_INET;)
        chosen = chosen->ai_next;
    if (chosen->ai_family != AF_INET)
        chosen = list;
    memset(address, 0, sizeof *address);
    memcpy(&address->of, chosen->ai_addr, chosen->ai_addrlen);
    address->size = chosen->ai_addrlen;
    freeaddrinfo(list);
    colony_address_format(&address->of, address->text);
    return 0;
}

static int set_options(int fd, int type, int family)
{
    int on = 1;
    int off = 0;

    /* Of UDP that would let another take the port, and its datagrams. */
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0)
        return -errno;
    return 0;
}

int colony_listen_open(struct colony_address *address, int type)
{
    int fd = socket(address->of.ss_family, type | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = set_options(fd, type, address->of.ss_family);
    if (rc == 0 && bind(fd, (const struct sockaddr *)&address->of, address->size) < 0)
        rc = -errno;
    if (rc == 0 && type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)
        rc = -errno;
    if (rc == 0) {
        address->size = sizeof address->of;
        if (getsockname(fd, (struct sockaddr *)&address->of, &address->size) < 0)
            rc = -errno;
    }
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    colony_address_format(&address->of, address->text);
    return fd;
}
