/* SPDX-License-Identifier: Apache-2.0 */
/* lines_internal.h - pieces of a stream become lines, of which none is longer than a limit. */
#ifndef COLONY_RPC_LINES_INTERNAL_H
#define COLONY_RPC_LINES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/answer_id_internal.h"

enum {
    COLONY__LINE_BYTES_MAX = 4 << 20, /* a result of 1 MiB may be much longer once it is escaped */
    COLONY__LINE_HEAD_BYTES = 96,     /* that are kept of one which is longer */
};

/* All zero is the empty state. */
struct colony__lines {
    char *bytes; /* of a line that has no end yet */
    size_t size;
    size_t capacity;
    bool is_skipping;                /* up to the end of a line that is too long */
    uint64_t too_long;               /* lines that were passed over */
    struct colony__answer_id passed; /* what is known of the one that is passed over */
};

/*
 * @line ends with a NUL instead of its newline, and is valid during the call. One that was passed
 * over is told, too, when it ends: then lines->is_skipping is set, and @line is its beginning.
 */
typedef void (*colony__line_cb)(const char *line, size_t size, void *data);

/*
 * Goes on with @bytes and calls @cb for each line that ends in them, which must not clear @lines.
 * -ENOMEM: the line that was under way is passed over up to its end.
 */
int colony__lines_add(struct colony__lines *lines, const char *bytes, size_t size,
                      colony__line_cb cb, void *data);
void colony__lines_clear(struct colony__lines *lines);

#endif
