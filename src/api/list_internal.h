/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list_internal.h - a JSON array being filled by one of the engine's walks.
 *
 * Adding never fails visibly: a list that could not hold all is NULL in the end, which
 * colony__respond_json answers as want of memory.
 */
#ifndef COLONY_API_LIST_INTERNAL_H
#define COLONY_API_LIST_INTERNAL_H

#include <stdbool.h>

struct cJSON;
struct colony_engine;

/* A plain value; made by colony__list_begin and ended by colony__list_take. */
struct colony__list {
    struct colony_engine *engine; /* borrowed */
    struct cJSON *array;
    bool failed;
};

void colony__list_begin(struct colony__list *list, struct colony_engine *engine);
/* Takes ownership of @item; NULL is "out of memory". */
void colony__list_add(struct colony__list *list, struct cJSON *item);
/* The caller's from now on; NULL: out of memory. */
struct cJSON *colony__list_take(struct colony__list *list);

/* Adds @item to the object @json, and takes ownership of it. False: out of memory. */
bool colony__json_add_item(struct cJSON *json, const char *key, struct cJSON *item);
/* A string with @text (NULL: ""), in which bytes that are not UTF-8 are '?'. NULL: out of memory.
 */
struct cJSON *colony__json_text(const char *text);

#endif
