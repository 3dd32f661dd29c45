/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_proxy.c - the other end: asks a daemon by its name. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <colony.h>

#include "core/error.h"
#include "core/json_print.h"
#include "rpc/client.h"
#include "rpc/look.h"

enum {
    SSH_MS = 30000,
};

struct colony_rpc_proxy {
    struct colony_rpc_client *client;
    struct colony_rpc_look look;
    char *place;
    char *key_file;
    char *server_key;
    uint64_t timeout_ms;
    struct colony_rpc_error raised; /* code 0: none */
};

/* --- beginning and end -------------------------------------------------------------------------
 */

/* Copies of the texts, which are needed for as long as the proxy lives. */
static int copy_texts(struct colony_rpc_proxy *proxy, const char *place,
                      const struct colony_rpc_access *access, struct colony_error *err)
{
    const struct {
        char **to;
        const char *from;
    } texts[] = {
        {&proxy->place, place},
        {&proxy->key_file, access ? access->key_file : NULL},
        {&proxy->server_key, access ? access->server_key : NULL},
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i].to = texts[i].from ? strdup(texts[i].from) : NULL;
        if (texts[i].from && !*texts[i].to)
            return colony_fail_os(err, -ENOMEM, "cannot connect to %s", place);
    }
    proxy->look = (struct colony_rpc_look){.place = proxy->place,
                                           .key_file = proxy->key_file,
                                           .server_key = proxy->server_key,
                                           .ssh = {.is_quiet = true},
                                           .ssh_ms = SSH_MS};
    return 0;
}

int colony_rpc_connect(struct colony_rpc_proxy **out, const char *place,
                       const struct colony_rpc_access *access, struct colony_error *err)
{
    struct colony_rpc_proxy *proxy = calloc(1, sizeof *proxy);
    struct colony_rpc_target target;
    int rc;

    if (!proxy)
        return colony_fail_os(err, -ENOMEM, "cannot connect to %s", place);
    proxy->timeout_ms = UINT64_MAX;
    rc = copy_texts(proxy, place, access, err);
    if (rc == 0)
        rc = colony_rpc_look_find(&proxy->look, UINT64_MAX, err);
    if (rc == 0)
        rc = colony_rpc_look_aim(&proxy->look, &target, err);
    if (rc == 0)
        rc = colony_rpc_client_new(&proxy->client, &target, err);
    if (rc < 0)
        colony_rpc_disconnect(proxy);
    else
        *out = proxy;
    return rc;
}

void colony_rpc_disconnect(struct colony_rpc_proxy *proxy)
{
    if (!proxy)
        return;
    colony_rpc_client_free(proxy->client);
    colony_rpc_look_clear(&proxy->look);
    free(proxy->place);
    free(proxy->key_file);
    free(proxy->server_key);
    free(proxy);
}

void colony_rpc_set_timeout(struct colony_rpc_proxy *proxy, uint64_t timeout_ms)
{
    proxy->timeout_ms = timeout_ms;
}

/* --- asking ------------------------------------------------------------------------------------
 */

static int errno_of(int code)
{
    static const struct {
        int code;
        int rc;
    } codes[] = {
        {-32601, -ENOENT}, {-32602, -EINVAL}, {-32001, -ENOENT},    {-32002, -ESRCH},
        {-32003, -EBUSY},  {-32004, -EPERM},  {-32005, -ETIMEDOUT}, {-32006, -EAGAIN},
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return codes[i].rc;
    return -EREMOTEIO;
}

static int take_error(struct colony_rpc_proxy *proxy, const struct colony_rpc_answer *answer,
                      struct colony_error *err)
{
    struct colony_rpc_error *raised = &proxy->raised;

    raised->code = answer->code;
    (void)snprintf(raised->type, sizeof raised->type, "%s", answer->type);
    (void)snprintf(raised->message, sizeof raised->message, "%s", answer->message);
    return colony_fail(err, errno_of(answer->code), "%s%s%s", raised->type,
                       raised->type[0] != '\0' ? ": " : "",
                       raised->message[0] != '\0' ? raised->message : "it failed");
}

/* Numbers that are not written as cJSON would are raw items in @answer; a program wants numbers. */
static int take_result(struct cJSON **result, const struct colony_rpc_answer *answer,
                       struct colony_error *err)
{
    char *text = colony_json_print(answer->result);
    cJSON *plain = text ? cJSON_Parse(text) : NULL;

    free(text);
    if (!plain)
        return colony_fail_os(err, -ENOMEM, "cannot read the answer");
    *result = plain;
    return 0;
}

int colony_rpc_call(struct colony_rpc_proxy *proxy, const char *method, const struct cJSON *params,
                    struct cJSON **result, struct colony_error *err)
{
    const struct colony_rpc_question question = {method, params, proxy->timeout_ms};
    struct colony_rpc_answer answer = {0};
    int rc;

    proxy->raised = (struct colony_rpc_error){0};
    if (params && !cJSON_IsArray(params) && !cJSON_IsObject(params))
        return colony_fail(err, -EINVAL, "cannot call %s: params are a list or an object", method);
    rc = colony_rpc_client_call(proxy->client, &question, &answer, err);
    if (rc == 0 && !answer.result)
        rc = take_error(proxy, &answer, err);
    else if (rc == 0 && result)
        rc = take_result(result, &answer, err);
    colony_rpc_answer_clear(&answer);
    return rc;
}

/* [@name] or [@name, @value], a copy. NULL: no memory. */
static cJSON *make_params(const char *name, const cJSON *value)
{
    cJSON *params = cJSON_CreateArray();
    cJSON *copy = value ? cJSON_Duplicate(value, true) : NULL;

    (void)cJSON_AddItemToArray(params, cJSON_CreateString(name));
    if (copy && !cJSON_AddItemToArray(params, copy))
        cJSON_Delete(copy);
    if (cJSON_GetArraySize(params) == 1 + (value != NULL))
        return params;
    cJSON_Delete(params);
    return NULL;
}

/* @params are freed. */
static int ask(struct colony_rpc_proxy *proxy, const char *method, cJSON *params, cJSON **result,
               struct colony_error *err)
{
    int rc = params ? colony_rpc_call(proxy, method, params, result, err)
                    : colony_fail_os(err, -ENOMEM, "cannot ask");

    cJSON_Delete(params);
    return rc;
}

int colony_rpc_get(struct colony_rpc_proxy *proxy, const char *name, struct cJSON **value,
                   struct colony_error *err)
{
    cJSON *result = NULL;
    cJSON *found;
    int rc = ask(proxy, "getattr", make_params(name, NULL), &result, err);

    if (rc < 0)
        return rc;
    found = cJSON_DetachItemFromObjectCaseSensitive(result, "value");
    cJSON_Delete(result);
    if (!found)
        return colony_fail(err, -EINVAL, "cannot read %s: it is a method", name);
    *value = found;
    return 0;
}

int colony_rpc_set(struct colony_rpc_proxy *proxy, const char *name, const struct cJSON *value,
                   struct colony_error *err)
{
    const cJSON null = {.type = cJSON_NULL};

    return ask(proxy, "setattr", make_params(name, value ? value : &null), NULL, err);
}

const struct colony_rpc_error *colony_rpc_raised(const struct colony_rpc_proxy *proxy)
{
    return proxy->raised.code ? &proxy->raised : NULL;
}
