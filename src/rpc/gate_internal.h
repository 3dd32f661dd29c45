/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate_internal.h - lets connections in to libzmq, one by one.
 *
 * libzmq would accept anybody, without a limit, and tells nobody who it was. So the gate accepts,
 * closes unread what may not come in, and passes the bytes of the others to and from a unix socket
 * of libzmq's, which has no name any more that others could open. It reads no faster than either
 * side takes, and keeps no buffers for who is silent.
 */
#ifndef COLONY_RPC_GATE_INTERNAL_H
#define COLONY_RPC_GATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony__rpc_gate;
struct colony_error;
struct colony_rpc_counters;
struct uv_loop_s;

struct colony__rpc_gate_options {
    struct uv_loop_s *loop;
    const uid_t *uids; /* who may come in besides root, on this machine; copied */
    size_t uid_count;
    bool has_keys;           /* libzmq looks at who comes */
    uint64_t message_max;    /* bytes */
    uint64_t unfinished_max; /* bytes of a connection, without a whole message among them */
    struct colony_rpc_counters *counters; /* kept */
};

int colony__rpc_gate_new(struct colony__rpc_gate **out,
                         const struct colony__rpc_gate_options *options, struct colony_error *err);

/* Where libzmq listens: a descriptor (O_PATH) of its socket, which becomes the gate's. */
void colony__rpc_gate_lead_to(struct colony__rpc_gate *gate, int path_fd);

/* Accepts from @fd, of which it makes a copy of its own. */
int colony__rpc_gate_listen(struct colony__rpc_gate *gate, int fd, struct colony_error *err);

/* libzmq has given out a whole message that came by its socket @fd. Which connection that is, each
 * with a number of its own; 0: it is gone. */
uint64_t colony__rpc_gate_on_message(struct colony__rpc_gate *gate, int fd);
/* Whether that connection is still there. */
bool colony__rpc_gate_has(const struct colony__rpc_gate *gate, uint64_t connection);

void colony__rpc_gate_stop(struct colony__rpc_gate *gate);

/* Passes on what libzmq has written, for a moment, then closes all. @cb from the loop. */
void colony__rpc_gate_close(struct colony__rpc_gate *gate, void (*cb)(void *data), void *data);

#endif
