/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.h - starts and stops processes of a session while no supervisor runs.
 *
 * What is started is nobody's child: a session of its own, stdin /dev/null, stdout and stderr
 * appended to out/NAME.out and err/NAME.out, COLONY_ID in its environment as the supervisor would
 * give it. Any thread; blocks.
 */
#ifndef COLONY_SESSION_LAUNCH_H
#define COLONY_SESSION_LAUNCH_H

#include <stddef.h>

struct colony_error;
struct colony_session_config;
struct colony_session_process;
struct colony_workspace;

/*
 * Runs process->cmdline, and notes pid, start time, boot and state (starting) in @process and, by
 * colony_session_process_put_life(), in the workspace, before the program runs: a kill at any
 * moment leaves no process that is not noted. With the lock held. -ENOENT, -EACCES and so on with
 * the step that failed ("exec /x: No such file or directory"); -EBUSY: it runs already,
 * also when only the mark of what runs says so, which is noted then.
 */
int colony_session_launch(struct colony_workspace *workspace,
                          struct colony_session_process *process, struct colony_error *err);

/* Some of a list. */
struct colony_session_chosen {
    struct colony_session_process *const *items;
    size_t count;
};

/* What a stop of several had to do. */
struct colony_session_stopped {
    size_t stopped;
    size_t killed; /* SIGKILL had to be sent; strays included */
};

/*
 * Stops all of @chosen at once: each signal of @config in turn to those that are left, waiting as
 * it says, then SIGKILL; then what bears their marks goes the same way. Notes them as stopped. 0,
 * or the first failure after all were tried: -EPERM: one is not ours to signal; -ETIMEDOUT: even
 * SIGKILL has not ended one.
 */
int colony_session_stop_chosen(struct colony_workspace *workspace,
                               const struct colony_session_chosen *chosen,
                               const struct colony_session_config *config,
                               struct colony_session_stopped *out, struct colony_error *err);

#endif
