/* SPDX-License-Identifier: Apache-2.0 */
/* view_json.c - a process of a session, as it was seen, as JSON. */
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "session/uri.h"
#include "session/view.h"

static bool add_parents(struct cJSON *json, const struct colony_view *view,
                        const struct colony_sight *sight)
{
    struct cJSON *parents = cJSON_AddArrayToObject(json, "parents");
    const struct colony_dependence *dependence;
    size_t at = 0;

    while (parents &&
           (dependence = colony_view_next(view, (size_t)(sight - view->sights), &at)) != NULL) {
        struct cJSON *one = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(parents, one) ||
            !cJSON_AddStringToObject(one, "parent", dependence->parent) ||
            !(dependence->state ? cJSON_AddStringToObject(one, "state", dependence->state)
                                : cJSON_AddNullToObject(one, "state")) ||
            !cJSON_AddStringToObject(one, "on_loss", colony_on_loss_word(dependence->on_loss)) ||
            !cJSON_AddBoolToObject(one, "met", colony_view_is_met(view, dependence)))
            return false;
    }
    return parents != NULL;
}

/* What may be a secret in it is not shown. */
static bool add_masked(struct cJSON *json, const char *key, const char *text)
{
    char *masked = text ? colony_uri_mask(text) : NULL;
    bool is_added = masked ? cJSON_AddStringToObject(json, key, masked) != NULL
                           : !text && cJSON_AddNullToObject(json, key) != NULL;

    free(masked);
    return is_added;
}

static bool add_cmdline(struct cJSON *json, const struct colony_session_process *process)
{
    struct cJSON *words = cJSON_AddArrayToObject(json, "cmdline");

    for (char **word = process->cmdline; words && word && *word; word++) {
        char *masked = colony_argument_mask(*word, word > process->cmdline ? word[-1] : NULL);
        bool is_added = masked && cJSON_AddItemToArray(words, cJSON_CreateString(masked));

        free(masked);
        if (!is_added)
            return false;
    }
    return words != NULL;
}

static bool add_text(struct cJSON *json, const char *key, const char *text)
{
    return (text ? cJSON_AddStringToObject(json, key, text) : cJSON_AddNullToObject(json, key)) !=
           NULL;
}

static bool add_number(struct cJSON *json, const char *key, bool is_there, double number)
{
    return (is_there ? cJSON_AddNumberToObject(json, key, number)
                     : cJSON_AddNullToObject(json, key)) != NULL;
}

struct cJSON *colony_view_json(const struct colony_view *view, const struct colony_sight *sight)
{
    const struct colony_session_process *process = sight->process;
    struct cJSON *json = cJSON_CreateObject();

    if (json && add_text(json, "name", process->name) && add_text(json, "alias", process->alias) &&
        add_masked(json, "uri", process->uri) && add_text(json, "state", sight->state) &&
        add_number(json, "pid", sight->is_alive, process->pid) &&
        add_number(json, "uptime", sight->is_alive, sight->uptime_seconds) &&
        cJSON_AddBoolToObject(json, "restart", process->restart) &&
        cJSON_AddBoolToObject(json, "shutdown", process->shutdown) &&
        add_parents(json, view, sight) &&
        add_number(json, "score", sight->has_score, sight->score) &&
        (!sight->note || add_text(json, "note", sight->note)) && add_cmdline(json, process))
        return json;
    cJSON_Delete(json);
    return NULL;
}
