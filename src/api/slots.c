/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/signals.h"
#include "core/stats.h"
#include "core/template.h"

struct slots {
    struct colony_engine *engine;
    bool has_stats; /* asked for */
    struct colony__json json;
};

/* A number where there is one to tell, else null. */
static void add_number_or_null(struct colony__json *json, const char *key, bool is_known,
                               uint64_t number)
{
    if (is_known)
        colony__json_add_number(json, key, number);
    else
        colony__json_add_null(json, key);
}

static void add_seconds_or_null(struct colony__json *json, const char *key, bool is_known,
                                uint64_t ms)
{
    if (is_known)
        colony__json_add_seconds(json, key, ms);
    else
        colony__json_add_null(json, key);
}

static void add_exit(struct colony__json *json, const struct colony_slot_info *info)
{
    if (!info->has_exit) {
        colony__json_add_null(json, "last_exit");
        return;
    }
    colony__json_open(json, "last_exit", '{');
    colony__json_add_bool(json, "known", info->exit_known);
    colony__json_add_signed(json, "status", info->exit_status);
    if (info->exit_known && info->term_signal != 0)
        colony__json_add_text(json, "signal", colony_signal_name(info->term_signal));
    else
        colony__json_add_null(json, "signal");
    colony__json_close(json, '}');
}

void colony__slot_open_json(struct colony__json *json, const struct colony_slot_info *info)
{
    bool lives = info->id != 0;

    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "name", info->name);
    colony__json_add_text(json, "origin", info->origin);
    colony__json_add_number(json, "slot", info->slot);
    add_number_or_null(json, "id", lives, info->id);
    add_number_or_null(json, "os_pid", lives, (uint64_t)info->os_pid);
    colony__json_add_text(json, "state", colony_slot_state_name(info->state));
    colony__json_add_bool(json, "paused", info->is_paused);
    add_seconds_or_null(json, "uptime", lives, info->uptime_ms);
    add_seconds_or_null(json, "started", lives, info->started_at_ms);
    colony__json_add_number(json, "restarts", info->restarts);
    add_seconds_or_null(json, "retry_in", info->state == SLOT_BACKOFF, info->retry_in_ms);
    add_seconds_or_null(json, "next_in", info->has_next, info->next_in_ms);
    add_exit(json, info);
    colony__json_add_text(json, "failure", info->failure);
    colony__json_add_text(json, "cause", info->cause);
    colony__json_add_text(json, "status", info->status);
    if (info->health)
        colony__json_add_text(json, "health", info->health);
    else
        colony__json_add_null(json, "health");
    colony__json_add_text(json, "health_note", info->health_note);
    colony__json_add_time(json, "since", info->since_ms);
    colony__json_add_text(json, "output", info->output);
    colony__json_add_number(json, "dropped_bytes", info->dropped_bytes);
    colony__json_add_number(json, "dropped_lines", info->dropped_lines);
    colony__json_add_text(json, "streams", info->streams);
    colony__json_add_number(json, "unread_bytes", info->unread_bytes);
}

/* What its process uses now: a look, so that the answer need not wait. */
static void add_stats(struct colony__json *json, struct colony_engine *engine,
                      const struct colony_slot_info *info)
{
    struct colony_process_stats stats;

    if (info->id != 0 && colony_stats_look(colony_engine_stats(engine), info->os_pid,
                                           info->uptime_ms, &stats) == 0) {
        colony__json_add_rounded(json, "cpu", stats.cpu_percent);
        colony__json_add_number(json, "mem", stats.rss_bytes);
        colony__json_add_seconds(json, "cpu_time", stats.cpu_ns / 1000000);
    } else {
        colony__json_add_null(json, "cpu");
        colony__json_add_null(json, "mem");
        colony__json_add_null(json, "cpu_time");
    }
}

static void add_slot(const struct colony_slot_info *info, void *data)
{
    struct slots *slots = data;

    if (slots->json.failed)
        return;
    colony__slot_open_json(&slots->json, info);
    if (slots->has_stats)
        add_stats(&slots->json, slots->engine, info);
    colony__json_close(&slots->json, '}');
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
    colony__json_open(&slots.json, NULL, '[');
    if (name)
        (void)colony_engine_each_slot(slots.engine, target.name, add_slot, &slots);
    else
        colony_engine_each_template(slots.engine, add_template, &slots);
    colony__json_close(&slots.json, ']');
    return colony__respond_json(connection, 200, &slots.json);
}
