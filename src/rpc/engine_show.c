/* SPDX-License-Identifier: Apache-2.0 */
/* engine_show.c - methods that only look. */
#include <math.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/mask.h"
#include "core/stats.h"
#include "rpc/engine_internal.h"

static void add_name(const struct colony_template *template, void *data)
{
    rpc_walk_add(data, cJSON_CreateString(template->name));
}

static void list_templates(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_walk walk = rpc_walk_begin(rpc);

    colony_engine_each_template(rpc->engine, add_name, &walk);
    rpc_walk_answer(call, &walk);
}

/* A walk over slots, of one template or of all. */
struct slots {
    struct rpc_walk walk; /* first: it is what @each gets */
    colony_slot_cb each;
};

static void add_slots(const struct colony_template *template, void *data)
{
    struct slots *slots = data;

    (void)colony_engine_each_slot(slots->walk.rpc->engine, template->name, slots->each,
                                  &slots->walk);
}

/* Answers with what @each adds; the parameter may name a template. */
static void answer_slots(struct rpc_engine *rpc, struct colony_rpc_call *call, colony_slot_cb each)
{
    struct slots slots = {.each = each};
    struct rpc_target target;
    bool has_name = colony_rpc_call_param(call, 0) != NULL;

    if (has_name && !rpc_take_template(rpc, call, 0, &target))
        return;
    slots.walk = rpc_walk_begin(rpc);
    if (has_name)
        (void)colony_engine_each_slot(rpc->engine, target.name, each, &slots.walk);
    else
        colony_engine_each_template(rpc->engine, add_slots, &slots);
    rpc_walk_answer(call, &slots.walk);
}

static void list_slots(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    answer_slots(rpc, call, rpc_walk_add_slot);
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
    struct rpc_walk *walk = data;

    rpc_walk_add(walk, print_status(walk->rpc, template->name));
}

static void show_status(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct rpc_walk walk;

    if (colony_rpc_call_param(call, 0)) {
        if (rpc_take_template(rpc, call, 0, &target))
            colony_rpc_answer(call, print_status(rpc, target.name));
        return;
    }
    walk = rpc_walk_begin(rpc);
    colony_engine_each_template(rpc->engine, add_status, &walk);
    rpc_walk_answer(call, &walk);
}

static void add_id(const struct colony_slot_info *info, void *data)
{
    if (info->id != 0)
        rpc_walk_add(data, cJSON_CreateNumber((double)info->id));
}

static void list_pids(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct rpc_walk walk;

    if (!rpc_take_template(rpc, call, 0, &target))
        return;
    walk = rpc_walk_begin(rpc);
    (void)colony_engine_each_slot(rpc->engine, target.name, add_id, &walk);
    rpc_walk_answer(call, &walk);
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
    struct rpc_walk *walk = data;
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
    struct rpc_walk walk = {.rpc = rpc, .json = cJSON_CreateObject()};

    walk.failed = !walk.json;
    colony_engine_each_template(rpc->engine, add_member, &walk);
    rpc_walk_answer(call, &walk);
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
    rpc_walk_add(data, json);
}

static void show_env(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct rpc_walk walk;

    if (!rpc_take_template(rpc, call, 0, &target))
        return;
    walk = rpc_walk_begin(rpc);
    if (colony_engine_each_variable(rpc->engine, target.name, add_variable, &walk) < 0)
        walk.failed = true;
    rpc_walk_answer(call, &walk);
}

static void add_stats(const struct colony_slot_info *info, void *data)
{
    struct rpc_walk *walk = data;
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
    rpc_walk_add(walk, json);
}

static void show_stats(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    answer_slots(rpc, call, add_stats);
}

/* clang-format off */
const struct rpc_method rpc_show_methods[] = {
    {"env",       "name",                false, show_env,       "env(name): the environment of a template's processes, and where it is from; secrets are hidden."},
    {"get",       "name",                false, show_settings,  "get(name): the settings of a template."},
    {"groups",    "",                    false, list_groups,    "groups(): the groups and what is in them."},
    {"list",      "",                    false, list_templates, "list(): the names of the templates."},
    {"logs",      "name lines? slot?",   false, rpc_logs,       "logs(name, lines=100, slot?): the last lines of what its processes wrote."},
    {"pids",      "name",                false, list_pids,      "pids(name): the ids of a template's processes."},
    {"ps",        "name?",               false, list_slots,     "ps(name?): every process and its state."},
    {"stats",     "name?",               false, show_stats,     "stats(name?): what processes use: cpu (percent), mem (bytes), cpu_time (seconds)."},
    {"status",    "name?",               false, show_status,    "status(name?): how a template is doing, or all of them."},
    {"tree",      "name?",               false, rpc_tree,       "tree(name?): the processes of each slot with all their descendants."},
    {0},
};
/* clang-format on */
