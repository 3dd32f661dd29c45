/* SPDX-License-Identifier: Apache-2.0 */
#include "api/buffer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAPACITY_MIN = 512,
    CAPACITY_KEPT = 4096,
};

int colony__buffer_reserve(struct colony__buffer *buffer, size_t size, size_t max)
{
    size_t capacity = buffer->capacity ? buffer->capacity : CAPACITY_MIN;
    char *grown;

    if (size > max || buffer->size > max - size)
        return -EMSGSIZE;
    if (buffer->size + size <= buffer->capacity)
        return 0;
    while (capacity < buffer->size + size)
        capacity *= 2;
    grown = realloc(buffer->data, capacity);
    if (!grown)
        return -ENOMEM;
    buffer->data = grown;
    buffer->capacity = capacity;
    return 0;
}

int colony__buffer_append(struct colony__buffer *buffer, const void *data, size_t size, size_t max)
{
    int rc = size > 0 ? colony__buffer_reserve(buffer, size, max) : 0;

    if (rc < 0 || size == 0)
        return rc;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return 0;
}

void colony__buffer_consume(struct colony__buffer *buffer, size_t size)
{
    buffer->size -= size;
    if (buffer->size > 0)
        memmove(buffer->data, buffer->data + size, buffer->size);
    else
        colony__buffer_reset(buffer);
}

void colony__buffer_reset(struct colony__buffer *buffer)
{
    if (buffer->capacity > CAPACITY_KEPT)
        colony__buffer_clear(buffer);
    buffer->size = 0;
}

void colony__buffer_clear(struct colony__buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}
