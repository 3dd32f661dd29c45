/* SPDX-License-Identifier: Apache-2.0 */
/* engine_control.c - methods that change something. They are answered once it is recorded. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/signals.h"
#include "core/value.h"
#include "rpc/engine_internal.h"

enum {
    UPGRADE_MS = 100, /* for its answer */
};

/* An answer that waits until what it tells of is safe on disk. */
struct promise {
    struct colony_rpc_call *call;
    cJSON *result;
};

static void on_recorded(int rc, void *data)
{
    struct promise *promise = data;
    struct colony_error err;

    if (rc == 0) {
        colony_rpc_answer(promise->call, promise->result);
    } else {
        cJSON_Delete(promise->result);
        (void)colony_fail_os(&err, rc, "cannot record this: it is done, but not remembered");
        colony_rpc_fail(promise->call, &err);
    }
    free(promise);
}

/* Takes ownership of @result. */
static void answer_recorded(struct rpc_engine *rpc, struct colony_rpc_call *call, cJSON *result)
{
    struct promise *promise = calloc(1, sizeof *promise);

    if (promise)
        *promise = (struct promise){call, result};
    if (promise && colony_engine_when_recorded(rpc->engine, on_recorded, promise) == 0)
        return;
    free(promise);
    cJSON_Delete(result);
    colony_rpc_answer(call, NULL);
}

static void end(struct rpc_engine *rpc, struct colony_rpc_call *call, int rc,
                const struct colony_error *err)
{
    if (rc < 0)
        colony_rpc_fail(call, err);
    else
        answer_recorded(rpc, call, cJSON_CreateTrue());
}

static void start(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        end(rpc, call,
            colony_engine_start_template(rpc->engine, target.name, colony_rpc_call_who(call), &err),
            &err);
}

static void start_once(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        end(rpc, call,
            colony_engine_start_template_once(rpc->engine, target.name, colony_rpc_call_who(call),
                                              &err),
            &err);
}

static void restart(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        end(rpc, call,
            colony_engine_restart_template(rpc->engine, target.name, colony_rpc_call_who(call),
                                           &err),
            &err);
}

/* A stop whose end is waited for. */
struct stopping {
    struct rpc_engine *rpc;
    struct colony_rpc_call *call;
    struct colony_subscription *subscription;
    struct rpc_target target;
};

static bool is_stopped(const struct stopping *stopping)
{
    struct colony_slot_info info;

    if (stopping->target.id)
        return colony_engine_find_process(stopping->rpc->engine, stopping->target.id, &info) < 0;
    return !colony_engine_is_active(stopping->rpc->engine, stopping->target.name);
}

static void on_event(const struct colony_event *event, void *data)
{
    struct stopping *stopping = data;

    (void)event;
    if (!is_stopped(stopping))
        return;
    colony_events_unsubscribe(colony_engine_events(stopping->rpc->engine), stopping->subscription);
    answer_recorded(stopping->rpc, stopping->call, cJSON_CreateTrue());
    free(stopping);
}

static void wait_until_stopped(struct rpc_engine *rpc, struct colony_rpc_call *call,
                               const struct rpc_target *target)
{
    struct stopping *stopping = calloc(1, sizeof *stopping);
    char pattern[COLONY_NAME_MAX + 8];

    (void)snprintf(pattern, sizeof pattern, "proc.%s", target->name);
    if (!stopping) {
        colony_rpc_answer(call, NULL);
        return;
    }
    *stopping = (struct stopping){.rpc = rpc, .call = call, .target = *target};
    if (is_stopped(stopping)) {
        free(stopping);
        answer_recorded(rpc, call, cJSON_CreateTrue());
    } else if (colony_events_subscribe(colony_engine_events(rpc->engine), pattern, on_event,
                                       stopping, &stopping->subscription) < 0) {
        free(stopping);
        colony_rpc_answer(call, NULL);
    }
}

/* Without a name it is colony itself: answered first, while there is somebody to answer. */
static void stop(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};
    char who[128];
    bool waits = true;
    int rc;

    (void)snprintf(who, sizeof who, "%s", colony_rpc_call_who(call));
    if (!colony_rpc_call_param(call, 0)) {
        colony_rpc_answer(call, cJSON_CreateTrue());
        colony_engine_shutdown(rpc->engine, who);
        return;
    }
    if (!rpc_take_target(rpc, call, 0, &target) || !rpc_take_flag(call, 1, "wait", &waits))
        return;
    rc = target.id ? colony_engine_stop_process(rpc->engine, target.id, who, &err)
                   : colony_engine_stop_template(rpc->engine, target.name, who, &err);
    if (rc < 0 || !waits)
        end(rpc, call, rc, &err);
    else
        wait_until_stopped(rpc, call, &target);
}

