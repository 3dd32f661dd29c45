/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_internal.h - a socket of libzmq's on the loop.
 *
 * Its descriptor says only that something has happened, once, and any call may swallow that. So
 * after each call on the socket outside of `take` there is a colony__rpc_watch_check().
 */
#ifndef COLONY_RPC_WATCH_INTERNAL_H
#define COLONY_RPC_WATCH_INTERNAL_H

#include <stdbool.h>

#include <uv.h>

struct colony_error;
struct colony_zmq;

/* A part of its owner; `take` reads one message. */
struct colony__rpc_watch {
    uv_poll_t poll;
    uv_idle_t idle; /* while there is more than one turn takes */
    const struct colony_zmq *zmq;
    void *socket;
    void (*take)(void *data);
    void *data;
    bool is_taking;
    unsigned closed_count;
    void (*closed)(void *data);
};

/* Begins; on failure nothing has to be closed. @watch has zmq, socket, take and data. */
int colony__rpc_watch_start(struct colony__rpc_watch *watch, uv_loop_t *loop,
                            struct colony_error *err);
void colony__rpc_watch_check(struct colony__rpc_watch *watch);
/* Its socket may be closed at once; @closed is called from the loop. */
void colony__rpc_watch_close(struct colony__rpc_watch *watch, void (*closed)(void *data));

#endif
