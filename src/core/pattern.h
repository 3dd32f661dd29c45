/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.h - does a line match a regular expression: in time and memory that are bounded.
 *
 * POSIX extended expressions on bytes, as regcomp(3) has them in the C locale, with \w \W \s \S \b
 * \B \< \>, and without what no bound can be given for: references to what was found before
 * ("\1"). What regexec(3) remembers of the texts it has seen grows without end, and a program's
 * output would be the text.
 *
 * A match takes size × steps at most, and no memory.
 */
#ifndef COLONY_CORE_PATTERN_H
#define COLONY_CORE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

struct colony_pattern;
struct colony_error;

enum {
    COLONY_PATTERN_STEPS_MAX = 1000, /* bytes and sets of them, repetitions written out */
};

/* -EINVAL with a reason that ends a message ("a `(` is not closed"); -ENOMEM. */
int colony_pattern_new(struct colony_pattern **out, const char *text, struct colony_error *reason);
void colony_pattern_free(struct colony_pattern *pattern);

/* True when it matches anywhere in @bytes; a NUL is a byte like others. */
bool colony_pattern_matches(struct colony_pattern *pattern, const char *bytes, size_t size);

#endif
