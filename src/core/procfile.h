/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procfile.h - Procfiles: lines `TYPE: COMMAND`, each a type of process of one application.
 *
 * A type has letters, digits, `_` and `-`, not digits alone (those are ids). The command is a line
 * for the shell. Blank lines and lines that begin with # are left out; CRLF and a byte order mark
 * are fine.
 */
#ifndef COLONY_CORE_PROCFILE_H
#define COLONY_CORE_PROCFILE_H

#include <stddef.h>

struct colony_error;

enum {
    COLONY_PROCFILE_BYTES_MAX = 1 << 20,
    COLONY_PROCFILE_TYPES_MAX = 600, /* a hundred ports each, up to the last one there is */
};

struct colony_procfile_type {
    char *name;
    char *command;
    unsigned line; /* from 1 */
};

/* A plain value; all-zero is empty. */
struct colony_procfile {
    struct colony_procfile_type *types; /* in their order */
    size_t count;
};

/*
 * Reads @text, of @size bytes; @path stands in messages, as `PATH:LINE:COLUMN: `. -EINVAL for a
 * line that is none, a type twice, no type at all, or what is no text; -EFBIG; -ENOMEM. Then @out
 * is empty.
 */
int colony_procfile_parse(struct colony_procfile *out, const char *text, size_t size,
                          const char *path, struct colony_error *err);

/* The same of a file. */
int colony_procfile_load(struct colony_procfile *out, const char *path, struct colony_error *err);

void colony_procfile_clear(struct colony_procfile *procfile);

#endif
