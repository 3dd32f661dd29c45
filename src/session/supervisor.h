/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.h - the supervisor of a workspace: whether there is one, and what it is asked.
 *
 * All of these block. Errors are those of client.h and of the supervisor's answers: -ENOENT: it
 * knows no such process; -ETIMEDOUT: it is not done yet; -EINVAL: what the workspace says cannot be
 * used.
 */
#ifndef COLONY_SESSION_SUPERVISOR_H
#define COLONY_SESSION_SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

struct cJSON;
struct colony_workspace;

/* The pid of the keeper of the workspace's supervisor; 0: it has none. One that is just being
 * started, or replaced, counts. */
pid_t colony_supervisor_pid(const struct colony_workspace *workspace);

/*
 * Begins one: runs `@program serve --session … --daemon`, and returns once it answers. The caller
 * holds the lock, and knows that there is none. -ENOENT, -EACCES: of the program; -EBUSY, -EILSEQ,
 * -EACCES, -EIO: it did not begin, with its last line (supervisor_begin.c).
 */
int colony_supervisor_begin(const struct colony_workspace *workspace, const char *program,
                            struct colony_error *err);

/* Has it look at the workspace: when this returns what stands there is what runs, or is on its way.
 * Not with the lock held by a caller who waits for what it starts. */
int colony_supervisor_reload(const struct colony_workspace *workspace, struct colony_error *err);

/* Starts @name, which has been put into the workspace. It may wait for others by then. */
int colony_supervisor_start(const struct colony_workspace *workspace, const char *name,
                            struct colony_error *err);

/* One that is to be stopped, and what came of it. */
struct colony_stopping {
    const char *name; /* borrowed */
    int rc;           /* 0, also when the supervisor does not know it */
    size_t killed;    /* processes that had to be killed */
    struct colony_error err;
};
/* Stops all of @stops at once, and waits until they are gone, for @wait_ms at most. The first
 * failure, after all were tried. */
int colony_supervisor_stop(const struct colony_workspace *workspace, struct colony_stopping *stops,
                           size_t count, uint64_t wait_ms, struct colony_error *err);

/* Ends it, and returns once it is gone. Its processes run on. */
int colony_supervisor_end(const struct colony_workspace *workspace, struct colony_error *err);

/* What `GET /slots` of it says, of @name alone unless that is NULL; the caller frees *out. */
int colony_supervisor_slots(struct cJSON **out, const struct colony_workspace *workspace,
                            const char *name, struct colony_error *err);

/* The same of all, without waiting for one that does not answer at once. NULL: it cannot be had. */
struct cJSON *colony_supervisor_peek(const struct colony_workspace *workspace);

/* Waits, two seconds at most, until the workspace shows of @name (NULL: of all) which pid the
 * supervisor says it has. Without the lock (supervisor_noted.c). */
void colony_supervisor_wait_noted(struct colony_workspace *workspace, const char *name);

#endif
