/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dependences.h - who waits for whom among the processes of a session. Pure.
 */
#ifndef COLONY_SESSION_DEPENDENCES_H
#define COLONY_SESSION_DEPENDENCES_H

#include <stddef.h>

struct colony_error;
struct colony_session_config;
struct colony_session_list;

/* "NAME:STATE" split at its last colon into @name, and *state within @word (NULL: none). -EINVAL:
 * an empty name or state, or one that cannot be a name. */
int colony_dependence_split(const char *word, char *name, size_t size, const char **state,
                            struct colony_error *err);

/* -ELOOP with the circle spelled out ("a → b → a"); -ENOENT: @list has no such process, with the
 * nearest; two names for one process are one. */
int colony_dependences_check(const struct colony_session_config *config,
                             const struct colony_session_list *list, struct colony_error *err);

/*
 * Ranks for a start: levels[i] of list->items[i] is 0 for who waits for nobody, else one more than
 * the highest of those it waits for. A stop goes from the highest to 0. @levels: list->count of
 * them. -ELOOP, -ENOMEM.
 */
int colony_dependences_rank(const struct colony_session_config *config,
                            const struct colony_session_list *list, size_t *levels,
                            struct colony_error *err);

/*
 * The same for what somebody wrote into the file: a dependence that closes a circle is marked in
 * @config and left out of the ranks. *circle has the first circle, with FILE:LINE:COLUMN, or the
 * code 0. -ENOMEM.
 */
int colony_dependences_order(struct colony_session_config *config,
                             const struct colony_session_list *list, size_t *levels,
                             struct colony_error *circle, struct colony_error *err);

/* -ELOOP with the circle: one that the process called @word is in or waits for. */
int colony_dependences_check_one(const struct colony_session_config *config,
                                 const struct colony_session_list *list, const char *word,
                                 struct colony_error *err);

#endif
