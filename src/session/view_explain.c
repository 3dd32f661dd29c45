/* SPDX-License-Identifier: Apache-2.0 */
/* view_explain.c - why what is down is down, in the words of the session's supervisor. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "session/supervisor.h"
#include "session/view.h"

static const char *text_of(const cJSON *slot, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(slot, key));

    return text ? text : "";
}

/* Of what somebody stopped there is nothing to explain. */
static int explain(struct colony_sight *sight, const cJSON *slot)
{
    static const char *const states[] = {"backoff", "failed", "completed", "waiting"};
    const char *state = text_of(slot, "state");
    const char *failure = text_of(slot, "failure");
    const char *note = *failure != '\0' ? failure : text_of(slot, "cause");
    size_t i = 0;

    while (i < sizeof states / sizeof states[0] && strcmp(state, states[i]) != 0)
        i++;
    if (i == sizeof states / sizeof states[0] || *note == '\0')
        return 0;
    sight->is_waiting = strcmp(state, "waiting") == 0;
    sight->note = strdup(note);
    return sight->note ? 0 : -ENOMEM;
}

static struct colony_sight *find_down(const struct colony_view *view, const char *name)
{
    for (size_t i = 0; i < view->list.count; i++)
        if (!view->sights[i].is_alive && !view->sights[i].note &&
            strcmp(view->list.items[i].name, name) == 0)
            return &view->sights[i];
    return NULL;
}

static bool is_any_down(const struct colony_view *view)
{
    for (size_t i = 0; i < view->list.count; i++)
        if (!view->sights[i].is_alive)
            return true;
    return false;
}

int colony_view_explain(struct colony_view *view, const struct colony_workspace *workspace,
                        struct colony_error *err)
{
    cJSON *slots = is_any_down(view) && colony_supervisor_pid(workspace) > 0
                       ? colony_supervisor_peek(workspace)
                       : NULL;
    const cJSON *slot;
    int rc = 0;

    cJSON_ArrayForEach(slot, slots)
    {
        struct colony_sight *sight = find_down(view, text_of(slot, "name"));

        if (sight && rc == 0)
            rc = explain(sight, slot);
    }
    cJSON_Delete(slots);
    return rc < 0 ? colony_fail(err, rc, "cannot look at the processes: out of memory") : 0;
}
