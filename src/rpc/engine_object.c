/* SPDX-License-Identifier: Apache-2.0 */
/* engine_object.c - the engine's attributes and methods by their names. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/json_print.h"
#include "core/settings.h"
#include "core/value.h"
#include "rpc/attributes_internal.h"
#include "rpc/engine_internal.h"

struct counts {
    struct colony_engine *engine;
    unsigned templates;
    unsigned slots;
    unsigned processes; /* that live */
    unsigned ready;
    unsigned failed;
};

static void count_slot(const struct colony_slot_info *info, void *data)
{
    struct counts *counts = data;

    counts->slots += !info->is_leaving;
    counts->processes += info->id != 0;
    counts->ready += info->state == SLOT_READY;
    counts->failed += info->state == SLOT_FAILED;
}

static void count_template(const struct colony_template *template, void *data)
{
    struct counts *counts = data;

    counts->templates++;
    (void)colony_engine_each_slot(counts->engine, template->name, count_slot, counts);
}

static struct counts count_all(const struct rpc_engine *rpc)
{
    struct counts counts = {.engine = rpc->engine};

    colony_engine_each_template(rpc->engine, count_template, &counts);
    return counts;
}

static cJSON *get_running(const struct rpc_engine *rpc)
{
    (void)rpc;
    return cJSON_CreateTrue(); /* whoever can answer does */
}

static cJSON *get_uptime(const struct rpc_engine *rpc)
{
    uint64_t now_ms = uv_now(colony_engine_uv_loop(rpc->engine));

    return cJSON_CreateNumber((double)(now_ms - rpc->started_ms) / 1000);
}

static cJSON *get_name(const struct rpc_engine *rpc)
{
    return cJSON_CreateString(colony_engine_settings(rpc->engine)->name);
}

static cJSON *get_version(const struct rpc_engine *rpc)
{
    (void)rpc;
    return cJSON_CreateString(COLONY_VERSION);
}

static cJSON *get_pid(const struct rpc_engine *rpc)
{
    (void)rpc;
    return cJSON_CreateNumber(getpid());
}

static cJSON *get_templates(const struct rpc_engine *rpc)
{
    return cJSON_CreateNumber(count_all(rpc).templates);
}

static cJSON *get_slots(const struct rpc_engine *rpc)
{
    return cJSON_CreateNumber(count_all(rpc).slots);
}

static cJSON *get_processes(const struct rpc_engine *rpc)
{
    return cJSON_CreateNumber(count_all(rpc).processes);
}

static cJSON *get_ready(const struct rpc_engine *rpc)
{
    return cJSON_CreateNumber(count_all(rpc).ready);
}

static cJSON *get_failed(const struct rpc_engine *rpc)
{
    return cJSON_CreateNumber(count_all(rpc).failed);
}

/* What can be read, and not set. */
static const struct {
    const char *name;
    cJSON *(*get)(const struct rpc_engine *rpc);
    const char *doc;
} attributes[] = {
    {"failed", get_failed, "How many slots have failed for good."},
    {"name", get_name, "What this colony is called."},
    {"pid", get_pid, "The pid of its engine."},
    {"processes", get_processes, "How many processes live."},
    {"ready", get_ready, "How many processes have told that they are ready."},
    {"running", get_running, "True until colony ends."},
    {"slots", get_slots, "How many processes there should be."},
    {"templates", get_templates, "How many templates there are."},
    {"uptime", get_uptime, "Seconds since its engine began to serve."},
    {"version", get_version, "The version of colony."},
    {0},
};

static const struct rpc_method *const method_tables[] = {rpc_show_methods, rpc_history_methods,
                                                         rpc_control_methods, rpc_change_methods};

static const struct rpc_method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof method_tables / sizeof method_tables[0]; i++)
        for (const struct rpc_method *at = method_tables[i]; at->name; at++)
            if (strcmp(at->name, name) == 0)
                return at;
    return NULL;
}

static bool find(void *data, const char *name, struct colony_rpc_member *out)
{
    const struct rpc_engine *rpc = data;
    const struct rpc_method *method = find_method(name);

    if (method) {
        out->kind = RPC_METHOD;
        out->params = method->params;
        out->doc = method->doc;
        out->is_for_control = method->is_for_control;
        return true;
    }
    out->kind = RPC_ATTRIBUTE;
    for (size_t i = 0; attributes[i].name; i++)
        if (strcmp(attributes[i].name, name) == 0) {
            out->doc = attributes[i].doc;
            out->is_read_only = true;
            return true;
        }
    return rpc_attributes_get(rpc->attributes, name) != NULL;
}

static void each(void *data, colony_rpc_each_cb cb, void *cb_data)
{
    const struct rpc_engine *rpc = data;

    for (size_t i = 0; attributes[i].name; i++)
        cb(attributes[i].name, RPC_ATTRIBUTE, cb_data);
    rpc_attributes_each(rpc->attributes, cb, cb_data);
    for (size_t i = 0; i < sizeof method_tables / sizeof method_tables[0]; i++)
        for (const struct rpc_method *at = method_tables[i]; at->name; at++)
            cb(at->name, RPC_METHOD, cb_data);
}

static void get(void *data, const char *name, struct colony_rpc_call *call)
{
    const struct rpc_engine *rpc = data;

    for (size_t i = 0; attributes[i].name; i++)
        if (strcmp(attributes[i].name, name) == 0) {
            colony_rpc_answer(call, attributes[i].get(rpc));
            return;
        }
    colony_rpc_answer_text(call, rpc_attributes_get(rpc->attributes, name));
}

/* Any name that is free becomes an attribute of the user's. */
static void set(void *data, const char *name, struct colony_rpc_call *call)
{
    struct rpc_engine *rpc = data;
    cJSON *json = colony_value_to_json(colony_rpc_call_param(call, 1));
    char *text = colony_json_print(json);
    struct colony_error err = {0};
    int rc;

    cJSON_Delete(json);
    if (!text) {
        colony_rpc_answer(call, NULL);
        return;
    }
    rc = rpc_attributes_set(rpc->attributes, name, text, &err);
    free(text);
    if (rc < 0)
        colony_rpc_fail(call, &err);
    else
        colony_rpc_answer(call, cJSON_CreateTrue());
}

static void call_method(void *data, const char *name, struct colony_rpc_call *call)
{
    find_method(name)->call(data, call);
}

const struct colony_rpc_object rpc_engine_object = {
    .doc =
        "colony: keeps processes alive. Attributes that you set are kept; those whose names begin "
        "with pst are there again after a restart.",
    .find = find,
    .each = each,
    .get = get,
    .set = set,
    .call = call_method,
};
