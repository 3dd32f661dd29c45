/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_life_internal.h - which living process is one of the session, where the row does not say
 * so: by its pid file, and by the mark that it was started with.
 *
 * Reads files and /proc. Changes the value alone: whoever calls notes it.
 */
#ifndef COLONY_SESSION_PROCESS_LIFE_INTERNAL_H
#define COLONY_SESSION_PROCESS_LIFE_INTERNAL_H

#include <sys/types.h>

struct colony_error;
struct colony_session_process;
struct colony_workspace;

/* What pid/NAME.pid says; 0: it is not there, or says nothing. */
pid_t colony__life_read_pid(struct colony_workspace *workspace, const char *name);

/* Takes @pid as that of @process, if it lives, and began when the row says or runs what the file in
 * etc says. 1: taken; 0: it is another's; -ENOMEM. */
int colony__life_adopt(struct colony_session_process *process, pid_t pid);

/* Takes the living process that bears the mark of @process and runs its command line, if there is
 * one. 1: taken; 0: there is none. */
int colony__life_find_marked(struct colony_workspace *workspace,
                             struct colony_session_process *process, struct colony_error *err);

#endif
