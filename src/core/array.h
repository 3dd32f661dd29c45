/* SPDX-License-Identifier: Apache-2.0 */
/* array.h - room in an array that grows item by item. */
#ifndef COLONY_CORE_ARRAY_H
#define COLONY_CORE_ARRAY_H

#include <stddef.h>

/*
 * @items with room for one more than its @count: itself, or where it has moved to, with *capacity
 * doubled. It is the caller's to free, as before. NULL: no memory, and all is as it was.
 */
void *colony_array_room(void *items, size_t count, size_t *capacity, size_t item_size);

#endif
