/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_state.c - what a process is in, by somebody who looks at it: a session (DESIGN §4, Gates,
 * `state:NAME`). The engine knows no more of a state than its name.
 */
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/log.h"

bool engine_state_meets(const struct colony_dependency *dependency, const char *state)
{
    if (!state)
        return false;
    if (strcmp(dependency->state, COLONY_ANY_STATE) == 0)
        return strcmp(state, COLONY_STATE_STARTING) != 0;
    return strcmp(dependency->state, state) == 0;
}

static bool is_same(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

void colony_engine_set_state(struct colony_engine *engine, const char *name, const char *state)
{
    struct template_entry *entry = engine_visible_entry(engine, name);
    char *was;

    if (!entry || is_same(entry->state, state) || engine->is_closing)
        return;
    was = entry->state;
    entry->state = state ? strdup(state) : NULL;
    if (state && !entry->state)
        colony_log(SEVERITY_ERROR, "cannot note the state %s of %s: out of memory", state, name);
    engine_gates_on_state(entry, was);
    free(was);
}

const char *colony_engine_state(struct colony_engine *engine, const char *name)
{
    const struct template_entry *entry = engine_visible_entry(engine, name);

    return entry ? entry->state : NULL;
}

/* Silently: the move that its end is tells those who depend on it. */
void engine_state_forget(struct template_entry *entry)
{
    free(entry->state);
    entry->state = NULL;
}
