/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes_internal.h - attributes that users set; those that start with `pst` outlive colony.
 *
 * A change of one of those is saved within the frequency, and at stop; while nothing changes there
 * is no timer. What cannot be saved is told once, and tried again. Loop thread only.
 */
#ifndef COLONY_RPC_ATTRIBUTES_INTERNAL_H
#define COLONY_RPC_ATTRIBUTES_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "rpc/object.h"

struct colony_error;
struct colony_rpc_pst;
struct rpc_attributes;
struct uv_loop_s;

enum {
    RPC_ATTRIBUTES_MAX = 1000,
    RPC_ATTRIBUTE_BYTES_MAX = 256 << 10, /* of one value, as JSON */
    RPC_ATTRIBUTES_BYTES_MAX = 8 << 20,  /* of all */
};

/* @err NULL: it went well. From the loop. */
typedef void (*rpc_attributes_cb)(const struct colony_error *err, void *data);

/* Takes over @pst (pst.h; NULL: nothing is saved). */
int rpc_attributes_new(struct rpc_attributes **out, struct uv_loop_s *loop,
                       struct colony_rpc_pst *pst, uint64_t frequency_ms, struct colony_error *err);
/* Reads what was saved; where that cannot be, nothing is saved over it. */
void rpc_attributes_load(struct rpc_attributes *attributes, rpc_attributes_cb cb, void *data);

/* The value as JSON, or NULL: there is none of that name. */
const char *rpc_attributes_get(const struct rpc_attributes *attributes, const char *name);
/* Copies. -EMSGSIZE, -ENOMEM with the reason. */
int rpc_attributes_set(struct rpc_attributes *attributes, const char *name, const char *json,
                       struct colony_error *err);
void rpc_attributes_each(const struct rpc_attributes *attributes, colony_rpc_each_cb cb,
                         void *data);

/* Saves what has changed, then closes, also when that could not be saved. */
void rpc_attributes_close(struct rpc_attributes *attributes, rpc_attributes_cb cb, void *data);

#endif
