/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin.h - what a living process was started with, so that it can be started again: command line,
 * folder and environment, from /proc (proc(5)).
 *
 * Any thread; blocks as long as /proc does.
 */
#ifndef COLONY_SESSION_ORIGIN_H
#define COLONY_SESSION_ORIGIN_H

#include <stddef.h>
#include <sys/types.h>

struct colony_error;
struct colony_session_process;

#define COLONY_ATTACHED_SCHEME "attached://"

/*
 * Fills uri (attached:// and its command line), cmdline, cwd, env, pid, start time and boot of
 * @out, and uid, gid and groups where it is somebody else's (which only root may attach), whose
 * others are left. The program is named by its file where argv[0] does not lead to it. What a
 * service manager or another colony told it (NOTIFY_SOCKET, COLONY_ID, …) is left out, and so are
 * variables that are not UTF-8, which *left_out counts.
 *
 * -ESRCH: there is no such process; -EPERM: it is another user's; -EINVAL: it is a thread, or has
 * no command line that could be written down; -E2BIG, -ENOMEM.
 */
int colony_origin_read(struct colony_session_process *out, pid_t pid, size_t *left_out,
                       struct colony_error *err);

#endif
