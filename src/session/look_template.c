/* SPDX-License-Identifier: Apache-2.0 */
/* look_template.c - a process of a session in the words of a template. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/signals.h"
#include "core/template.h"
#include "core/value.h"
#include "session/look_internal.h"
#include "session/workspace.h"

/* False: no memory. */
static bool put(cJSON *json, const char *key, cJSON *value)
{
    if (value && cJSON_AddItemToObject(json, key, value))
        return true;
    cJSON_Delete(value);
    return false;
}

static bool append(cJSON *array, cJSON *value)
{
    if (value && cJSON_AddItemToArray(array, value))
        return true;
    cJSON_Delete(value);
    return false;
}

/* In `args` a $ begins the name of a variable. */
static cJSON *quote(const char *text)
{
    char *quoted = malloc(2 * strlen(text) + 1);
    char *at = quoted;
    cJSON *json;

    if (!quoted)
        return NULL;
    for (; *text != '\0'; text++) {
        if (*text == '$')
            *at++ = '$';
        *at++ = *text;
    }
    *at = '\0';
    json = cJSON_CreateString(quoted);
    free(quoted);
    return json;
}

static bool put_command(cJSON *json, const struct colony_session_process *process,
                        struct colony_workspace *workspace)
{
    const char *cwd = process->cwd ? process->cwd : colony_workspace_path(workspace);
    cJSON *args = cJSON_CreateArray();
    bool is_whole = put(json, "args", args) &&
                    put(json, "cmd", cJSON_CreateString(process->cmdline[0])) &&
                    put(json, "cwd", cJSON_CreateString(cwd));

    for (char **arg = process->cmdline + 1; is_whole && *arg; arg++)
        is_whole = append(args, quote(*arg));
    return is_whole;
}

/* As whom it runs; all three or none. */
static bool put_owner(cJSON *json, const struct colony_session_process *process)
{
    cJSON *groups;
    bool is_whole;

    if (!process->uid || !process->gid)
        return true;
    groups = cJSON_CreateArray();
    is_whole = put(json, "groups", groups) &&
               put(json, "uid", cJSON_CreateNumber(strtod(process->uid, NULL))) &&
               put(json, "gid", cJSON_CreateNumber(strtod(process->gid, NULL)));
    for (char **group = process->groups; is_whole && group && *group; group++)
        is_whole = append(groups, cJSON_CreateNumber(strtod(*group, NULL)));
    return is_whole;
}

static bool put_env(cJSON *json, char *const *env)
{
    cJSON *map = cJSON_CreateObject();
    bool is_whole = put(json, "env", map);

    for (; is_whole && env && *env; env++) {
        const char *equals = strchr(*env, '=');
        char *key;

        if (!equals)
            continue; /* which is no variable */
        key = strndup(*env, (size_t)(equals - *env));
        is_whole = key && put(map, key, cJSON_CreateString(equals + 1));
        free(key);
    }
    return is_whole;
}

/* Its files, as whoever starts it without a supervisor opens them. */
static bool put_log(cJSON *json, const char *name, struct colony_workspace *workspace)
{
    static const struct {
        const char *key;
        const char *folder;
    } files[] = {{"out", "out"}, {"err", "err"}};
    cJSON *log = cJSON_CreateObject();
    bool is_whole = put(json, "log", log) && put(log, "direct", cJSON_CreateTrue());

    for (size_t i = 0; is_whole && i < sizeof files / sizeof files[0]; i++) {
        char *path = NULL;

        if (asprintf(&path, "%s/%s/%s.out", colony_workspace_path(workspace), files[i].folder,
                     name) < 0)
            return false;
        is_whole = put(log, files[i].key, cJSON_CreateString(path));
        free(path);
    }
    return is_whole;
}

static bool put_stop(cJSON *json, const struct colony_session_config *config)
{
    cJSON *signals = cJSON_CreateArray();
    bool is_whole =
        put(json, "stop_signal", signals) &&
        put(json, "graceful_timeout", cJSON_CreateNumber((double)config->stop_wait_ms / 1000));

    for (size_t i = 0; is_whole && i < config->stop_count; i++)
        is_whole = append(signals, cJSON_CreateString(colony_signal_name(config->stop_signals[i])));
    return is_whole;
}

static bool put_dependence(cJSON *map, const struct colony_dependence *dependence,
                           const char *parent)
{
    static const char *const words[] = {
        [ON_LOSS_KEEP] = "keep", [ON_LOSS_STOP] = "stop", [ON_LOSS_RESTART] = "restart"};
    char condition[COLONY_NAME_MAX + sizeof "state:"];
    cJSON *gate = cJSON_CreateObject();

    (void)snprintf(condition, sizeof condition, "state:%s",
                   dependence->state ? dependence->state : "*");
    return put(map, parent, gate) && put(gate, "condition", cJSON_CreateString(condition)) &&
           put(gate, "when_down", cJSON_CreateString(words[dependence->on_loss]));
}

/* One that names nobody is kept as it is written: who waits for it waits. */
static bool put_dependences(cJSON *json, const struct colony_session_process *process,
                            const struct session_look *look)
{
    const struct colony_session_process *parent;
    cJSON *map = cJSON_CreateObject();
    bool is_whole = put(json, "depends_on", map);

    for (size_t i = 0; is_whole && i < look->config.dependence_count; i++) {
        const struct colony_dependence *one = &look->config.dependences[i];

        if (one->closes_circle || colony_session_list_find(&look->list, one->child) != process)
            continue;
        parent = colony_session_list_find(&look->list, one->parent);
        is_whole = put_dependence(map, one, parent ? parent->name : one->parent);
    }
    return is_whole;
}

static int parse(struct colony_template **out, const char *name, const cJSON *json,
                 struct colony_error *err)
{
    struct colony_value *value = NULL;
    char *text = colony_json_print(json);
    int rc = text ? colony_value_parse_json(&value, text, strlen(text), err) : -ENOMEM;

    free(text);
    if (rc == 0)
        rc = colony_template_new(out, name, value, NULL, true, err);
    colony_value_free(value);
    return rc;
}

int session_template_make(struct colony_template **out,
                          const struct colony_session_process *process,
                          const struct session_look *look, struct colony_workspace *workspace,
                          struct colony_error *err)
{
    cJSON *json = cJSON_CreateObject();
    struct colony_error reason = {0};
    bool is_whole =
        json && put_command(json, process, workspace) && put_env(json, process->env) &&
        put_owner(json, process) && put_log(json, process->name, workspace) &&
        put_stop(json, &look->config) && put_dependences(json, process, look) &&
        put(json, "restart", cJSON_CreateString(process->restart ? "always" : "never")) &&
        put(json, "start", cJSON_CreateFalse()); /* the controller says when */
    int rc = is_whole ? parse(out, process->name, json, &reason) : -ENOMEM;

    cJSON_Delete(json);
    if (rc == 0)
        return 0;
    return colony_fail(err, rc, "cannot run %s: %s", colony_session_process_title(process),
                       reason.message[0] ? reason.message : "out of memory");
}
