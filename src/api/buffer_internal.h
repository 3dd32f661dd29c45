/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer_internal.h - bytes that grow up to a limit.
 */
#ifndef COLONY_API_BUFFER_INTERNAL_H
#define COLONY_API_BUFFER_INTERNAL_H

#include <stddef.h>

/* A plain value; all-zero is empty. */
struct colony__buffer {
    char *data;
    size_t size;
    size_t capacity;
};

/* Appends a copy. -EMSGSIZE when it would hold more than @max bytes, -ENOMEM. */
int colony__buffer_append(struct colony__buffer *buffer, const void *data, size_t size, size_t max);
/* Drops the first @size bytes. */
void colony__buffer_consume(struct colony__buffer *buffer, size_t size);
/* Drops the content; keeps at most a few KB for the next one. */
void colony__buffer_reset(struct colony__buffer *buffer);
void colony__buffer_clear(struct colony__buffer *buffer);

#endif
