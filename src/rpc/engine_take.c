/* SPDX-License-Identifier: Apache-2.0 */
/* engine_take.c - parameters of the engine's methods, and what they answer in common. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/signals.h"
#include "core/utf8.h"
#include "core/value.h"
#include "rpc/engine_internal.h"

static void raise_type(struct colony_rpc_call *call, const char *name, const char *type)
{
    char text[128];

    (void)snprintf(text, sizeof text, "cannot use `%s`: it must be %s", name, type);
    colony_rpc_raise(call, -32602, "TypeError", text);
}

const char *rpc_take_text(struct colony_rpc_call *call, size_t place, const char *name)
{
    const struct colony_value *value = colony_rpc_call_param(call, place);

    if (value && value->type == VALUE_STRING)
        return value->text;
    raise_type(call, name, "a text");
    return NULL;
}

bool rpc_take_number(struct colony_rpc_call *call, size_t place, const char *name, uint64_t max,
                     uint64_t *out)
{
    const struct colony_value *value = colony_rpc_call_param(call, place);

    if (!value || value->type == VALUE_NULL)
        return true;
    if (value->type == VALUE_NUMBER && value->number >= 0 && value->number <= (double)max &&
        floor(value->number) == value->number) {
        *out = (uint64_t)value->number;
        return true;
    }
    raise_type(call, name, "a whole number, and not too large");
    return false;
}

bool rpc_take_flag(struct colony_rpc_call *call, size_t place, const char *name, bool *out)
{
    const struct colony_value *value = colony_rpc_call_param(call, place);

    if (!value || value->type == VALUE_NULL)
        return true;
    if (value->type == VALUE_BOOL) {
        *out = value->boolean;
        return true;
    }
    raise_type(call, name, "true or false");
    return false;
}

static void raise_missing(struct colony_rpc_call *call, const char *what)
{
    struct colony_error err;

    (void)colony_fail(&err, -ENOENT, "cannot find '%.200s': no such process", what);
    colony_rpc_fail(call, &err);
}

bool rpc_take_template(struct rpc_engine *rpc, struct colony_rpc_call *call, size_t place,
                       struct rpc_target *out)
{
    const char *name = rpc_take_text(call, place, "name");

    if (!name)
        return false;
    if (!colony_engine_find_template(rpc->engine, name)) {
        raise_missing(call, name);
        return false;
    }
    out->id = 0;
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    return true;
}

bool rpc_take_target(struct rpc_engine *rpc, struct colony_rpc_call *call, size_t place,
                     struct rpc_target *out)
{
    const struct colony_value *value = colony_rpc_call_param(call, place);
    struct colony_slot_info info;
    const char *text = value ? value->text : NULL;

    if (!value || (value->type != VALUE_NUMBER && value->type != VALUE_STRING)) {
        raise_type(call, "name", "a name, or the number of a process");
        return false;
    }
    if (text[strspn(text, "0123456789")] != '\0')
        return rpc_take_template(rpc, call, place, out);
    out->id = strtoull(text, NULL, 10);
    if (out->id == 0 || colony_engine_find_process(rpc->engine, out->id, &info) < 0) {
        raise_missing(call, text);
        return false;
    }
    (void)snprintf(out->name, sizeof out->name, "%s", info.name);
    return true;
}

cJSON *rpc_text(const char *text)
{
    size_t size = strlen(text);
    char *copy;
    cJSON *json;

    if (colony_utf8_length(text, size) == size)
        return cJSON_CreateString(text);
    copy = strdup(text);
    if (!copy)
        return NULL;
    colony_utf8_repair(copy, size);
    json = cJSON_CreateString(copy);
    free(copy);
    return json;
}

/* @number, or null where there is none. */
static cJSON *number_or_null(bool is_known, double number)
{
    return is_known ? cJSON_CreateNumber(number) : cJSON_CreateNull();
}

static cJSON *last_exit(const struct colony_slot_info *info)
{
    cJSON *json;

    if (!info->has_exit)
        return cJSON_CreateNull();
    json = cJSON_CreateObject();
    if (!json)
        return NULL;
    (void)cJSON_AddBoolToObject(json, "known", info->exit_known);
    (void)cJSON_AddNumberToObject(json, "status", info->exit_status);
    (void)cJSON_AddItemToObject(json, "signal",
                                info->exit_known && info->term_signal != 0
                                    ? cJSON_CreateString(colony_signal_name(info->term_signal))
                                    : cJSON_CreateNull());
    return json;
}

cJSON *rpc_slot(const struct colony_slot_info *info)
{
    bool lives = info->id != 0;
    const struct {
        const char *key;
        cJSON *item;
    } members[] = {
        {"name", cJSON_CreateString(info->name)},
        {"origin", cJSON_CreateString(info->origin)},
        {"slot", cJSON_CreateNumber(info->slot)},
        {"id", number_or_null(lives, (double)info->id)},
        {"os_pid", number_or_null(lives, info->os_pid)},
        {"state", cJSON_CreateString(colony_slot_state_name(info->state))},
        {"uptime", number_or_null(lives, (double)info->uptime_ms / 1000)},
        {"started", number_or_null(lives, (double)info->started_at_ms / 1000)},
        {"restarts", cJSON_CreateNumber((double)info->restarts)},
        {"retry_in", number_or_null(info->state == SLOT_BACKOFF, (double)info->retry_in_ms / 1000)},
        {"next_in", number_or_null(info->has_next, (double)info->next_in_ms / 1000)},
        {"last_exit", last_exit(info)},
        {"failure", rpc_text(info->failure)},
        {"cause", rpc_text(info->cause)},
        {"status", rpc_text(info->status)},
        {"health", info->health ? cJSON_CreateString(info->health) : cJSON_CreateNull()},
        {"health_note", rpc_text(info->health_note)},
        {"output", cJSON_CreateString(info->output)},
        {"dropped_bytes", cJSON_CreateNumber((double)info->dropped_bytes)},
    };
    cJSON *json = cJSON_CreateObject();
    bool failed = !json;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (!members[i].item || !json ||
            !cJSON_AddItemToObject(json, members[i].key, members[i].item)) {
            cJSON_Delete(members[i].item);
            failed = true;
        }
    if (!failed)
        return json;
    cJSON_Delete(json);
    return NULL;
}

void rpc_walk_add(struct rpc_walk *walk, cJSON *item)
{
    if (item && cJSON_AddItemToArray(walk->json, item))
        return;
    cJSON_Delete(item);
    walk->failed = true;
}

/* Ends @call with what the walk has gathered. */
void rpc_walk_answer(struct colony_rpc_call *call, struct rpc_walk *walk)
{
    if (walk->failed) {
        cJSON_Delete(walk->json);
        walk->json = NULL;
    }
    colony_rpc_answer(call, walk->json);
}

struct rpc_walk rpc_walk_begin(struct rpc_engine *rpc)
{
    struct rpc_walk walk = {.rpc = rpc, .json = cJSON_CreateArray()};

    walk.failed = !walk.json;
    return walk;
}

void rpc_walk_add_slot(const struct colony_slot_info *info, void *data)
{
    rpc_walk_add(data, rpc_slot(info));
}
