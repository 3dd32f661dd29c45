/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the answers to a call. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/value.h"
#include "rpc/call_internal.h"

/* An exception of Python's for each code of core's table. */
static const struct {
    int code;
    const char *type;
} types[] = {
    {-32700, "ValueError"},   {-32600, "ValueError"},      {-32601, "AttributeError"},
    {-32602, "ValueError"},   {-32001, "LookupError"},     {-32004, "PermissionError"},
    {-32005, "TimeoutError"}, {-32006, "ConnectionError"},
};

static const char *type_of(int code)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == code)
            return types[i].type;
    return "RuntimeError";
}

char *colony__rpc_reply(const char *id, const char *member, const char *body)
{
    char *text = NULL;

    if (asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"%s\":%s}", id, member, body) < 0)
        return NULL;
    return text;
}

char *colony__rpc_error(int code, const char *type, const char *message)
{
    cJSON *error = cJSON_CreateObject();
    cJSON *data = cJSON_AddObjectToObject(error, "data");
    char *text = NULL;

    if (data && cJSON_AddNumberToObject(error, "code", code) &&
        cJSON_AddStringToObject(error, "message", message) &&
        cJSON_AddStringToObject(data, "type", type ? type : type_of(code)))
        text = colony_json_print(error);
    cJSON_Delete(error);
    return text;
}

const struct colony_value *colony_rpc_call_param(const struct colony_rpc_call *call, size_t place)
{
    return place < COLONY_RPC_PARAMS_MAX ? call->bound[place] : NULL;
}

const struct colony_value *colony_rpc_call_params(const struct colony_rpc_call *call)
{
    return call->params;
}

const char *colony_rpc_call_who(const struct colony_rpc_call *call)
{
    return call->first.sender.who;
}

bool colony_rpc_call_may_control(const struct colony_rpc_call *call)
{
    return call->first.sender.may_control;
}

void colony_rpc_answer_text(struct colony_rpc_call *call, const char *json)
{
    static const char wrapped[] = "{\"value\":%s}";
    char *value = NULL;

    if (!call->id) {
        colony__rpc_call_end(call, NULL);
        return;
    }
    if (strlen(json) > COLONY__RPC_ANSWER_MAX) {
        colony_rpc_raise(call, -32603, NULL, "cannot answer: it is more than 16 MiB");
        return;
    }
    if (call->wraps_value && asprintf(&value, wrapped, json) < 0) {
        colony__rpc_call_end(call, NULL);
        return;
    }
    colony__rpc_call_end(call, colony__rpc_reply(call->id, "result", value ? value : json));
    free(value);
}

void colony_rpc_answer(struct colony_rpc_call *call, struct cJSON *result)
{
    char *text = result && call->id ? colony_json_print(result) : NULL;

    cJSON_Delete(result);
    if (text)
        colony_rpc_answer_text(call, text);
    else
        colony__rpc_call_end(call, NULL);
    free(text);
}

void colony_rpc_raise(struct colony_rpc_call *call, int code, const char *type, const char *message)
{
    char *error = call->id ? colony__rpc_error(code, type, message) : NULL;

    colony__rpc_call_end(call, error ? colony__rpc_reply(call->id, "error", error) : NULL);
    free(error);
}

void colony_rpc_fail(struct colony_rpc_call *call, const struct colony_error *err)
{
    colony_rpc_raise(call, colony_error_info(err->code)->rpc_code, NULL, err->message);
}

void colony_rpc_refuse(struct colony_rpc_call *call, const char *message)
{
    if (call->dispatch)
        colony__rpc_count_refused(call->dispatch);
    colony_rpc_raise(call, -32006, NULL, message);
}

bool colony_rpc_is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t size = strlen(name);

    return size > 0 && size <= COLONY_RPC_NAME_MAX && strspn(name, letters) > 0 &&
           strspn(name, others) == size;
}
