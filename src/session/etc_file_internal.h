/* SPDX-License-Identifier: Apache-2.0 */
/* etc_file_internal.h - etc/ALIAS.yaml: what a user may edit of a process. Pure. */
#ifndef COLONY_SESSION_ETC_FILE_INTERNAL_H
#define COLONY_SESSION_ETC_FILE_INTERNAL_H

#include <stddef.h>

struct colony_error;
struct colony_session_process;

/*
 * Reads @text into the fields of @out that stand in files, and name and uri (NULL when it says
 * none).
 * @path stands in messages. -EINVAL with PATH:LINE:COLUMN. Keys that are not ours are passed over,
 * unless they look like a slip of the pen.
 */
int colony__etc_parse(struct colony_session_process *out, const char *path, const char *text,
                      size_t size, struct colony_error *err);

/* Changes in *text, of the heap, what @process has otherwise. -EINVAL: @text cannot be read, or
 * something in @process is not UTF-8. */
int colony__etc_edit(char **text, const char *path, const struct colony_session_process *process,
                     struct colony_error *err);

#endif
