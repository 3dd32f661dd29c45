/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini.h - gaffer's INI files (ORIGINALS §1) as the tree that YAML gives.
 *
 * `[gaffer]` and `[endpoint:NAME]` become `http` and `include`, `[process:NAME]` and `[env:NAME]`
 * become `processes`; any other section is the user's own and stays a map of texts. A name of one
 * of colony's sections is refused: YAML is for those.
 */
#ifndef COLONY_CORE_INI_H
#define COLONY_CORE_INI_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;
struct colony_value;

/*
 * Reads INI of @size bytes; @name stands in messages, as `NAME:LINE:COLUMN: `. As Python's
 * configparser has it: `KEY = VALUE` or `KEY: VALUE`, comments begin with `;` or `#`, after a value
 * with ` ;`, a line that begins with a blank goes on with the value above it, and keys of gaffer's
 * sections may be in upper or lower case; what [DEFAULT] says holds for each section that does not
 * say it. What is a list in YAML is separated by commas here. A
 * section or key twice, invalid UTF-8, NUL bytes and lines over 64 KiB (or what this libinih has)
 * are errors.
 *
 * Returns 0, -EINVAL with the place, or -ENOMEM.
 */
int colony_value_parse_ini(struct colony_value **out, const char *text, size_t size,
                           const char *name, struct colony_error *err);

/* True when the first line of @text that is neither blank nor a comment is `[WORD…]`, which no
 * settings in YAML or JSON can begin with. */
bool colony_value_looks_like_ini(const char *text, size_t size);

#endif
