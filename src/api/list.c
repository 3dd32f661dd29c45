/* SPDX-License-Identifier: Apache-2.0 */
#include "api/list_internal.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "api/request_internal.h"

void colony__list_begin(struct colony__list *list, struct colony_engine *engine)
{
    *list = (struct colony__list){.engine = engine, .array = cJSON_CreateArray()};
}

void colony__list_add(struct colony__list *list, cJSON *item)
{
    if (!item || !cJSON_AddItemToArray(list->array, item)) {
        cJSON_Delete(item);
        list->failed = true;
    }
}

cJSON *colony__list_take(struct colony__list *list)
{
    cJSON *array = list->array;

    list->array = NULL;
    if (!list->failed)
        return array;
    cJSON_Delete(array);
    return NULL;
}

bool colony__json_add_item(cJSON *json, const char *key, cJSON *item)
{
    if (item && json && cJSON_AddItemToObject(json, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

cJSON *colony__json_text(const char *text)
{
    char *clean = strdup(text ? text : "");
    cJSON *json;

    if (!clean)
        return NULL;
    colony__utf8_repair(clean);
    json = cJSON_CreateString(clean);
    free(clean);
    return json;
}
