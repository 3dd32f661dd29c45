/* SPDX-License-Identifier: Apache-2.0 */
/* workspace_internal.h - what the parts that read and write a workspace share. */
#ifndef COLONY_SESSION_WORKSPACE_INTERNAL_H
#define COLONY_SESSION_WORKSPACE_INTERNAL_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "session/workspace.h"

struct sqlite3;

#define WORKSPACE_FRESH ".new~" /* ends what is being written, until it is renamed */

enum {
    WORKSPACE_PATH_MAX = 512,   /* of a file, within the workspace */
    WORKSPACE_REMADE_SIZE = 64, /* all folders of the layout, with commas */
    WORKSPACE_WAIT_MS = 10000,  /* for another command to be done */
};

struct colony_workspace {
    char path[PATH_MAX];
    char state_dir[PATH_MAX + sizeof "/.colony"];
    int fd;
    int lock_fd; /* -1: never locked so far */
    unsigned lock_depth;
    struct sqlite3 *sqlite; /* NULL: not asked for so far */
    ino_t database_inode;
    char remade[WORKSPACE_REMADE_SIZE]; /* folders that were gone: the next list tells them */
    bool was_database_made;             /* it was not there: the next list tells so */
    bool was_database_damaged;          /* and was moved aside */
};

/* --- workspace_file.c: files of a workspace, @path being within it -------------------------------
 */

/* The whole of it, NUL-terminated; the caller frees *text. -ENOENT; -EPERM: no file of our own;
 * -EFBIG. */
int colony__workspace_read(struct colony_workspace *workspace, const char *path, char **text,
                           size_t *size, struct colony_error *err);

/* Replaces it by write, fsync and rename; 0600. */
int colony__workspace_write(struct colony_workspace *workspace, const char *path, const char *text,
                            struct colony_error *err);

/* The same without fsync: of what can be made again. */
int colony__workspace_write_quickly(struct colony_workspace *workspace, const char *path,
                                    const char *text, struct colony_error *err);

/* 0 also when there is none. */
int colony__workspace_unlink(struct colony_workspace *workspace, const char *path,
                             struct colony_error *err);

/* What was renamed or removed in @folder outlasts a loss of power. */
int colony__workspace_sync(struct colony_workspace *workspace, const char *folder,
                           struct colony_error *err);

#endif
