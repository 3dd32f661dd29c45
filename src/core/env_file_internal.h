/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env_file_internal.h - files of NAME=VALUE lines.
 *
 * Blank lines and comments (# at the start of a line, or after a blank behind a value) are left
 * out, `export ` before a name too. 'Single quotes' are literal; "double quotes" know \n, \t, \",
 * \\ and \$; both may go on over lines. Nothing is substituted. CRLF and a byte order mark are
 * fine.
 */
#ifndef COLONY_CORE_ENV_FILE_INTERNAL_H
#define COLONY_CORE_ENV_FILE_INTERNAL_H

#include <stddef.h>

struct colony__words;
struct colony_error;

enum {
    COLONY__ENV_FILE_BYTES_MAX = 1 << 20,
};

/*
 * Adds what the file @path says to @out as NAME=VALUE, in its order; a name may come twice. Never
 * waits for a pipe or a terminal. -ENOENT; -EINVAL, -EFBIG, … with the reason: where a line is at
 * fault it begins with PATH:LINE, and never shows a value.
 */
int colony__env_file_load(struct colony__words *out, const char *path, struct colony_error *err);

/* The same of @text, which it changes, of @size bytes and a NUL. @path stands in messages. */
int colony__env_file_parse(struct colony__words *out, char *text, size_t size, const char *path,
                           struct colony_error *err);

#endif
