/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer_internal.h - bytes that grow up to a limit.
 */
#ifndef COLONY_API_BUFFER_INTERNAL_H
#define COLONY_API_BUFFER_INTERNAL_H

#include <stddef.h>

enum {
    COLONY__ANSWER_MAX = 64 * 1024 * 1024, /* bytes of an answer that is sent as a whole */
};

/* A plain value; all-zero is empty. */
struct colony__buffer {
    char *data;
    size_t size;
    size_t capacity;
};

/* Makes room for @size bytes more. -EMSGSIZE when it would hold more than @max bytes, -ENOMEM. */
int colony__buffer_reserve(struct colony__buffer *buffer, size_t size, size_t max);
/* Appends a copy. Errors as above. */
int colony__buffer_append(struct colony__buffer *buffer, const void *data, size_t size, size_t max);
/* Drops the first @size bytes. */
void colony__buffer_consume(struct colony__buffer *buffer, size_t size);
/* Drops the content; keeps at most a few KB for the next one. */
void colony__buffer_reset(struct colony__buffer *buffer);
void colony__buffer_clear(struct colony__buffer *buffer);

#endif
