/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.h - how people say which daemon they mean: NAME, NAME:PORT, NAME:HOST, NAME:HOST:PORT or
 * HOST:PORT; an IPv6 address stands in brackets.
 */
#ifndef COLONY_RPC_PLACE_H
#define COLONY_RPC_PLACE_H

#include <stddef.h>

struct colony_error;

enum {
    COLONY_RPC_HOST_MAX = 255,
    COLONY_RPC_DAEMON_NAME_MAX = 200,
};

/* What a text says; "" and 0 where it says nothing. */
struct colony_rpc_place {
    char name[COLONY_RPC_DAEMON_NAME_MAX + 1];
    char host[COLONY_RPC_HOST_MAX + 1]; /* perhaps with `USER@` before it, for ssh */
    unsigned port;
};

/*
 * X:PORT is taken for NAME:PORT, whoever X is: only a registry knows. -EINVAL with the reason, also
 * for a host that a command would take for an option.
 */
int colony_rpc_place_parse(struct colony_rpc_place *place, const char *text,
                           struct colony_error *err);

/* "HOST:PORT" without the user, for a client. -ENAMETOOLONG. */
int colony_rpc_place_format(char *text, size_t size, const char *host, unsigned port);

#endif
