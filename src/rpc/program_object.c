/* SPDX-License-Identifier: Apache-2.0 */
/* program_object.c - a program's methods and attributes, as the server asks for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/value.h"
#include "rpc/program_internal.h"

/* What colony adds; a program that has one of these itself hides it. */
struct own_member {
    const char *name;
    struct colony_rpc_member member;
    cJSON *(*get)(const struct colony_rpc_program *program);
    void (*call)(struct colony_rpc_program *program, struct colony_rpc_call *call);
};

/* A request of a client on its way through the program. */
struct passed {
    struct colony_rpc_program *program;
    struct colony_rpc_call *call;
    char name[COLONY__HELLO_NAME_MAX + 1]; /* of the attribute that is set, or "" */
};

/* --- colony's own ----------------------------------------------------------------------------- */

static cJSON *get_running(const struct colony_rpc_program *program)
{
    return cJSON_CreateBool(program->state == PROGRAM_READY && !program->is_stopping);
}

static void take_uptime(const struct colony_slot_info *info, void *data)
{
    uint64_t *uptime_ms = data;

    if (info->id)
        *uptime_ms = info->uptime_ms;
}

static cJSON *get_uptime(const struct colony_rpc_program *program)
{
    uint64_t uptime_ms = 0;

    (void)colony_engine_each_slot(program->engine, program->name, take_uptime, &uptime_ms);
    return cJSON_CreateNumber((double)uptime_ms / 1000);
}

static void call_stop(struct colony_rpc_program *program, struct colony_rpc_call *call)
{
    struct colony_engine *engine = program->engine;
    char why[COLONY_ERROR_TEXT_MAX];

    (void)snprintf(why, sizeof why, "%s", colony_rpc_call_who(call));
    colony_rpc_answer(call, cJSON_CreateTrue()); /* it goes out while the program ends */
    colony_engine_shutdown(engine, why);
}

/* clang-format off */
static const struct own_member own_members[] = {
    {"running", {RPC_ATTRIBUTE, NULL, "whether the program takes calls", false, true}, get_running, NULL},
    {"stop",    {RPC_METHOD, "", "stop(): saves what is to be saved, and ends the daemon.", true, false}, NULL, call_stop},
    {"uptime",  {RPC_ATTRIBUTE, NULL, "for how many seconds the program has run", false, true}, get_uptime, NULL},
};
/* clang-format on */

enum {
    OWN_COUNT = sizeof own_members / sizeof own_members[0],
};

static const struct own_member *find_own(const char *name)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (strcmp(own_members[i].name, name) == 0)
            return &own_members[i];
    return NULL;
}

/* --- the program's ---------------------------------------------------------------------------- */

static bool find(void *data, const char *name, struct colony_rpc_member *out)
{
    const struct colony_rpc_program *program = data;
    const struct colony__hello_name *known = colony__hello_find(&program->hello, name);
    const struct own_member *own = known ? NULL : find_own(name);

    if (known) {
        out->kind = known->is_method ? RPC_METHOD : RPC_ATTRIBUTE;
        out->doc = known->doc;
        out->is_for_control = known->is_method;
    } else if (own) {
        *out = own->member;
    } else if (!program->has_hello) {
        out->kind = RPC_METHOD; /* nobody knows what it has: a call says why */
        out->doc = "the program has not said hello";
    }
    return known || own || !program->has_hello;
}

static void each(void *data, colony_rpc_each_cb cb, void *cb_data)
{
    const struct colony_rpc_program *program = data;

    for (size_t i = 0; i < program->hello.count; i++)
        cb(program->hello.names[i].name,
           program->hello.names[i].is_method ? RPC_METHOD : RPC_ATTRIBUTE, cb_data);
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (!colony__hello_find(&program->hello, own_members[i].name))
            cb(own_members[i].name, own_members[i].member.kind, cb_data);
}

/* --- passing on ------------------------------------------------------------------------------- */

/* {"code", "message", "data": {"type"}}, of which each may be missing, or a text. */
static void pass_error(struct colony_rpc_call *call, const struct colony_value *error)
{
    const struct colony_value *code = colony_value_get(error, "code");
    const struct colony_value *type = colony_value_get(colony_value_get(error, "data"), "type");
    const struct colony_value *message =
        error->type == VALUE_STRING ? error : colony_value_get(error, "message");
    bool has_code = code && code->type == VALUE_NUMBER && code->number >= INT32_MIN &&
                    code->number <= INT32_MAX;

    colony_rpc_raise(call, has_code ? (int)code->number : -32603,
                     type && type->type == VALUE_STRING ? type->text : "RuntimeError",
                     message && message->type == VALUE_STRING ? message->text : "it failed");
}

static void on_answer(const struct program_answer *answer, void *data)
{
    struct passed *passed = data;
    struct colony_rpc_call *call = passed->call;

    if (passed->name[0] != '\0' && answer->result)
        program_note_saved(passed->program, passed->name, colony_rpc_call_param(call, 1));
    if (answer->err)
        colony_rpc_fail(call, answer->err);
    else if (answer->error && answer->error->type != VALUE_NULL)
        pass_error(call, answer->error);
    else if (passed->name[0] != '\0')
        colony_rpc_answer(call, cJSON_CreateTrue());
    else
        colony_rpc_answer(call, answer->result ? colony_value_to_json(answer->result)
                                               : cJSON_CreateNull());
    free(passed);
}

static bool is_wanted(const void *data)
{
    const struct passed *passed = data;

    return colony_rpc_call_is_wanted(passed->call);
}

/* @params are freed; NULL says that there was no memory for them. @attribute: the one that is set.
 */
static void pass(struct colony_rpc_program *program, struct colony_rpc_call *call,
                 const char *method, cJSON *params, const char *attribute)
{
    struct passed *passed = calloc(1, sizeof *passed);
    struct colony_error err;

    if (!passed) {
        cJSON_Delete(params);
        (void)colony_fail_os(&err, -ENOMEM, "cannot ask %s", program->name);
        colony_rpc_fail(call, &err);
        return;
    }
    passed->program = program;
    passed->call = call;
    (void)snprintf(passed->name, sizeof passed->name, "%s", attribute);
    program_let_go(program, on_answer, is_wanted);
    program_ask(program, method, params, on_answer, passed);
}

static void get(void *data, const char *name, struct colony_rpc_call *call)
{
    struct colony_rpc_program *program = data;
    const struct own_member *own =
        colony__hello_find(&program->hello, name) ? NULL : find_own(name);

    if (own)
        colony_rpc_answer(call, own->get(program));
    else
        pass(program, call, "getattr", program_params(name, NULL), "");
}

static void set(void *data, const char *name, struct colony_rpc_call *call)
{
    struct colony_rpc_program *program = data;
    cJSON *value = colony_value_to_json(colony_rpc_call_param(call, 1));

    pass(program, call, "setattr", value ? program_params(name, value) : NULL, name);
}

static void call_method(void *data, const char *name, struct colony_rpc_call *call)
{
    struct colony_rpc_program *program = data;
    const struct colony_value *params = colony_rpc_call_params(call);
    const struct own_member *own =
        colony__hello_find(&program->hello, name) ? NULL : find_own(name);

    if (own)
        own->call(program, call);
    else
        pass(program, call, name, params ? colony_value_to_json(params) : cJSON_CreateArray(), "");
}

const struct colony_rpc_object program_object = {
    .find = find,
    .each = each,
    .get = get,
    .sets_only_found = true, /* a slip would be lost without a word */
    .set = set,
    .call = call_method,
};
