/* SPDX-License-Identifier: Apache-2.0 */
/* engine_show.c - methods that only look. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/mask.h"
#include "core/signals.h"
#include "core/slot.h"
#include "core/stats.h"
#include "core/store.h"
#include "rpc/engine_internal.h"

enum {
    HISTORY_DEFAULT = 100,
    HISTORY_MAX = 10000,
    STORY = 20, /* events that led to the present state */
};

/* A list or a map that one of the engine's walks fills. */
struct walk {
    struct rpc_engine *rpc;
    cJSON *json;
    bool failed;
};

static void add(struct walk *walk, cJSON *item)
{
    if (item && cJSON_AddItemToArray(walk->json, item))
        return;
    cJSON_Delete(item);
    walk->failed = true;
}

/* Ends @call with what the walk has gathered. */
static void answer(struct colony_rpc_call *call, struct walk *walk)
{
    if (walk->failed) {
        cJSON_Delete(walk->json);
        walk->json = NULL;
    }
    colony_rpc_answer(call, walk->json);
}

static struct walk begin(struct rpc_engine *rpc)
{
    struct walk walk = {.rpc = rpc, .json = cJSON_CreateArray()};

    walk.failed = !walk.json;
    return walk;
}

static void add_name(const struct colony_template *template, void *data)
{
    add(data, cJSON_CreateString(template->name));
}

static void list_templates(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct walk walk = begin(rpc);

    colony_engine_each_template(rpc->engine, add_name, &walk);
    answer(call, &walk);
}

static void add_slot(const struct colony_slot_info *info, void *data)
{
    add(data, rpc_slot(info));
}

static void add_slots(const struct colony_template *template, void *data)
{
    const struct walk *walk = data;

    (void)colony_engine_each_slot(walk->rpc->engine, template->name, add_slot, data);
}

static void list_slots(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct walk walk;
    bool has_name = colony_rpc_call_param(call, 0) != NULL;

    if (has_name && !rpc_take_template(rpc, call, 0, &target))
        return;
    walk = begin(rpc);
    if (has_name)
        (void)colony_engine_each_slot(rpc->engine, target.name, add_slot, &walk);
    else
        colony_engine_each_template(rpc->engine, add_slots, &walk);
    answer(call, &walk);
}

struct count {
    uint32_t slots;
    uint32_t running;
};

static void count_slot(const struct colony_slot_info *info, void *data)
{
    struct count *count = data;

    count->slots += !info->is_leaving;
    count->running += info->id != 0;
}

