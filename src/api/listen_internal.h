/* SPDX-License-Identifier: Apache-2.0 */
/* listen_internal.h - sockets on addresses of this machine, made before there is a loop. libc only.
 */
#ifndef COLONY_API_LISTEN_INTERNAL_H
#define COLONY_API_LISTEN_INTERNAL_H

#include <sys/socket.h>

#include "api/bind_internal.h"

struct colony_error;

struct colony__address {
    struct sockaddr_storage of;
    socklen_t size;
    char text[COLONY__ADDRESS_TEXT_MAX]; /* as colony__address_format() has it */
};

/* What @bind means; of a name that has both, its IPv4 address. -EINVAL. */
int colony__listen_resolve(const struct colony__bind *bind, struct colony__address *address,
                           struct colony_error *err);

/*
 * A socket bound there: SOCK_STREAM, which listens, or SOCK_DGRAM. An IPv6 one takes IPv4 too.
 * @address becomes what was bound: port 0 has become one. Returns it, or a negative errno.
 */
int colony__listen_open(struct colony__address *address, int type);

/* "Address already in use" with its usual cause. -EADDRINUSE. */
int colony__listen_fail_in_use(struct colony_error *err, const char *where);

#endif
