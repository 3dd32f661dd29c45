/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch_internal.h - what becomes of the bytes of a message: requests, calls of the object, and
 * answers in the form that docs/rpc-protocol.md says. It knows no socket.
 */
#ifndef COLONY_RPC_DISPATCH_INTERNAL_H
#define COLONY_RPC_DISPATCH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/server.h"
#include "rpc/window_internal.h"

struct colony_rpc_object;
struct colony__rpc_dispatch;

enum {
    COLONY__RPC_BATCH_MAX = 100,
    COLONY__RPC_PLACES_MAX = 16,       /* where one answer is to go */
    COLONY__RPC_ANSWER_MAX = 16 << 20, /* bytes */
    COLONY__RPC_WHO_MAX = 80,
};

/* Whose message it is, and how it wants its answer. */
struct colony__rpc_sender {
    struct colony__rpc_client_id client;
    bool has_delimiter; /* as REQ sends it: an empty part before the text */
    bool may_control;
    uint64_t connection; /* the one it came by, as the gate tells them apart; 0: unknown */
    char who[COLONY__RPC_WHO_MAX];
};

/* Sends @text (of no bytes: to let a REQ client go on). */
typedef void (*colony__rpc_send_cb)(const struct colony__rpc_sender *to, const char *text,
                                    size_t size, void *data);

struct colony__rpc_dispatch_options {
    const struct colony_rpc_object *object; /* kept */
    void *object_data;
    colony__rpc_send_cb send;
    void *send_data;
    /* Whether the connection is still there, with send_data. NULL: each is. */
    bool (*is_connected)(uint64_t connection, void *data);
    struct colony_rpc_counters *counters; /* kept */
};

int colony__rpc_dispatch_new(struct colony__rpc_dispatch **out,
                             const struct colony__rpc_dispatch_options *options);
/* Calls under way live on until they are answered; nothing is sent any more. */
void colony__rpc_dispatch_free(struct colony__rpc_dispatch *dispatch);

/* Carries out the text of a message. */
void colony__rpc_dispatch_receive(struct colony__rpc_dispatch *dispatch,
                                  const struct colony__rpc_sender *from, const char *text,
                                  size_t size);

/* Answers something that is no message: @reason for people. */
void colony__rpc_dispatch_refuse(struct colony__rpc_dispatch *dispatch,
                                 const struct colony__rpc_sender *from, const char *reason);

#endif