static cJSON *print_status(struct rpc_engine *rpc, const char *name)
{
    struct count count = {0};
    cJSON *json = cJSON_CreateObject();

    (void)colony_engine_each_slot(rpc->engine, name, count_slot, &count);
    if (cJSON_AddStringToObject(json, "name", name) &&
        cJSON_AddBoolToObject(json, "active", colony_engine_is_active(rpc->engine, name)) &&
        cJSON_AddNumberToObject(json, "running", count.running) &&
        cJSON_AddNumberToObject(json, "numprocesses", count.slots))
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void add_status(const struct colony_template *template, void *data)
{
    struct walk *walk = data;

    add(walk, print_status(walk->rpc, template->name));
}

static void show_status(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct walk walk;

    if (colony_rpc_call_param(call, 0)) {
        if (rpc_take_template(rpc, call, 0, &target))
            colony_rpc_answer(call, print_status(rpc, target.name));
        return;
    }
    walk = begin(rpc);
    colony_engine_each_template(rpc->engine, add_status, &walk);
    answer(call, &walk);
}

static void add_id(const struct colony_slot_info *info, void *data)
{
    if (info->id != 0)
        add(data, cJSON_CreateNumber((double)info->id));
}

static void list_pids(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct walk walk;

    if (!rpc_take_template(rpc, call, 0, &target))
        return;
    walk = begin(rpc);
    (void)colony_engine_each_slot(rpc->engine, target.name, add_id, &walk);
    answer(call, &walk);
}

static void show_settings(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;

    if (rpc_take_target(rpc, call, 0, &target))
        colony_rpc_answer(
            call, colony_template_to_json(colony_engine_find_template(rpc->engine, target.name)));
}

static void add_member(const struct colony_template *template, void *data)
{
    struct walk *walk = data;
    cJSON *group;
    cJSON *name;

    if (!template->group)
        return;
    group = cJSON_GetObjectItemCaseSensitive(walk->json, template->group);
    if (!group)
        group = cJSON_AddArrayToObject(walk->json, template->group);
    name = cJSON_CreateString(template->name);
    if (group && name && cJSON_AddItemToArray(group, name))
        return;
    cJSON_Delete(name);
    walk->failed = true;
}

static void list_groups(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct walk walk = {.rpc = rpc, .json = cJSON_CreateObject()};

    walk.failed = !walk.json;
    colony_engine_each_template(rpc->engine, add_member, &walk);
    answer(call, &walk);
}

static void add_variable(const char *name, const char *value, const char *source, void *data)
{
    char *masked = colony_mask(name, value);
    cJSON *json = cJSON_CreateObject();
    cJSON *shown = masked ? rpc_text(masked) : NULL;

    if (!shown || !cJSON_AddItemToObject(json, "value", shown)) {
        cJSON_Delete(shown);
        cJSON_Delete(json);
        json = NULL;
    } else {
        (void)cJSON_AddItemToObject(json, "name", rpc_text(name));
        (void)cJSON_AddStringToObject(json, "source", source);
    }
    free(masked);
    add(data, json);
}

static void show_env(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct walk walk;

    if (!rpc_take_template(rpc, call, 0, &target))
        return;
    walk = begin(rpc);
    if (colony_engine_each_variable(rpc->engine, target.name, add_variable, &walk) < 0)
        walk.failed = true;
    answer(call, &walk);
}

static void add_stats(const struct colony_slot_info *info, void *data)
{
    struct walk *walk = data;
    struct colony_process_stats stats;
    cJSON *json;

    if (info->id == 0 || colony_stats_look(colony_engine_stats(walk->rpc->engine), info->os_pid,
                                           info->uptime_ms, &stats) < 0)
        return;
    json = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(json, "name", info->name);
    (void)cJSON_AddNumberToObject(json, "slot", info->slot);
    (void)cJSON_AddNumberToObject(json, "id", (double)info->id);
    (void)cJSON_AddNumberToObject(json, "os_pid", info->os_pid);
    (void)cJSON_AddNumberToObject(json, "cpu", round(stats.cpu_percent * 100) / 100);
    (void)cJSON_AddNumberToObject(json, "mem", (double)stats.rss_bytes);
    (void)cJSON_AddNumberToObject(json, "cpu_time", (double)stats.cpu_ns / 1e9);
    add(walk, json);
}

static void add_all_stats(const struct colony_template *template, void *data)
{
    const struct walk *walk = data;

    (void)colony_engine_each_slot(walk->rpc->engine, template->name, add_stats, data);
}

static void show_stats(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct walk walk;
    bool has_name = colony_rpc_call_param(call, 0) != NULL;

    if (has_name && !rpc_take_template(rpc, call, 0, &target))
        return;
    walk = begin(rpc);
    if (has_name)
        (void)colony_engine_each_slot(rpc->engine, target.name, add_stats, &walk);
    else
        colony_engine_each_template(rpc->engine, add_all_stats, &walk);
    answer(call, &walk);
}

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
    struct walk walk = {.json = cJSON_CreateArray()};
    struct colony_error err;

    for (size_t i = 0; rc == 0 && i < count; i++)
        add(&walk, print_event(&rows[i]));
    if (rc < 0) {
        (void)colony_fail_os(&err, rc, "cannot read the history");
        colony_rpc_fail(asking->call, &err);
        cJSON_Delete(walk.json);
        cJSON_Delete(asking->json);
    } else if (!asking->json) {
        answer(asking->call, &walk);
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
    add(data, rpc_text(line));
}

static void tell_why(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_store_query query = {.limit = STORY};
    struct walk slots;
    struct walk waits;
    cJSON *json;

    if (!rpc_take_template(rpc, call, 0, &target))
        return;
    slots = begin(rpc);
    waits = begin(rpc);
    (void)colony_engine_each_slot(rpc->engine, target.name, add_slot, &slots);
    (void)colony_engine_each_wait(rpc->engine, target.name, add_line, &waits);
    json = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(json, "name", target.name);
    (void)cJSON_AddItemToObject(json, "slots", slots.json);
    (void)cJSON_AddItemToObject(json, "waits", waits.json);
    query.name = target.name;
    ask_history(rpc, call, &query, json);
}

/* clang-format off */
const struct rpc_method rpc_show_methods[] = {
    {"env",       "name",                false, show_env,       "env(name): the environment of a template's processes, and where it is from; secrets are hidden."},
    {"events",    "name? limit? after?", false, show_history,   "events(name?, limit=100, after=0): what happened, newest first; after: only what has a larger seq."},
    {"get",       "name",                false, show_settings,  "get(name): the settings of a template."},
    {"groups",    "",                    false, list_groups,    "groups(): the groups and what is in them."},
    {"history",   "name? limit? after?", false, show_history,   "history(name?, limit=100, after=0): the same as events."},
    {"list",      "",                    false, list_templates, "list(): the names of the templates."},
    {"logs",      "name lines? slot?",   false, rpc_logs,       "logs(name, lines=100, slot?): the last lines of what its processes wrote."},
    {"pids",      "name",                false, list_pids,      "pids(name): the ids of a template's processes."},
    {"ps",        "name?",               false, list_slots,     "ps(name?): every process and its state."},
    {"stats",     "name?",               false, show_stats,     "stats(name?): what processes use: cpu (percent), mem (bytes), cpu_time (seconds)."},
    {"status",    "name?",               false, show_status,    "status(name?): how a template is doing, or all of them."},
    {"why",       "name",                false, tell_why,       "why(name): what led to the present state."},
    {0},
};
/* clang-format on */
