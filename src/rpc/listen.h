/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen.h - the listening sockets of RPC, made before there is a loop. Calls block. libc only.
 */
#ifndef COLONY_RPC_LISTEN_H
#define COLONY_RPC_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;

/* How the names of such sockets begin that a keeper holds ("rpc:127.0.0.1:51000"). */
#define COLONY_RPC_PREFIX "rpc:"

enum {
    COLONY_RPC_PORT_FIRST = 51000,
    COLONY_RPC_PORT_LAST = 51100,
    COLONY_RPC_ADDRESS_MAX = 80,
};

struct colony_rpc_listening {
    int fd;
    int port;
    char address[COLONY_RPC_ADDRESS_MAX]; /* "127.0.0.1:51000", "[::1]:51000" */
};

/*
 * Listens on @where: "HOST:PORT", "[V6]:PORT", either behind `tcp://`; "HOST:" or "HOST" alone is
 * the first free port of 51000 to 51100, as is NULL, of 127.0.0.1. @may_be_remote: there are keys,
 * or the user wants it without.
 *
 * -EINVAL; -EACCES for an address beyond this machine that is not @may_be_remote; -EADDRINUSE; what
 * the system said.
 */
int colony_rpc_listen(struct colony_rpc_listening *out, const char *where, bool may_be_remote,
                      struct colony_error *err);

#endif
