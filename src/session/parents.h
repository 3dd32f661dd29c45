/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parents.h - are those whom a process waits for in their states, as /proc has them now?
 *
 * For a start while no supervisor runs, who would know. Reads /proc and files: off the loop.
 */
#ifndef COLONY_SESSION_PARENTS_H
#define COLONY_SESSION_PARENTS_H

struct colony_error;
struct colony_session_config;
struct colony_session_list;
struct colony_session_process;
struct colony_workspace;

/*
 * 0, or -EBUSY with the first one that is not, and how it is. Without an earlier look to compare
 * with, one that has run for a period and is in none of its saved states is running; a saved state
 * that cannot be used is none, which is told with what is not met. -ENOENT: there is no such
 * parent; -EILSEQ: it waits for itself, with the circle.
 */
int colony_session_parents_check(struct colony_workspace *workspace,
                                 const struct colony_session_config *config,
                                 const struct colony_session_list *list,
                                 const struct colony_session_process *process,
                                 struct colony_error *err);

#endif
