/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_internal.h - one connection, from its client to libzmq and back.
 *
 * It reads on either side only while the other takes what was read before.
 */
#ifndef COLONY_RPC_LINK_INTERNAL_H
#define COLONY_RPC_LINK_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct colony__rpc_link;
struct uv_loop_s;

struct colony__rpc_link_options {
    struct uv_loop_s *loop;
    int outer_fd;            /* the client's; both become the link's, also when it fails */
    int inner_fd;            /* libzmq's, of a unix socket */
    bool is_unix;            /* outer_fd is one, too */
    uint64_t unfinished_max; /* bytes from the client since the last colony__rpc_link_on_message */
    uint64_t message_max;    /* bytes */
    uint64_t number;         /* what it is known by */
    /* The client sends a message of @size bytes, which is too large: that is the end of it. */
    void (*too_large)(uint64_t size, void *data);
    /* It is gone; called once, from the loop. */
    void (*closed)(struct colony__rpc_link *link, void *data);
    void *data;
};

/* -ENOMEM, and libuv's errors: `closed` is not called then. */
int colony__rpc_link_new(struct colony__rpc_link **out,
                         const struct colony__rpc_link_options *options);
uint64_t colony__rpc_link_number(const struct colony__rpc_link *link);
void colony__rpc_link_on_message(struct colony__rpc_link *link);
void colony__rpc_link_close(struct colony__rpc_link *link);

#endif
