/* SPDX-License-Identifier: Apache-2.0 */
/* saved_states.h - the saved states of all processes of a session, by one look into fp. */
#ifndef COLONY_SESSION_SAVED_STATES_H
#define COLONY_SESSION_SAVED_STATES_H

#include <stddef.h>

struct colony_error;
struct colony_saved_states;
struct colony_session_list;
struct colony_workspace;

/*
 * As colony_saved_states_load() for each of @list, into out[i] of list->items[i]. What cannot be
 * read is left out, with a line to @problem (may be NULL). -ENOMEM, -EIO: nothing is to be cleared.
 */
int colony_saved_states_load_all(struct colony_saved_states *out,
                                 struct colony_workspace *workspace,
                                 const struct colony_session_list *list,
                                 void (*problem)(const char *line, void *data), void *data,
                                 struct colony_error *err);

#endif