static void end_colony(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    char who[128];

    (void)snprintf(who, sizeof who, "%s", colony_rpc_call_who(call));
    colony_rpc_answer(call, cJSON_CreateTrue());
    colony_engine_shutdown(rpc->engine, who);
}

/* 3, or "+1" and "-1" for so many more or fewer. */
static bool take_count(struct colony_rpc_call *call, int64_t *change, uint32_t *count)
{
    const struct colony_value *value = colony_rpc_call_param(call, 1);
    const char *text =
        value->type == VALUE_NUMBER || value->type == VALUE_STRING ? value->text : "";
    bool is_change = value->type == VALUE_STRING && (*text == '+' || *text == '-');
    const char *digits = text + is_change;
    uint64_t number = strtoull(digits, NULL, 10);

    if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0' ||
        number > COLONY_SLOTS_MAX || (is_change && number == 0)) {
        colony_rpc_raise(call, -32602, "ValueError",
                         "cannot use `count`: it must be a whole number, or a text such as \"+1\"");
        return false;
    }
    *change = 0;
    if (is_change)
        *change = *text == '-' ? -(int64_t)number : (int64_t)number;
    *count = (uint32_t)number;
    return true;
}

static void scale(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};
    int64_t change;
    uint32_t count;

    if (!rpc_take_template(rpc, call, 0, &target) || !take_count(call, &change, &count))
        return;
    if (colony_engine_scale_template(rpc->engine, target.name, change, &count,
                                     colony_rpc_call_who(call), &err) < 0)
        colony_rpc_fail(call, &err);
    else
        answer_recorded(rpc, call, cJSON_CreateNumber(count));
}

static void send_signal(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    const struct colony_value *given = colony_rpc_call_param(call, 1);
    const char *text = "TERM";
    struct rpc_target target;
    struct colony_error err = {0};
    int signo;
    int rc;

    if (!rpc_take_target(rpc, call, 0, &target))
        return;
    if (given)
        text = given->type == VALUE_STRING || given->type == VALUE_NUMBER ? given->text : "";
    signo = colony_signal_parse(text);
    if (signo < 0)
        rc = colony_fail(&err, -EINVAL, "cannot send '%.40s': no such signal", text);
    else if (target.id)
        rc = colony_engine_signal_process(rpc->engine, target.id, signo, &err);
    else
        rc = colony_engine_signal_template(rpc->engine, target.name, signo, &err);
    if (rc < 0)
        colony_rpc_fail(call, &err);
    else
        colony_rpc_answer(call, cJSON_CreateTrue());
}

/* The settings of a template; NULL: the call has been answered. */
static struct colony_template *take_settings(struct colony_rpc_call *call)
{
    const struct colony_value *settings = colony_rpc_call_param(call, 0);
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    if (settings->type != VALUE_MAP) {
        colony_rpc_raise(call, -32602, "TypeError",
                         "cannot use `settings`: it must be an object with `name` and `cmd`");
        return NULL;
    }
    if (colony_template_new(&template, NULL, settings, NULL, true, &err) == 0)
        return template;
    colony_rpc_fail(call, &err);
    return NULL;
}

static void load(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct colony_template *template = take_settings(call);
    struct colony_error err = {0};

    if (template)
        end(rpc, call,
            colony_engine_add_template(rpc->engine, template, "http", colony_rpc_call_who(call),
                                       &err),
            &err);
}

static void update(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct colony_template *template = take_settings(call);
    struct colony_error err = {0};

    if (template)
        end(rpc, call,
            colony_engine_update_template(rpc->engine, template, colony_rpc_call_who(call), &err),
            &err);
}

static void remove_template(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        end(rpc, call,
            colony_engine_remove_template(rpc->engine, target.name, colony_rpc_call_who(call),
                                          &err),
            &err);
}

static void on_reloaded(int rc, const struct colony_error *err,
                        const struct colony_reload_step *steps, size_t count, void *data)
{
    struct colony_rpc_call *call = data;
    cJSON *list;

    if (rc < 0) {
        colony_rpc_fail(call, err);
        return;
    }
    list = cJSON_CreateArray();
    for (size_t i = 0; i < count; i++) {
        cJSON *step = cJSON_CreateObject();

        (void)cJSON_AddStringToObject(step, "action", colony_reload_action_name(steps[i].action));
        (void)cJSON_AddStringToObject(step, "name", steps[i].name);
        (void)cJSON_AddItemToObject(step, "why", rpc_text(steps[i].text));
        if (!cJSON_AddItemToArray(list, step))
            cJSON_Delete(step);
    }
    colony_rpc_answer(call, list);
}

