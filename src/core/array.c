/* SPDX-License-Identifier: Apache-2.0 */
#include "core/array.h"

#include <stdlib.h>

enum {
    FIRST_CAPACITY = 4,
};

void *colony_array_room(void *items, size_t count, size_t *capacity, size_t item_size)
{
    size_t more = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    void *grown;

    if (count < *capacity)
        return items;
    grown = reallocarray(items, more, item_size);
    if (grown)
        *capacity = more;
    return grown;
}
