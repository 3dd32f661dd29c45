/* SPDX-License-Identifier: Apache-2.0 */
/* owner_internal.h - as whom a process of a session runs: `uid`, `gid`, `groups` of its file. */
#ifndef COLONY_SESSION_OWNER_INTERNAL_H
#define COLONY_SESSION_OWNER_INTERNAL_H

#include <stdbool.h>

struct colony_error;
struct colony_identity;
struct colony_session_process;

/* Of the process of the folder /proc/PID: sets them in @out, unless it is ours. -ESRCH, -ENOMEM. */
int colony__owner_read(struct colony_session_process *out, int folder);

/* Is @text a number that can be one of a user or a group? */
bool colony__owner_is_number(const char *text);

/* As whom @process is to be started; unset: as whoever starts it. -EINVAL: its file says what
 * cannot be. */
int colony__owner_identity(struct colony_identity *out,
                           const struct colony_session_process *process, struct colony_error *err);

#endif
