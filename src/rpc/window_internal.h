/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window_internal.h - what clients have under way and were answered, so that nothing is done twice.
 *
 * A request is known by its client's routing id and its own id. Bounded by count, bytes and time;
 * without a timer: what is too old goes when something is added.
 */
#ifndef COLONY_RPC_WINDOW_INTERNAL_H
#define COLONY_RPC_WINDOW_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_rpc_call;
struct colony__rpc_entry;
struct colony__rpc_window;

enum {
    COLONY__RPC_ROUTING_MAX = 255,
    COLONY__RPC_UNDER_WAY_MAX = 64, /* of one client */
    COLONY__RPC_ALL_UNDER_WAY_MAX = 1024,
    COLONY__RPC_URGENT_MAX = 16, /* above both */
    COLONY__RPC_KEPT_MAX = 256,  /* answers of one client */
    COLONY__RPC_ALL_KEPT_MAX = 4096,
    COLONY__RPC_KEPT_BYTES_MAX = 64 << 10, /* of one answer */
    COLONY__RPC_ALL_KEPT_BYTES_MAX = 8 << 20,
    COLONY__RPC_KEPT_MS = 60000,
};

/* Who a client is: the key it came with (0: none), and the routing id it chose. So nobody gets what
 * was answered to somebody else's key. */
struct colony__rpc_client_id {
    size_t size; /* of the routing id */
    unsigned char peer[2];
    unsigned char bytes[COLONY__RPC_ROUTING_MAX];
};

/* What is known of a request: one of both. */
struct colony__rpc_known {
    struct colony_rpc_call *call; /* under way */
    const char *reply;            /* was answered; borrowed until the window changes */
};

int colony__rpc_window_new(struct colony__rpc_window **out);
void colony__rpc_window_free(struct colony__rpc_window *window);

/* Both are NULL when it is new. */
struct colony__rpc_known colony__rpc_window_find(struct colony__rpc_window *window,
                                                 const struct colony__rpc_client_id *client,
                                                 const char *id, uint64_t now_ms);

/* Whether one more of @client may be under way; @is_urgent: one that there is room left for. */
bool colony__rpc_window_has_room(const struct colony__rpc_window *window,
                                 const struct colony__rpc_client_id *client, bool is_urgent);

/* Notes @call as under way; @id NULL: nothing can be the same. -ENOMEM. */
int colony__rpc_window_add(struct colony__rpc_window *window,
                           const struct colony__rpc_client_id *client, const char *id,
                           struct colony_rpc_call *call, struct colony__rpc_entry **out);

/* It was answered with @reply (NULL: it is not kept). @entry is the window's then. */
void colony__rpc_window_end(struct colony__rpc_window *window, struct colony__rpc_entry *entry,
                            const char *reply, uint64_t now_ms);

#endif
