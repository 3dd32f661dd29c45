/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_internal.h - answers on their way, with a limit on what libzmq holds for who does not
 * read.
 */
#ifndef COLONY_RPC_OUTBOX_INTERNAL_H
#define COLONY_RPC_OUTBOX_INTERNAL_H

#include <stddef.h>

struct colony__rpc_outbox;
struct colony__rpc_sender;
struct colony_zmq;

enum {
    COLONY__RPC_UNREAD_BYTES_MAX = 32 << 20, /* of one client */
    COLONY__RPC_ALL_UNREAD_BYTES_MAX = 128 << 20,
};

int colony__rpc_outbox_new(struct colony__rpc_outbox **out, const struct colony_zmq *zmq);
/* Once the context of libzmq is gone. NULL is fine. */
void colony__rpc_outbox_free(struct colony__rpc_outbox *outbox);

/* -EHOSTUNREACH: it is gone; -EAGAIN: it does not read; -ENOMEM. */
int colony__rpc_outbox_send(struct colony__rpc_outbox *outbox, void *socket,
                            const struct colony__rpc_sender *to, const char *text, size_t size);

#endif
