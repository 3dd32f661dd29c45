/* SPDX-License-Identifier: Apache-2.0 */
/* engine_history.c - methods that tell what happened. */
#include <errno.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/signals.h"
#include "core/store.h"
#include "rpc/engine_internal.h"

enum {
    HISTORY_DEFAULT = 100,
    HISTORY_MAX = 10000,
    STORY = 20, /* events that led to the present state */
};

/* A query of the history under way. */
struct asking {
    struct colony_rpc_call *call;
    cJSON *json; /* of `why`; NULL: the list alone is the answer */
};

static cJSON *print_event(const struct colony_store_event *row)
{
    bool is_signal = row->exit_known && row->term_signal != 0;
    cJSON *json = cJSON_CreateObject();

    (void)cJSON_AddNumberToObject(json, "seq", (double)row->seq);
    (void)cJSON_AddNumberToObject(json, "time", (double)row->at_ms / 1000);
    (void)cJSON_AddItemToObject(json, "name", rpc_text(row->name));
    (void)cJSON_AddNumberToObject(json, "slot", row->slot);
    (void)cJSON_AddNumberToObject(json, "id", (double)row->id);
    (void)cJSON_AddNumberToObject(json, "os_pid", row->os_pid);
    (void)cJSON_AddItemToObject(json, "event", rpc_text(row->event));
    (void)cJSON_AddItemToObject(json, "from", rpc_text(row->from));
    (void)cJSON_AddItemToObject(json, "to", rpc_text(row->to));
    (void)cJSON_AddItemToObject(json, "exit_status",
                                row->exit_known && !is_signal ? cJSON_CreateNumber(row->exit_status)
                                                              : cJSON_CreateNull());
    (void)cJSON_AddItemToObject(json, "term_signal",
                                is_signal ? cJSON_CreateString(colony_signal_name(row->term_signal))
                                          : cJSON_CreateNull());
    (void)cJSON_AddItemToObject(json, "cause", rpc_text(row->cause));
    return json;
}

static void on_history(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct asking *asking = data;
    struct rpc_walk walk = {.json = cJSON_CreateArray()};
    struct colony_error err;

    for (size_t i = 0; rc == 0 && i < count; i++)
        rpc_walk_add(&walk, print_event(&rows[i]));
    if (rc < 0) {
        (void)colony_fail_os(&err, rc, "cannot read the history");
        colony_rpc_fail(asking->call, &err);
        cJSON_Delete(walk.json);
        cJSON_Delete(asking->json);
    } else if (!asking->json) {
        rpc_walk_answer(asking->call, &walk);
    } else {
        (void)cJSON_AddItemToObject(asking->json, "history", walk.json);
        colony_rpc_answer(asking->call, asking->json);
    }
    free(asking);
}

/* Takes ownership of @json. */
static void ask_history(struct rpc_engine *rpc, struct colony_rpc_call *call,
                        const struct colony_store_query *query, cJSON *json)
{
    struct colony_store *store = colony_engine_store(rpc->engine);
    struct asking *asking = calloc(1, sizeof *asking);

    if (!asking) {
        cJSON_Delete(json);
        colony_rpc_answer(call, NULL);
        return;
    }
    asking->call = call;
    asking->json = json;
    if (!store || colony_store_history(store, query, on_history, asking) < 0)
        on_history(-EAGAIN, NULL, 0, asking);
}

static void show_history(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target = {0};
    struct colony_store_query query = {0};
    const struct colony_value *name = colony_rpc_call_param(call, 0);
    uint64_t limit = HISTORY_DEFAULT;
    uint64_t after = 0;

    if ((name && !rpc_take_template(rpc, call, 0, &target)) ||
        !rpc_take_number(call, 1, "limit", HISTORY_MAX, &limit) ||
        !rpc_take_number(call, 2, "after", UINT64_C(1) << 53, &after))
        return;
    query.name = name ? target.name : NULL;
    query.limit = (uint32_t)limit;
    query.after = after;
    ask_history(rpc, call, &query, NULL);
}

static void add_line(const char *line, void *data)
{
    rpc_walk_add(data, rpc_text(line));
}

static void tell_why(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_store_query query = {.limit = STORY};
    struct rpc_walk slots;
    struct rpc_walk waits;
    cJSON *json;

    if (!rpc_take_template(rpc, call, 0, &target))
        return;
    slots = rpc_walk_begin(rpc);
    waits = rpc_walk_begin(rpc);
    (void)colony_engine_each_slot(rpc->engine, target.name, rpc_walk_add_slot, &slots);
    (void)colony_engine_each_wait(rpc->engine, target.name, add_line, &waits);
    json = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(json, "name", target.name);
    (void)cJSON_AddItemToObject(json, "slots", slots.json);
    (void)cJSON_AddItemToObject(json, "waits", waits.json);
    query.name = target.name;
    ask_history(rpc, call, &query, json);
}

/* clang-format off */
const struct rpc_method rpc_history_methods[] = {
    {"events",    "name? limit? after?", false, show_history,   "events(name?, limit=100, after=0): what happened, newest first; after: only what has a larger seq."},
    {"history",   "name? limit? after?", false, show_history,   "history(name?, limit=100, after=0): the same as events."},
    {"why",       "name",                false, tell_why,       "why(name): what led to the present state."},
    {0},
};
/* clang-format on */
