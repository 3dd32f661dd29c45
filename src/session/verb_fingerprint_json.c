/* SPDX-License-Identifier: Apache-2.0 */
/* verb_fingerprint_json.c - a process, what it has open and what was saved of it, as JSON. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "session/uri.h"
#include "session/verbs.h"

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

/* What differs of it now: {"files": {"kept": 3, "gone": 0, "added": 1}, …}. */
static bool add_changes(cJSON *to, const struct colony_fingerprint *saved,
                        const struct colony_fingerprint *live)
{
    cJSON *changes = cJSON_AddObjectToObject(to, "changes");

    for (unsigned field = 0; changes && field < FIELD_COUNT; field++) {
        cJSON *one = cJSON_AddObjectToObject(changes, colony_fingerprint_field_name(field));
        struct colony_fingerprint_change change;

        colony_fingerprint_compare(saved, live, field, &change);
        if (!one || !cJSON_AddNumberToObject(one, "kept", (double)change.kept) ||
            !cJSON_AddNumberToObject(one, "gone", (double)change.gone) ||
            !cJSON_AddNumberToObject(one, "added", (double)change.added))
            return false;
    }
    return changes != NULL;
}

static bool add_state(cJSON *states, const struct colony_verb_fingerprint *view,
                      const struct colony_saved_state *saved, bool compares)
{
    const struct colony_fingerprint *live = &view->observer.live.last;
    cJSON *state = cJSON_AddObjectToObject(states, saved->state);

    if (!state || !add_fingerprint(state, "fingerprint", &saved->fingerprint))
        return false;
    if (!view->is_alive)
        return true;
    return cJSON_AddNumberToObject(state, "score",
                                   colony_fingerprint_score(&saved->fingerprint, live)) &&
           (!compares || add_changes(state, &saved->fingerprint, live));
}

static bool add_states(cJSON *out, const struct colony_verb_fingerprint *view, const char *only,
                       bool compares)
{
    cJSON *states = cJSON_AddObjectToObject(out, "states");

    for (size_t i = 0; states && i < view->observer.saved.count; i++) {
        const struct colony_saved_state *saved = &view->observer.saved.items[i];

        if ((!only || strcmp(only, saved->state) == 0) && !add_state(states, view, saved, compares))
            return false;
    }
    return states != NULL;
}

static bool add_process(cJSON *out, const struct colony_verb_fingerprint *view)
{
    const struct colony_session_process *process = &view->process;

    return cJSON_AddStringToObject(out, "name", process->name) &&
           (process->alias ? cJSON_AddStringToObject(out, "alias", process->alias)
                           : cJSON_AddNullToObject(out, "alias")) &&
           cJSON_AddStringToObject(out, "state", view->state) &&
           (view->is_alive ? cJSON_AddNumberToObject(out, "pid", process->pid)
                           : cJSON_AddNullToObject(out, "pid"));
}

struct cJSON *colony_verb_fingerprint_json(const struct colony_verb_fingerprint *of,
                                           const char *only, bool compares)
{
    cJSON *out = cJSON_CreateObject();

    if (out && add_process(out, of) &&
        (of->is_alive ? add_fingerprint(out, "fingerprint", &of->observer.live.last)
                      : cJSON_AddNullToObject(out, "fingerprint") != NULL) &&
        add_states(out, of, only, compares))
        return out;
    cJSON_Delete(out);
    return NULL;
}
