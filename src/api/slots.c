/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#include "api/handlers_internal.h"
#include "api/list_internal.h"
#include "api/response_internal.h"
#include "api/timestamp_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/signals.h"
#include "core/stats.h"
#include "core/template.h"

struct slots {
    struct colony_engine *engine;
    bool has_stats; /* asked for */
    cJSON *array;
    bool failed;
};

static bool add_text(cJSON *json, const char *key, const char *text)
{
    char clean[COLONY_ERROR_TEXT_MAX];

    (void)snprintf(clean, sizeof clean, "%s", text ? text : "");
    colony__utf8_repair(clean);
    return cJSON_AddStringToObject(json, key, clean);
}

/* A number where there is one to tell, else null. */
static bool add_number_or_null(cJSON *json, const char *key, bool is_known, double number)
{
    return is_known ? cJSON_AddNumberToObject(json, key, number) : cJSON_AddNullToObject(json, key);
}

/* Written by hand: a double takes cJSON ten times as long, and there are thousands of slots. */
static bool add_seconds(cJSON *json, const char *key, bool is_known, uint64_t ms)
{
    char text[32];

    if (!is_known)
        return cJSON_AddNullToObject(json, key);
    (void)snprintf(text, sizeof text, "%llu.%03u", (unsigned long long)(ms / 1000),
                   (unsigned)(ms % 1000));
    return cJSON_AddRawToObject(json, key, text);
}

static bool add_exit(cJSON *json, const struct colony_slot_info *info)
{
    cJSON *last;

    if (!info->has_exit)
        return cJSON_AddNullToObject(json, "last_exit");
    last = cJSON_AddObjectToObject(json, "last_exit");
    if (!cJSON_AddBoolToObject(last, "known", info->exit_known) ||
        !cJSON_AddNumberToObject(last, "status", info->exit_status))
        return false;
    if (info->exit_known && info->term_signal != 0)
        return cJSON_AddStringToObject(last, "signal", colony_signal_name(info->term_signal));
    return cJSON_AddNullToObject(last, "signal");
}

cJSON *colony__slot_to_json(const struct colony_slot_info *info)
{
    cJSON *json = cJSON_CreateObject();
    bool lives = info->id != 0;

    if (cJSON_AddStringToObject(json, "name", info->name) &&
        cJSON_AddNumberToObject(json, "slot", info->slot) &&
        add_number_or_null(json, "id", lives, (double)info->id) &&
        add_number_or_null(json, "os_pid", lives, info->os_pid) &&
        cJSON_AddStringToObject(json, "state", colony_slot_state_name(info->state)) &&
        add_seconds(json, "uptime", lives, info->uptime_ms) &&
        add_seconds(json, "started", lives, info->started_at_ms) &&
        cJSON_AddNumberToObject(json, "restarts", (double)info->restarts) &&
        add_seconds(json, "retry_in", info->state == SLOT_BACKOFF, info->retry_in_ms) &&
        add_exit(json, info) && add_text(json, "failure", info->failure) &&
        add_text(json, "cause", info->cause) && add_text(json, "status", info->status) &&
        colony__json_add_item(json, "since", colony__json_time(info->since_ms)) &&
        add_text(json, "output", info->output) &&
        cJSON_AddNumberToObject(json, "dropped_bytes", (double)info->dropped_bytes) &&
        cJSON_AddNumberToObject(json, "dropped_lines", (double)info->dropped_lines))
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* What its process uses now: a look, so that the answer need not wait. */
static bool add_stats(cJSON *json, struct colony_engine *engine,
                      const struct colony_slot_info *info)
{
    struct colony_process_stats stats = {0};
    bool lives = info->id != 0 && colony_stats_look(colony_engine_stats(engine), info->os_pid,
                                                    info->uptime_ms, &stats) == 0;

    return add_number_or_null(json, "cpu", lives, round(stats.cpu_percent * 100) / 100) &&
           add_number_or_null(json, "mem", lives, (double)stats.rss_bytes);
}

static void add_slot(const struct colony_slot_info *info, void *data)
{
    struct slots *slots = data;
    cJSON *json = slots->failed ? NULL : colony__slot_to_json(info);

    if (!json || !cJSON_AddItemToArray(slots->array, json)) {
        cJSON_Delete(json);
        slots->failed = true;
    } else if (slots->has_stats && !add_stats(json, slots->engine, info)) {
        slots->failed = true;
    }
}

static void add_template(const struct colony_template *template, void *data)
{
    const struct slots *slots = data;

    (void)colony_engine_each_slot(slots->engine, template->name, add_slot, data);
}

int colony__get_slots(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    struct slots slots = {.engine = colony__connection_engine(connection)};
    const char *name = colony__request_query(request, "name");
    struct colony__target target = {0};
    int rc = colony__request_query_bool(request, "stats", &slots.has_stats, err);

    if (rc == 0 && name)
        rc = colony__target_find(&target, slots.engine, name, err);
    if (rc < 0)
        return rc;
    slots.array = cJSON_CreateArray();
    if (name)
        (void)colony_engine_each_slot(slots.engine, target.name, add_slot, &slots);
    else
        colony_engine_each_template(slots.engine, add_template, &slots);
    if (slots.failed) {
        cJSON_Delete(slots.array);
        slots.array = NULL;
    }
    return colony__respond_json(connection, 200, slots.array);
}
