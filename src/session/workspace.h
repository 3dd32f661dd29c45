/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workspace.h - a session's working directory: where it is, what is in it, who may change it
 * (ORIGINALS §4, docs/sessions.md).
 *
 *     bin db err etc fp out pid    the seed's layout
 *     .colony                      state folder of the session's own supervisor, and its socket
 *
 * Everything in it is 0700 or 0600. A workspace that belongs to somebody else is refused to root.
 * One thread at a time.
 */
#ifndef COLONY_SESSION_WORKSPACE_H
#define COLONY_SESSION_WORKSPACE_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;
struct colony_workspace;

/* The state folder's name. */
#define COLONY_WORKSPACE_STATE ".colony"

/*
 * The workspace at @folder, or, if that is NULL, the one that COLONY_SESSION names, or else the
 * first of the current folder and those above it that is one. What is gone of its layout is made
 * again while most of it is there, and told by the next list (process.h). -ENOENT: there is none
 * (the message says how to make one); -EPERM: somebody else's. Opens no database.
 */
int colony_workspace_open(struct colony_workspace **out, const char *folder,
                          struct colony_error *err);
/* Gives up the lock, too. NULL is fine. */
void colony_workspace_close(struct colony_workspace *workspace);

/* Makes @folder (NULL: the current one) a workspace, or adds to one what is missing; nothing that
 * is there is overwritten. *added counts what was made. */
int colony_workspace_init(const char *folder, size_t *added, struct colony_error *err);

/* Writes @path of the workspace (0600; 0700 of a program) unless there is one. 1: written; 0: it
 * was there. With the lock held. */
int colony_workspace_add_file(struct colony_workspace *workspace, const char *path,
                              const char *text, bool is_program, struct colony_error *err);

/* Absolute and without links; of the workspace's life. */
const char *colony_workspace_path(const struct colony_workspace *workspace);
/* The folder itself, for openat(2). */
int colony_workspace_fd(const struct colony_workspace *workspace);
/* Its supervisor's state folder, absolute. */
const char *colony_workspace_state_dir(const struct colony_workspace *workspace);

/*
 * Whoever changes something holds the lock (an flock on `db/lock`, close-on-exec) while reading and
 * writing; it waits up to @wait_ms for another command. -EBUSY with the pid that has it. May be
 * taken again by its holder; as many unlocks.
 */
int colony_workspace_lock(struct colony_workspace *workspace, unsigned wait_ms,
                          struct colony_error *err);
void colony_workspace_unlock(struct colony_workspace *workspace);

#endif
