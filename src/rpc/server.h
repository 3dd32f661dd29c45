/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - serves an object (object.h) to clients of ZeroMQ (docs/rpc-protocol.md).
 *
 * Connections are accepted by the server itself, which looks at who is there before a byte is read
 * (gate_internal.h), and handed on to libzmq through a socket that nobody else can open. Loop
 * thread only; SIGPIPE is to be ignored.
 */
#ifndef COLONY_RPC_SERVER_H
#define COLONY_RPC_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;
struct colony_rpc_curve;
struct colony_rpc_object;
struct colony_rpc_server;
struct uv_loop_s;

enum {
    COLONY_RPC_MESSAGE_BYTES = 1 << 20, /* the default of message_bytes_max */
    COLONY_RPC_CONNECTIONS_MAX = 1000,
};

struct colony_rpc_server_options {
    struct uv_loop_s *loop;
    const struct colony_rpc_object *object; /* kept */
    void *data;                             /* of the object */
    const char *folder;         /* where nobody else may write; used until _new returns */
    uint64_t message_bytes_max; /* 0: the default */
    const uid_t *uids;          /* who may connect besides root, on this machine; copied */
    size_t uid_count;
    /* Keys (curve.h), which every client needs then; kept. NULL: who it is decides on this machine,
     * nothing elsewhere. */
    const struct colony_rpc_curve *curve;
};

/* What happened so far. Any thread may read them while the server lives. */
struct colony_rpc_counters {
    _Atomic uint64_t requests;    /* carried out, also those that failed */
    _Atomic uint64_t repeated;    /* answered from what was answered before */
    _Atomic uint64_t too_large;   /* messages, with which their connections were closed */
    _Atomic uint64_t malformed;   /* messages that are none, or requests that are none */
    _Atomic uint64_t refused;     /* requests, because too much waits */
    _Atomic uint64_t dropped;     /* answers that their clients did not read */
    _Atomic uint64_t connections; /* accepted */
    _Atomic uint64_t rejected;    /* connections closed unread: too many, or of somebody else */
};

typedef void (*colony_rpc_closed_cb)(void *data);

/* Opens libzmq. -ENOENT with the package to install; -ENOMEM, -EMFILE and the like. */
int colony_rpc_server_new(struct colony_rpc_server **out,
                          const struct colony_rpc_server_options *options,
                          struct colony_error *err);

/* Accepts from @fd (listen.h), of which it makes a copy of its own. */
int colony_rpc_server_listen(struct colony_rpc_server *server, int fd, struct colony_error *err);

/* Accepts no more; what is under way goes on. */
void colony_rpc_server_stop(struct colony_rpc_server *server);

/* Calls that are not answered yet still must be, and go nowhere. @cb is called from the loop. What
 * was answered before has been handed to the kernel then, if it took it. */
void colony_rpc_server_close(struct colony_rpc_server *server, colony_rpc_closed_cb cb, void *data);

const struct colony_rpc_counters *
colony_rpc_server_counters(const struct colony_rpc_server *server);

#endif
