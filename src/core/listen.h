/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - sockets on addresses of this machine, made before there is a loop. libc only.
 */
#ifndef COLONY_CORE_LISTEN_H
#define COLONY_CORE_LISTEN_H

#include <sys/socket.h>

#include "core/address.h"

struct colony_error;

struct colony_address {
    struct sockaddr_storage of;
    socklen_t size;
    char text[COLONY_ADDRESS_TEXT_MAX]; /* as colony_address_format() has it */
};

/* What @bind means; of a name that has both, its IPv4 address. -EINVAL. */
int colony_listen_resolve(const struct colony_bind *bind, struct colony_address *address,
                          struct colony_error *err);

/*
 * A socket bound there: SOCK_STREAM, which listens, or SOCK_DGRAM. An IPv6 one takes IPv4 too.
 * @address becomes what was bound: port 0 has become one. Returns it, or a negative errno.
 */
int colony_listen_open(struct colony_address *address, int type);

/* "Address already in use" with its usual cause. -EADDRINUSE. */
int colony_listen_fail_in_use(struct colony_error *err, const char *where);

#endif
