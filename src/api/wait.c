/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/settings.h"
#include "core/template.h"

/* One `?wait=` under way. Lives until its connection lets go of it. */
struct wait {
    struct colony__connection *connection;
    struct colony_engine *engine;
    struct colony_subscription *subscription;
    enum colony__wait kind;
    uint64_t id;
    bool is_answered;
    char name[COLONY_NAME_MAX + 1];
};

struct look {
    uint64_t old_id;
    bool all_run;
};

int colony__wait_parse(const struct colony__request *request, uint64_t *ms,
                       struct colony_error *err)
{
    const char *value = colony__request_query(request, "wait");

    *ms = 0;
    if (!value || strcmp(value, "false") == 0)
        return 0;
    if (*value == '\0' || strcmp(value, "true") == 0)
        *ms = UINT64_MAX;
    else if (colony_settings_parse_duration(value, ms) < 0 || *ms > INT64_MAX / 2)
        return colony_fail(err, -EINVAL, "cannot wait '%s': seconds, a duration or true", value);
    else if (*ms == 0)
        *ms = 1;
    return 0;
}

static void look_at_slot(const struct colony_slot_info *info, void *data)
{
    struct look *look = data;

    if (!(info->state == SLOT_RUNNING && info->id > look->old_id) && info->state != SLOT_COMPLETED)
        look->all_run = false;
}

static bool is_over(const struct wait *wait)
{
    struct look look = {.old_id = wait->id, .all_run = true};
    struct colony_slot_info info;

    switch (wait->kind) {
    case WAIT_STOPPED:
        return !colony_engine_is_active(wait->engine, wait->name);
    case WAIT_GONE:
        return colony_engine_find_process(wait->engine, wait->id, &info) < 0;
    case WAIT_RESTARTED:
        (void)colony_engine_each_slot(wait->engine, wait->name, look_at_slot, &look);
        return look.all_run;
    }
    return true;
}

static cJSON *report_to_json(const struct colony_stop_report *report)
{
    cJSON *json = cJSON_CreateObject();

    if (cJSON_AddTrueToObject(json, "ok") &&
        cJSON_AddNumberToObject(json, "stopped", report->stopped) &&
        cJSON_AddNumberToObject(json, "killed", report->killed) &&
        cJSON_AddNumberToObject(json, "unclaimed", report->unclaimed) &&
        cJSON_AddBoolToObject(json, "partial", report->is_partial))
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void answer(struct wait *wait)
{
    struct colony_stop_report report = {0};

    wait->is_answered = true;
    (void)colony_engine_stop_report(wait->engine, wait->name, &report);
    (void)colony__respond_json(wait->connection, 200, report_to_json(&report));
}

static void on_event(const struct colony_event *event, void *data)
{
    struct wait *wait = data;
    struct colony_error err;

    if (wait->is_answered)
        return;
    if (event->type == EVENT_STATE && event->to == SLOT_FAILED && wait->kind == WAIT_RESTARTED) {
        wait->is_answered = true;
        (void)colony_fail(&err, -ESRCH, "cannot restart %s: slot %u has failed%s%s", wait->name,
                          event->slot, event->text && *event->text ? ": " : "",
                          event->text ? event->text : "");
        colony__respond_error(wait->connection, &err);
        return;
    }
    if (is_over(wait))
        answer(wait);
}

static void on_timed_out(struct colony__connection *connection, void *data)
{
    struct wait *wait = data;
    struct colony_error err;

    wait->is_answered = true;
    (void)colony_fail(&err, -ETIMEDOUT, "cannot wait any longer for %s: it is still %s", wait->name,
                      wait->kind == WAIT_RESTARTED ? "restarting" : "stopping");
    colony__respond_error(connection, &err);
}

static void on_closed(void *data)
{
    struct wait *wait = data;

    colony_events_unsubscribe(colony_engine_events(wait->engine), wait->subscription);
    free(wait);
}

static const struct colony__source wait_source = {
    .timed_out = on_timed_out,
    .closed = on_closed,
    .is_patient = true,
};

int colony__wait_begin(struct colony__connection *connection, enum colony__wait kind,
                       const struct colony__target *target, uint64_t ms, struct colony_error *err)
{
    struct wait *wait = calloc(1, sizeof *wait);
    char pattern[sizeof "proc." + COLONY_NAME_MAX];
    int rc;

    if (!wait)
        return colony_fail_os(err, -ENOMEM, "cannot wait for %s", target->name);
    wait->connection = connection;
    wait->engine = colony__connection_engine(connection);
    wait->kind = kind;
    wait->id = target->id;
    (void)snprintf(wait->name, sizeof wait->name, "%s", target->name);
    (void)snprintf(pattern, sizeof pattern, "proc.%s", target->name);
    rc = colony_events_subscribe(colony_engine_events(wait->engine), pattern, on_event, wait,
                                 &wait->subscription);
    if (rc < 0) {
        free(wait);
        return colony_fail_os(err, rc, "cannot wait for %s", target->name);
    }
    if (ms != UINT64_MAX)
        colony__connection_set_timeout(connection, ms);
    colony__connection_set_source(connection, &wait_source, wait); /* may be the end of it */
    if (connection->source && is_over(wait))
        answer(wait);
    return 0;
}
