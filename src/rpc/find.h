/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h - from what people say (place.h) to where a daemon is: by the registry of this machine, by
 * what another machine's says, or as it stands there.
 *
 * Blocks shortly; any thread.
 */
#ifndef COLONY_RPC_FIND_H
#define COLONY_RPC_FIND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "rpc/client.h"
#include "rpc/curve.h"
#include "rpc/place.h"

struct colony_error;

/* Where a daemon is. */
struct colony_rpc_found {
    char endpoint[COLONY_RPC_PLACE_MAX];  /* "HOST:PORT", "tcp://HOST:PORT" */
    char public_key[COLONY_RPC_KEY_SIZE]; /* "": it wants no keys */
    uint64_t message_bytes_max;           /* 0: unknown */
    int port;                             /* of the entry in the registry here */
    pid_t pid;                            /* who serves it, on this machine; 0: it is elsewhere */
    uint64_t pid_start;                   /* its start time (registry.h) */
    pid_t keeper;                         /* its keeper; 0: it has none */
    bool is_private;                      /* it says that only its own machine reaches it */
};

/*
 * NAME and NAME:PORT by the registry here; X:PORT where none of that name is here, and HOST:PORT,
 * are taken as they are. -ENOENT with the nearest name; -EINVAL: a host too long; -EREMOTE:
 * NAME:HOST, which only the registry of that host knows (colony_rpc_find_told).
 */
int colony_rpc_find(struct colony_rpc_found *out, const struct colony_rpc_place *place,
                    struct colony_error *err);

/* From @text, what `colony rpc lookup --json` printed on @host. -EBADMSG: it is something else. */
int colony_rpc_find_told(struct colony_rpc_found *out, const char *text, const char *host,
                         struct colony_error *err);

#endif
