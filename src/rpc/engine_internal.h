/* SPDX-License-Identifier: Apache-2.0 */
/* engine_internal.h - the engine as an object of RPC: its methods, its attributes. */
#ifndef COLONY_RPC_ENGINE_INTERNAL_H
#define COLONY_RPC_ENGINE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/template.h"
#include "rpc/object.h"

struct cJSON;
struct colony_engine;
struct colony_error;
struct colony_slot_info;
struct rpc_attributes;

/* What the methods are carried out on. */
struct rpc_engine {
    struct colony_engine *engine;
    struct rpc_attributes *attributes; /* the user's */
    uint64_t started_ms;               /* of the loop's clock */
};

/* The engine's object; its data is a struct rpc_engine. */
extern const struct colony_rpc_object rpc_engine_object;

struct rpc_method {
    const char *name;
    const char *params; /* object.h */
    bool is_for_control;
    void (*call)(struct rpc_engine *rpc, struct colony_rpc_call *call);
    const char *doc;
};

/* Each ends with a row without a name. */
extern const struct rpc_method rpc_show_methods[];
extern const struct rpc_method rpc_history_methods[];
extern const struct rpc_method rpc_control_methods[];
extern const struct rpc_method rpc_change_methods[];

/* A template, or one process of it. */
struct rpc_target {
    char name[COLONY_NAME_MAX + 1];
    uint64_t id; /* 0: all of the template */
};

/* The parameter at @place as a target: a name, or the number of a process. False: the call has been
 * answered. */
bool rpc_take_target(struct rpc_engine *rpc, struct colony_rpc_call *call, size_t place,
                     struct rpc_target *out);
/* The same, of a template only. */
bool rpc_take_template(struct rpc_engine *rpc, struct colony_rpc_call *call, size_t place,
                       struct rpc_target *out);
/* A text; NULL: the call has been answered. @name: of the parameter. */
const char *rpc_take_text(struct colony_rpc_call *call, size_t place, const char *name);
/* *out, left as it is when the parameter is, too. False: answered. */
bool rpc_take_number(struct colony_rpc_call *call, size_t place, const char *name, uint64_t max,
                     uint64_t *out);
bool rpc_take_flag(struct colony_rpc_call *call, size_t place, const char *name, bool *out);

/* A text of anybody's: each byte that is not UTF-8 becomes `?`. NULL: no memory. */
struct cJSON *rpc_text(const char *text);
/* All there is to know of a slot. NULL: no memory. */
struct cJSON *rpc_slot(const struct colony_slot_info *info);

/* A list or a map that one of the engine's walks fills. */
struct rpc_walk {
    struct rpc_engine *rpc;
    struct cJSON *json;
    bool failed;
};

struct rpc_walk rpc_walk_begin(struct rpc_engine *rpc);
/* Takes ownership of @item; NULL says that there was no memory. */
void rpc_walk_add(struct rpc_walk *walk, struct cJSON *item);
/* For colony_engine_each_slot; @data is a struct rpc_walk. */
void rpc_walk_add_slot(const struct colony_slot_info *info, void *data);
/* Ends @call with what the walk has gathered. */
void rpc_walk_answer(struct colony_rpc_call *call, struct rpc_walk *walk);

/* Ends @call with @result, which is freed, once all that was changed is safe on disk. */
void rpc_answer_recorded(struct rpc_engine *rpc, struct colony_rpc_call *call,
                         struct cJSON *result);
/* The same with true, or with @err when @rc says so. */
void rpc_end(struct rpc_engine *rpc, struct colony_rpc_call *call, int rc,
             const struct colony_error *err);

/* logs(name, lines, slot) */
void rpc_logs(struct rpc_engine *rpc, struct colony_rpc_call *call);
/* tree(name) */
void rpc_tree(struct rpc_engine *rpc, struct colony_rpc_call *call);

#endif
