/* SPDX-License-Identifier: Apache-2.0 */
/* engine_change.c - methods that change what there is to run, and colony itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/value.h"
#include "rpc/engine_internal.h"

enum {
    UPGRADE_MS = 100, /* for its answer */
};

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
        rpc_end(rpc, call,
                colony_engine_add_template(rpc->engine, template, "http", colony_rpc_call_who(call),
                                           &err),
                &err);
}

static void update(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct colony_template *template = take_settings(call);
    struct colony_error err = {0};

    if (template)
        rpc_end(
            rpc, call,
            colony_engine_update_template(rpc->engine, template, colony_rpc_call_who(call), &err),
            &err);
}

static void remove_template(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct rpc_target target;
    struct colony_error err = {0};

    if (rpc_take_template(rpc, call, 0, &target))
        rpc_end(rpc, call,
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
    if (colony_engine_reload_settings(rpc->engine, is_dry, colony_rpc_call_who(call), on_reloaded,
                                      call, &err) < 0)
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
    struct colony_rpc_call *call; /* until it is answered */
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

static void on_checked(int rc, const struct colony_error *err, void *data)
{
    struct upgrading *upgrading = data;
    struct colony_rpc_call *call = upgrading->call;

    if (rc < 0) {
        free(upgrading);
        colony_rpc_fail(call, err);
        return;
    }
    (void)uv_timer_init(colony_engine_uv_loop(upgrading->engine), &upgrading->timer);
    upgrading->timer.data = upgrading;
    (void)uv_timer_start(&upgrading->timer, on_upgrade_due, UPGRADE_MS, 0);
    colony_rpc_answer(call, cJSON_CreateTrue());
}

static void upgrade(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    struct upgrading *upgrading = calloc(1, sizeof *upgrading);
    struct colony_error err = {0};

    if (!upgrading) {
        colony_rpc_answer(call, NULL);
        return;
    }
    upgrading->engine = rpc->engine;
    upgrading->call = call;
    if (colony_engine_check_upgrade(rpc->engine, on_checked, upgrading, &err) == 0)
        return;
    free(upgrading);
    colony_rpc_fail(call, &err);
}

/* clang-format off */
const struct rpc_method rpc_change_methods[] = {
    {"load",      "settings",      true, load,            "load(settings): adds a template and starts it."},
    {"reload",    "dry_run?",      true, reload,          "reload(dry_run=false): reads the settings again; what that changes."},
    {"remove",    "name",          true, remove_template, "remove(name): stops a template and forgets it."},
    {"update",    "settings",      true, update,          "update(settings): gives the template of that name new settings."},
    {"upgrade",   "",              true, upgrade,         "upgrade(): goes on with the installed binary; processes keep running."},
    {"write",     "id text",       true, write_input,     "write(id, text): writes to the stdin of a process."},
    {0},
};
/* clang-format on */
