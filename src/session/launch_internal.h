/* SPDX-License-Identifier: Apache-2.0 */
/* launch_internal.h - what a program of a session is started with, by whom, and its mark. */
#ifndef COLONY_SESSION_LAUNCH_INTERNAL_H
#define COLONY_SESSION_LAUNCH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/table.h"
#include "core/template.h"

struct colony_error;
struct colony_session_chosen;
struct colony_session_config;
struct colony_session_process;
struct colony_workspace;
struct pollfd;

/* --- launch_plan.c ----------------------------------------------------------------------------
 */

enum colony__launch_fd {
    LAUNCH_STDIN, /* the numbers that the program has them by */
    LAUNCH_STDOUT,
    LAUNCH_STDERR,
    LAUNCH_TELL, /* the child's words to its parent; closed by exec */
    LAUNCH_GO,   /* a byte to be read before the program may run; the end: it may not */
    LAUNCH_FDS,
};

/* All that the child needs: after a fork it allocates nothing. */
struct colony__launch_plan {
    char *program; /* a path */
    char **argv;   /* borrowed of the process */
    char **env;
    const char *cwd; /* borrowed */
    int fds[LAUNCH_FDS];
    struct colony_identity identity; /* as whom; unset: as we are */
};

/* The path of the program @name, which the caller frees. NULL with errno; ENOENT: there is none on
 * the PATH of @env. */
char *colony__launch_find_program(const char *name, char *const *env);
/* -ENOENT: no such program on PATH; errors of open(2) with the file. On failure it is clear. */
int colony__launch_plan_init(struct colony__launch_plan *plan, struct colony_workspace *workspace,
                             const struct colony_session_process *process,
                             struct colony_error *err);
void colony__launch_plan_clear(struct colony__launch_plan *plan);

/* --- launch_child.c ---------------------------------------------------------------------------
 */

enum colony__launch_step {
    LAUNCH_STEP_BORN, /* no failure: the number is its pid */
    LAUNCH_STEP_FORK,
    LAUNCH_STEP_SETSID,
    LAUNCH_STEP_DESCRIPTORS,
    LAUNCH_STEP_IDENTITY,
    LAUNCH_STEP_CHDIR,
    LAUNCH_STEP_EXEC,
};

struct colony__launch_word {
    int step;
    int number; /* a pid, or an errno */
};

/* In a child of one thread: forks the program's own process, tells its pid, and ends. @parent_ends
 * are the parent's of its two pipes. */
void colony__launch_middle(const struct colony__launch_plan *plan, const int parent_ends[2])
    __attribute__((noreturn));

/* --- launch_note.c: what is noted of a process, and its mark ------------------------------------
 */

/* Sets its state, pid, start time, boot and date; unchanged on failure. @start_ticks 0: no pid. */
int colony__launch_set_life(struct colony_session_process *process, const char *state, pid_t pid,
                            uint64_t start_ticks, struct colony_error *err);

enum {
    LAUNCH_MARK_SIZE = COLONY_INSTANCE_SIZE + COLONY_RECORD_NAME_SIZE + 16,
};

/* The instance of the workspace's supervisor, made if there was none so far. */
int colony__launch_instance(struct colony_workspace *workspace, char out[COLONY_INSTANCE_SIZE],
                            struct colony_error *err);

/* --- launch_targets.c -------------------------------------------------------------------------
 */

/* What is to end: one of the session's processes, or a stray. */
struct colony__target {
    pid_t pid;
    int pidfd;         /* -1: it has ended, or is given up */
    const char *title; /* borrowed; NULL: a stray */
    int fault;         /* negative errno: it could not be signalled */
};

struct colony__targets {
    struct colony__target *items;
    struct pollfd *pollers; /* room for those that are left, in the same order */
    size_t count;
    size_t left;
};

/* Room for @count. -ENOMEM. */
int colony__targets_init(struct colony__targets *targets, size_t count, struct colony_error *err);
void colony__targets_clear(struct colony__targets *targets);
/* Takes ownership of @pidfd; negative: why there is none. */
void colony__targets_add(struct colony__targets *targets, pid_t pid, const char *title, int pidfd);
/* Each signal of @config in turn, then SIGKILL. Returns how many had to be killed; what is left
 * then is what even that has not ended. */
size_t colony__targets_stop(struct colony__targets *targets,
                            const struct colony_session_config *config);

/* --- launch_strays.c --------------------------------------------------------------------------
 */

struct colony__stray {
    pid_t pid;
    int pidfd;
};

/* Living processes that bear the mark of one of @chosen. Returns how many; the caller closes
 * their descriptors and frees *out. -ENOMEM. */
ssize_t colony__launch_find_strays(struct colony__stray **out, const char *instance,
                                   const struct colony_session_chosen *chosen,
                                   struct colony_error *err);

#endif
