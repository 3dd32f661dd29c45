/* SPDX-License-Identifier: Apache-2.0 */
/* process_write_internal.h - the files of a process, written and removed. With the lock held. */
#ifndef COLONY_SESSION_PROCESS_WRITE_INTERNAL_H
#define COLONY_SESSION_PROCESS_WRITE_INTERNAL_H

#include <sys/types.h>

struct colony__row;
struct colony_error;
struct colony_workspace;

/* Does what @row plans, and notes that it is done. */
int colony__session_carry_out(struct colony_workspace *workspace, const struct colony__row *row,
                              struct colony_error *err);

/* pid/NAME.pid; @pid 0: there is none. */
int colony__session_write_pid(struct colony_workspace *workspace, const char *name, pid_t pid,
                              struct colony_error *err);

/* fp/NAME.yaml and fp/NAME.STATE.yaml, and gutools' .fp. */
int colony__session_remove_fingerprints(struct colony_workspace *workspace, const char *name,
                                        struct colony_error *err);

#endif
