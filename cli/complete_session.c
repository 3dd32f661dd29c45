/* SPDX-License-Identifier: Apache-2.0 */
/* complete_session.c - what stands in a session's workspace, for `colony complete`. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "complete_internal.h"
#include "core/template.h"
#include "session/fingerprint.h"
#include "session/process.h"
#include "session/saved_states.h"
#include "session/state.h"
#include "session/workspace.h"
#include "session_internal.h"

/* A workspace while it is looked at. */
struct sight {
    struct colony_workspace *workspace;
    struct colony_session_list list;
    struct colony_saved_states *states; /* of list.items[i]; NULL: they are not known */
};

static void open_sight(struct sight *sight, const struct cursor *cursor, bool has_states)
{
    *sight = (struct sight){0};
    if (!cursor->session)
        return;
    colony__complete_deadline(COMPLETE_LIVE_MS);
    if (colony_workspace_open(&sight->workspace, cursor->session->folder, NULL) < 0 ||
        colony_session_list_read(&sight->list, sight->workspace, NULL, NULL, NULL) < 0 ||
        !has_states)
        return;
    sight->states = calloc(sight->list.count + 1, sizeof *sight->states);
    if (sight->states && colony_saved_states_load_all(sight->states, sight->workspace, &sight->list,
                                                      NULL, NULL, NULL) < 0) {
        free(sight->states);
        sight->states = NULL;
    }
}

static void close_sight(struct sight *sight)
{
    for (size_t i = 0; sight->states && i < sight->list.count; i++)
        colony_saved_states_clear(&sight->states[i]);
    free(sight->states);
    colony_session_list_clear(&sight->list);
    colony_workspace_close(sight->workspace);
    colony__complete_deadline(0);
}

/* By alias where there is one, as people call them. */
static void offer_all(const struct sight *sight, const struct cursor *cursor, const char *suffix)
{
    for (size_t i = 0; i < sight->list.count; i++) {
        const struct colony_session_process *process = &sight->list.items[i];

        colony__complete_offer(cursor, colony_session_process_title(process), suffix,
                               process->alias ? process->name : "");
    }
}

/* What stands before the last comma is done. */
static struct cursor after_comma(const struct cursor *cursor)
{
    struct cursor last = *cursor;
    const char *comma = strrchr(cursor->word + cursor->fixed, ',');

    if (comma)
        last.fixed = (size_t)(comma + 1 - cursor->word);
    return last;
}

void colony__complete_processes(const struct cursor *cursor, const char *data, const char *suffix)
{
    struct sight sight;

    (void)data;
    open_sight(&sight, cursor, false);
    offer_all(&sight, cursor, suffix);
    close_sight(&sight);
}

void colony__complete_children(const struct cursor *cursor, const char *data, const char *suffix)
{
    struct cursor last = after_comma(cursor);

    colony__complete_processes(&last, data, suffix);
}

void colony__complete_parents(const struct cursor *cursor, const char *data, const char *suffix)
{
    struct cursor last = after_comma(cursor);
    struct sight sight;

    (void)data;
    open_sight(&sight, cursor, true);
    offer_all(&sight, &last, suffix);
    for (size_t i = 0; sight.states && i < sight.list.count; i++)
        for (size_t k = 0; k < sight.states[i].count; k++) {
            char word[COLONY_NAME_MAX + COLONY_STATE_NAME_MAX + 2];

            (void)snprintf(word, sizeof word, "%s:%s",
                           colony_session_process_title(&sight.list.items[i]),
                           sight.states[i].items[k].state);
            colony__complete_offer(&last, word, suffix, "");
        }
    close_sight(&sight);
}

/* An earlier one of @sight has @state, too. */
static bool was_offered(const struct sight *sight, size_t index, const char *state)
{
    for (size_t i = 0; i < index; i++)
        for (size_t k = 0; k < sight->states[i].count; k++)
            if (strcmp(sight->states[i].items[k].state, state) == 0)
                return true;
    return false;
}

/* Of the process of --alias if that is known by now, else of all. */
void colony__complete_states(const struct cursor *cursor, const char *data, const char *suffix)
{
    const struct colony_session_process *only = NULL;
    struct sight sight;

    (void)data;
    open_sight(&sight, cursor, true);
    if (sight.states && cursor->session->change.alias)
        only = colony_session_list_find(&sight.list, cursor->session->change.alias);
    for (size_t i = 0; sight.states && i < sight.list.count; i++)
        for (size_t k = 0; k < sight.states[i].count; k++) {
            const char *state = sight.states[i].items[k].state;

            if (only ? only == &sight.list.items[i] : !was_offered(&sight, i, state))
                colony__complete_offer(cursor, state, suffix, "");
        }
    close_sight(&sight);
}
