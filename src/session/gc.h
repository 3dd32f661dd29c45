/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc.h - removes what a workspace has no use for any more (ORIGINALS §4).
 *
 * Fingerprints of what is no process of the session, pid files without one or of what has ended,
 * and what a command left that was killed while it wrote. What processes wrote, out and err, stays.
 */
#ifndef COLONY_SESSION_GC_H
#define COLONY_SESSION_GC_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;
struct colony_workspace;

struct colony_session_gc {
    bool is_trial;                                               /* only says what it would do */
    void (*tell)(const char *path, const char *why, void *data); /* @path within the workspace */
    void (*problem)(const char *line, void *data);
    void *data;
    size_t count; /* out: of what was, or would be, removed */
};

/* Takes the lock. */
int colony_session_gc(struct colony_workspace *workspace, struct colony_session_gc *gc,
                      struct colony_error *err);

#endif
