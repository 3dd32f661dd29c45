/* SPDX-License-Identifier: Apache-2.0 */
/* served.h - an object to be served in tests: a counter, and methods of each kind. */
#ifndef COLONY_TESTS_RPC_SERVED_H
#define COLONY_TESTS_RPC_SERVED_H

#include <errno.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/value.h"
#include "rpc/object.h"

struct served {
    double counter;
    unsigned calls;
    struct colony_rpc_call *later[64]; /* not answered yet */
    size_t later_count;
};

static const struct {
    const char *name;
    struct colony_rpc_member member;
} served_members[] = {
    {"counter", {RPC_ATTRIBUTE, NULL, "How often.", false, false}},
    {"fixed", {RPC_ATTRIBUTE, NULL, NULL, false, true}},
    {"echo", {RPC_METHOD, "value", "echo(value): gives it back.", false, false}},
    {"add", {RPC_METHOD, "step?", NULL, false, false}},
    {"later", {RPC_METHOD, NULL, NULL, false, false}},
    {"stop", {RPC_METHOD, "name?", NULL, true, false}},
    {"fail", {RPC_METHOD, "", NULL, false, false}},
};

static bool served_find(void *data, const char *name, struct colony_rpc_member *out)
{
    (void)data;
    for (size_t i = 0; i < sizeof served_members / sizeof served_members[0]; i++)
        if (strcmp(served_members[i].name, name) == 0) {
            *out = served_members[i].member;
            return true;
        }
    return false;
}

static void served_each(void *data, colony_rpc_each_cb cb, void *cb_data)
{
    (void)data;
    for (size_t i = 0; i < sizeof served_members / sizeof served_members[0]; i++)
        cb(served_members[i].name, served_members[i].member.kind, cb_data);
}

static void served_get(void *data, const char *name, struct colony_rpc_call *call)
{
    const struct served *served = data;

    colony_rpc_answer(call, cJSON_CreateNumber(strcmp(name, "fixed") == 0 ? 7 : served->counter));
}

static void served_set(void *data, const char *name, struct colony_rpc_call *call)
{
    struct served *served = data;
    const struct colony_value *value = colony_rpc_call_param(call, 1);

    if (strcmp(name, "counter") != 0 || value->type != VALUE_NUMBER) {
        colony_rpc_raise(call, -32602, "ValueError", "cannot set this: not a number");
        return;
    }
    served->counter = value->number;
    colony_rpc_answer(call, cJSON_CreateTrue());
}

static void served_call(void *data, const char *name, struct colony_rpc_call *call)
{
    struct served *served = data;
    struct colony_error err;

    served->calls++;
    if (strcmp(name, "later") == 0) {
        served->later[served->later_count++] = call;
    } else if (strcmp(name, "add") == 0) {
        const struct colony_value *step = colony_rpc_call_param(call, 0);

        served->counter += step ? step->number : 1;
        colony_rpc_answer(call, cJSON_CreateNumber(served->counter));
    } else if (strcmp(name, "fail") == 0) {
        (void)colony_fail(&err, -ENOENT, "cannot find web: there is no such template");
        colony_rpc_fail(call, &err);
    } else {
        const struct colony_value *value = colony_rpc_call_param(call, 0);

        colony_rpc_answer(call, value ? colony_value_to_json(value) : cJSON_CreateNull());
    }
}

static const struct colony_rpc_object served_object = {
    .doc = "A counter.",
    .find = served_find,
    .each = served_each,
    .get = served_get,
    .set = served_set,
    .call = served_call,
};

#endif
