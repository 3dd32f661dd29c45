/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - is this text UTF-8, and what shall be told of it (RFC 3629). */
#ifndef COLONY_CORE_UTF8_H
#define COLONY_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

struct colony_utf8_place {
    size_t offset;   /* of the byte, from 0 */
    unsigned line;   /* from 1 */
    unsigned column; /* in characters, from 1 */
};

/*
 * How many bytes of @text are well-formed UTF-8 without a NUL: @size when all are. No overlong
 * forms, no surrogates, nothing above U+10FFFF.
 */
size_t colony_utf8_length(const char *text, size_t size);

/* '?' instead of each byte of @text that is not part of that. */
void colony_utf8_repair(char *text, size_t size);

/* UTF-8 without a control byte: it may stand in a line of a log, and in JSON. */
bool colony_utf8_is_line(const char *text);

/* Line and column of the byte at @offset; what stands before it is well-formed. */
void colony_utf8_locate(const char *text, size_t offset, struct colony_utf8_place *out);

#endif
