/* SPDX-License-Identifier: Apache-2.0 */
/* session_fingerprint_json.c - a process, what it has open and what was saved of it, as JSON. */
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "session/uri.h"
#include "session_fingerprint_internal.h"
#include "session_internal.h"

/* Of the command line what may be a secret is not shown. */
static cJSON *item_json(const struct colony_fingerprint *fingerprint,
                        enum colony_fingerprint_field field, size_t index)
{
    char *const *items = fingerprint->fields[field].items;
    char *masked;
    cJSON *out;

    if (field != FIELD_CMDLINE)
        return cJSON_CreateString(items[index]);
    masked = colony_argument_mask(items[index], index > 0 ? items[index - 1] : NULL);
    out = masked ? cJSON_CreateString(masked) : NULL;
    free(masked);
    return out;
}

static bool add_field(cJSON *to, const struct colony_fingerprint *fingerprint,
                      enum colony_fingerprint_field field)
{
    cJSON *list = cJSON_AddArrayToObject(to, colony_fingerprint_field_name(field));

    for (size_t i = 0; list && i < fingerprint->fields[field].count; i++) {
        cJSON *item = item_json(fingerprint, field, i);

        if (!item || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
    }
    return list != NULL;
}

/* NULL without memory, as all of cJSON. */
static cJSON *to_json(const struct colony_fingerprint *fingerprint)
{
    cJSON *out = cJSON_CreateObject();

    for (unsigned field = 0; out && field < FIELD_COUNT; field++)
        if (!add_field(out, fingerprint, field)) {
            cJSON_Delete(out);
            return NULL;
        }
    return out;
}

static bool add_fingerprint(cJSON *to, const char *key,
                            const struct colony_fingerprint *fingerprint)
{
    cJSON *item = to_json(fingerprint);

    if (item && cJSON_AddItemToObject(to, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static bool add_states(cJSON *out, const struct session_fingerprint_view *view)
{
    cJSON *states = cJSON_AddObjectToObject(out, "states");

    for (size_t i = 0; states && i < view->observer.saved.count; i++) {
        const struct colony_saved_state *saved = &view->observer.saved.items[i];
        cJSON *state = cJSON_AddObjectToObject(states, saved->state);

        if (!state || !add_fingerprint(state, "fingerprint", &saved->fingerprint))
            return false;
        if (view->is_alive &&
            !cJSON_AddNumberToObject(
                state, "score",
                colony_fingerprint_score(&saved->fingerprint, &view->observer.live.last)))
            return false;
    }
    return states != NULL;
}

static bool add_process(cJSON *out, const struct session_fingerprint_view *view)
{
    const struct colony_session_process *process = &view->process;

    return cJSON_AddStringToObject(out, "name", process->name) &&
           (process->alias ? cJSON_AddStringToObject(out, "alias", process->alias)
                           : cJSON_AddNullToObject(out, "alias")) &&
           cJSON_AddStringToObject(out, "state", view->state) &&
           (view->is_alive ? cJSON_AddNumberToObject(out, "pid", process->pid)
                           : cJSON_AddNullToObject(out, "pid"));
}

int session__fingerprint_json(const struct session_fingerprint_view *view)
{
    cJSON *out = cJSON_CreateObject();
    char *text = NULL;

    if (out && add_process(out, view) &&
        (view->is_alive ? add_fingerprint(out, "fingerprint", &view->observer.live.last)
                        : cJSON_AddNullToObject(out, "fingerprint") != NULL) &&
        add_states(out, view))
        text = cJSON_Print(out);
    cJSON_Delete(out);
    if (!text)
        return session_fail(EXIT_FAILED, "cannot show the fingerprint: out of memory");
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}
