/* SPDX-License-Identifier: Apache-2.0 */
/* etc_folder_internal.h - all files of processes in etc, as they are now. */
#ifndef COLONY_SESSION_ETC_FOLDER_INTERNAL_H
#define COLONY_SESSION_ETC_FOLDER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "session/process.h"

struct colony_workspace;

enum {
    ETC_UNOWNED = -1,
};

struct colony__etc_entry {
    char *base; /* its name without .yaml */
    char *text; /* NULL: it could not be read */
    struct colony_session_process parsed;
    struct colony_error problem; /* code 0: it is good */
    long owner;                  /* index of a row; ETC_UNOWNED */
};

struct colony__etc_entries {
    struct colony__etc_entry *items; /* by name */
    size_t count;
};

int colony__etc_read_all(struct colony_workspace *workspace, struct colony__etc_entries *out,
                         struct colony_error *err);
void colony__etc_entries_clear(struct colony__etc_entries *entries);

/* "etc/BASE.yaml" */
void colony__etc_path(char *path, size_t size, const char *base);
/* The same with the workspace before it, for messages. */
void colony__etc_full_path(char *path, size_t size, const struct colony_workspace *workspace,
                           const char *base);

#endif
