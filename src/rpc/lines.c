/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/lines_internal.h"

enum {
    KEPT_BYTES = 64 << 10, /* that stay allocated between lines */
};

/* Room for @size more, and a NUL. */
static int reserve(struct colony__lines *lines, size_t size)
{
    size_t wanted = lines->size + size + 1;
    size_t capacity = lines->capacity ? lines->capacity : 512;
    char *bytes;

    if (wanted <= lines->capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    bytes = realloc(lines->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    lines->bytes = bytes;
    lines->capacity = capacity;
    return 0;
}

/* All of it that is there is read once more, for whose answer it is; @bytes come after that. */
static void skip(struct colony__lines *lines, const char *bytes, size_t size)
{
    lines->passed = (struct colony__answer_id){0};
    colony__answer_id_read(&lines->passed, lines->bytes, lines->size);
    colony__answer_id_read(&lines->passed, bytes, size);
    if (lines->size > COLONY__LINE_HEAD_BYTES)
        lines->size = COLONY__LINE_HEAD_BYTES;
    lines->is_skipping = true;
    lines->too_long++;
}

static int append(struct colony__lines *lines, const char *bytes, size_t size)
{
    if (lines->is_skipping) {
        colony__answer_id_read(&lines->passed, bytes, size);
        return 0;
    }
    if (size > COLONY__LINE_BYTES_MAX - lines->size) {
        skip(lines, bytes, size);
        return 0;
    }
    if (reserve(lines, size) < 0) {
        skip(lines, bytes, size);
        return -ENOMEM;
    }
    memcpy(lines->bytes + lines->size, bytes, size);
    lines->size += size;
    return 0;
}

static void end_line(struct colony__lines *lines, colony__line_cb cb, void *data)
{
    if (lines->bytes) { /* else there was no memory for the first byte of it */
        lines->bytes[lines->size] = '\0';
        cb(lines->bytes, lines->size, data);
    } else {
        cb("", 0, data);
    }
    lines->is_skipping = false;
    lines->size = 0;
    if (lines->capacity <= KEPT_BYTES)
        return;
    free(lines->bytes);
    lines->bytes = NULL;
    lines->capacity = 0;
}

int colony__lines_add(struct colony__lines *lines, const char *bytes, size_t size,
                      colony__line_cb cb, void *data)
{
    int rc = 0;

    while (size > 0) {
        const char *end = memchr(bytes, '\n', size);
        size_t length = end ? (size_t)(end - bytes) : size;
        int appended = append(lines, bytes, length);

        rc = rc < 0 ? rc : appended;
        if (end)
            end_line(lines, cb, data);
        length += end != NULL;
        bytes += length;
        size -= length;
    }
    return rc;
}

void colony__lines_clear(struct colony__lines *lines)
{
    free(lines->bytes);
    *lines = (struct colony__lines){0};
}
