/* SPDX-License-Identifier: Apache-2.0 */
/* places_internal.h - what the writers and readers of ncolony's folders share. */
#ifndef COLONY_FSCTL_PLACES_INTERNAL_H
#define COLONY_FSCTL_PLACES_INTERNAL_H

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

struct colony_error;
struct colony_value;

/* The descriptor of @folder. -ENOTDIR also when it is not there: -ENOENT is said of files in it. */
int colony__places_open(const char *folder, struct colony_error *err);

/* colony_places_read in an open folder that is called @path: bytes, or why not. */
int colony__places_read_at(int folder, const char *path, const char *name, char **text,
                           struct colony_error *err);

/* Writes @text under a name of its own, which ends in `.new`; @mode NULL: as the umask lets. The
 * descriptor is kept open until that was renamed (core/fresh.h). */
int colony__places_write_new(int folder, const char *name, const char *text, const mode_t *mode,
                             char new_name[NAME_MAX]);

/* Prints @value as Python's json.dumps does, which wrote these files first: `{"a": [1, "b"]}`. */
void colony__json_print(FILE *file, const struct colony_value *value);
void colony__json_print_text(FILE *file, const char *text);

#endif
