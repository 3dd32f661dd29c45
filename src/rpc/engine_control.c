/* SPDX-License-Identifier: Apache-2.0 */
/* engine_control.c - methods that change something. They are answered once it is recorded. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/signals.h"
#include "core/value.h"
#include "rpc/engine_internal.h"

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
void rpc_answer_recorded(struct rpc_engine *rpc, struct colony_rpc_call *call, cJSON *result)
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

void rpc_end(struct rpc_engine *rpc, struct colony_rpc_call *call, int rc,
             const struct colony_error *err)
{
    if (rc < 0)
        colony_rpc_fail(call, err);
    else
        rpc_answer_recorded(rpc, call, cJSON_CreateTrue());
}

static void start(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        rpc_end(
            rpc, call,
            colony_engine_start_template(rpc->engine, target.name, colony_rpc_call_who(call), &err),
            &err);
}

static void start_once(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        rpc_end(rpc, call,
                colony_engine_start_template_once(rpc->engine, target.name,
                                                  colony_rpc_call_who(call), &err),
                &err);
}

static void restart(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        rpc_end(rpc, call,
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
    rpc_answer_recorded(stopping->rpc, stopping->call, cJSON_CreateTrue());
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
        rpc_answer_recorded(rpc, call, cJSON_CreateTrue());
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
        rpc_end(rpc, call, rc, &err);
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
        rpc_answer_recorded(rpc, call, cJSON_CreateNumber(count));
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

/* clang-format off */
const struct rpc_method rpc_control_methods[] = {
    {"kill",      "name signal?",  true, send_signal,     "kill(name, signal=\"TERM\"): sends a signal to a template's processes or, by id, to one."},
    {"once",      "name",          true, start_once,      "once(name): starts a template, and does not start it again when it ends."},
    {"restart",   "name",          true, restart,         "restart(name): stops a template and starts it again."},
    {"scale",     "name count",    true, scale,           "scale(name, count): so many processes, or \"+1\" and \"-1\" for more and fewer; how many there are then."},
    {"shutdown",  "",              true, end_colony,      "shutdown(): stops everything and ends colony."},
    {"signal",    "name signal",   true, send_signal,     "signal(name, signal): the same as kill."},
    {"start",     "name",          true, start,           "start(name): starts a template."},
    {"stop",      "name? wait?",   true, stop,            "stop(name, wait=true): stops a template or, by id, a process. stop(): ends colony."},
    {0},
};
/* clang-format on */
