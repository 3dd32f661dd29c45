/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and nodes while gaffer's INI is translated. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/ini_internal.h"
#include "core/value_internal.h"

void colony__ini_append(struct colony_value ***tail, struct colony_value *node)
{
    node->next = NULL;
    **tail = node;
    *tail = &node->next;
}

struct colony_value *colony__ini_node(enum colony_value_type type, const char *key,
                                      const struct colony_value *at)
{
    struct colony_value *node = colony__value_new(type);

    if (!node)
        return NULL;
    node->line = at->line;
    node->column = at->column;
    node->key = key ? strdup(key) : NULL;
    if (!key || node->key)
        return node;
    colony_value_free(node);
    return NULL;
}