static void reload(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct colony_error err = {0};
    bool is_dry = false;

    if (!rpc_take_flag(call, 0, "dry_run", &is_dry))
        return;
    if (colony_engine_reload(rpc->engine, is_dry, colony_rpc_call_who(call), on_reloaded, call,
                             &err) < 0)
        colony_rpc_fail(call, &err);
}

static void on_written(int rc, const char *why, void *data)
{
    struct colony_error err;

    if (rc == 0) {
        colony_rpc_answer(data, cJSON_CreateTrue());
        return;
    }
    (void)colony_fail(&err, rc, "%s", why);
    colony_rpc_fail(data, &err);
}

static void write_input(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct colony_input_wish wish = {.label = "stdin", .cb = on_written, .data = call};
    struct colony_input_write *job;
    struct colony_error err = {0};
    struct rpc_target target;
    int rc;

    if (!rpc_take_target(rpc, call, 0, &target))
        return;
    wish.bytes = rpc_take_text(call, 1, "text");
    if (!wish.bytes)
        return;
    wish.size = strlen(wish.bytes);
    wish.id = target.id;
    rc = target.id ? colony_engine_write_input(rpc->engine, &wish, &job) : -EINVAL;
    if (rc == 0)
        return; /* it waits for room, and on_written tells of it */
    if (rc > 0) {
        colony_rpc_answer(call, cJSON_CreateTrue());
        return;
    }
    (void)colony_fail_os(&err, rc, "cannot write to %s: give the id of a process that takes input",
                         target.name);
    colony_rpc_fail(call, &err);
}

/* An upgrade that waits until its answer is on its way: the keeper kills this engine at once. */
struct upgrading {
    uv_timer_t timer;
    struct colony_engine *engine;
};

static void on_upgrade_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_upgrade_due(uv_timer_t *timer)
{
    struct upgrading *upgrading = timer->data;

    colony_engine_upgrade(upgrading->engine);
    uv_close((uv_handle_t *)timer, on_upgrade_closed);
}

static void upgrade(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct upgrading *upgrading;
    struct colony_error err = {0};

    if (colony_engine_check_upgrade(rpc->engine, &err) < 0) {
        colony_rpc_fail(call, &err);
        return;
    }
    upgrading = calloc(1, sizeof *upgrading);
    if (!upgrading) {
        colony_rpc_answer(call, NULL);
        return;
    }
    upgrading->engine = rpc->engine;
    (void)uv_timer_init(colony_engine_loop(rpc->engine), &upgrading->timer);
    upgrading->timer.data = upgrading;
    (void)uv_timer_start(&upgrading->timer, on_upgrade_due, UPGRADE_MS, 0);
    colony_rpc_answer(call, cJSON_CreateTrue());
}

/* clang-format off */
const struct rpc_method rpc_control_methods[] = {
    {"kill",      "name signal?",  true, send_signal,     "kill(name, signal=\"TERM\"): sends a signal to a template's processes or, by id, to one."},
    {"load",      "settings",      true, load,            "load(settings): adds a template and starts it."},
    {"once",      "name",          true, start_once,      "once(name): starts a template, and does not start it again when it ends."},
    {"reload",    "dry_run?",      true, reload,          "reload(dry_run=false): reads the settings again; what that changes."},
    {"remove",    "name",          true, remove_template, "remove(name): stops a template and forgets it."},
    {"restart",   "name",          true, restart,         "restart(name): stops a template and starts it again."},
    {"scale",     "name count",    true, scale,           "scale(name, count): so many processes, or \"+1\" and \"-1\" for more and fewer; how many there are then."},
    {"shutdown",  "",              true, end_colony,      "shutdown(): stops everything and ends colony."},
    {"signal",    "name signal",   true, send_signal,     "signal(name, signal): the same as kill."},
    {"start",     "name",          true, start,           "start(name): starts a template."},
    {"stop",      "name? wait?",   true, stop,            "stop(name, wait=true): stops a template or, by id, a process. stop(): ends colony."},
    {"update",    "settings",      true, update,          "update(settings): gives the template of that name new settings."},
    {"upgrade",   "",              true, upgrade,         "upgrade(): goes on with the installed binary; processes keep running."},
    {"write",     "id text",       true, write_input,     "write(id, text): writes to the stdin of a process."},
    {0},
};
/* clang-format on */
