/* SPDX-License-Identifier: Apache-2.0 */
#include "core/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/value_internal.h"

enum {
    NUMBER_TEXT_MAX = 40,
};

static const uint64_t fnv_start = 0xcbf29ce484222325U;
static const uint64_t fnv_prime = 0x100000001b3U;
static const double exact_max = 9007199254740992.0; /* 2^53 */

struct colony_value *colony__value_new(enum colony_value_type type)
{
    struct colony_value *value = calloc(1, sizeof *value);

    if (value)
        value->type = type;
    return value;
}

void colony_value_free(struct colony_value *value)
{
    struct colony_value *child;

    if (!value)
        return;
    child = value->child;
    while (child) {
        struct colony_value *next = child->next;

        colony_value_free(child);
        child = next;
    }
    free(value->key);
    free(value->text);
    free(value);
}

const struct colony_value *colony_value_get(const struct colony_value *map, const char *key)
{
    if (!map || map->type != VALUE_MAP)
        return NULL;
    for (const struct colony_value *child = map->child; child; child = child->next)
        if (child->key && strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

static int copy_texts(struct colony_value *copy, const struct colony_value *value)
{
    copy->key = value->key ? strdup(value->key) : NULL;
    copy->text = value->text ? strdup(value->text) : NULL;
    if ((value->key && !copy->key) || (value->text && !copy->text))
        return -ENOMEM;
    return 0;
}

int colony_value_copy(struct colony_value **out, const struct colony_value *value)
{
    struct colony_value *copy = calloc(1, sizeof *copy);
    struct colony_value **tail;
    int rc;

    if (!copy)
        return -ENOMEM;
    *copy = *value;
    copy->child = NULL;
    copy->next = NULL;
    rc = copy_texts(copy, value);
    tail = &copy->child;
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next) {
        rc = colony_value_copy(tail, child);
        if (rc == 0)
            tail = &(*tail)->next;
    }
    if (rc < 0)
        colony_value_free(copy);
    else
        *out = copy;
    return rc;
}

static int compare_members(const void *left, const void *right)
{
    const struct colony_value *a = *(const struct colony_value *const *)left;
    const struct colony_value *b = *(const struct colony_value *const *)right;
    int order = strcmp(a->key, b->key);

    if (order != 0)
        return order;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

static int fail_twice(const struct colony_value *first, const struct colony_value *again,
                      const char *name, struct colony_error *err)
{
    if (!name || again->line == 0)
        return colony_fail(err, -EINVAL, "cannot use the key `%.100s` twice in one map",
                           again->key);
    return colony_fail(err, -EINVAL,
                       "%s:%u:%u: cannot use the key `%.100s` twice: it is on line %u already",
                       name, again->line, again->column, again->key, first->line);
}

int colony__value_find_twice(const struct colony_value *map, const struct colony_value **first,
                             const struct colony_value **again)
{
    const struct colony_value **members;
    size_t count = 0;
    size_t used = 0;
    int found = 0;

    for (const struct colony_value *child = map->child; child; child = child->next)
        count++;
    if (count < 2)
        return 0;
    members = calloc(count, sizeof(struct colony_value *));
    if (!members)
        return -ENOMEM;
    for (const struct colony_value *child = map->child; child; child = child->next)
        members[used++] = child;
    qsort(members, count, sizeof(struct colony_value *), compare_members);
    for (size_t i = 1; i < count && !found; i++) {
        found = strcmp(members[i - 1]->key, members[i]->key) == 0;
        *first = members[i - 1];
        *again = members[i];
    }
    free(members);
    return found;
}

int colony__value_check_keys(const struct colony_value *map, const char *name,
                             struct colony_error *err)
{
    const struct colony_value *first;
    const struct colony_value *again;
    int rc = colony__value_find_twice(map, &first, &again);

    return rc > 0 ? fail_twice(first, again, name, err) : rc;
}

const char *colony__value_text(const struct colony_value *value)
{
    switch (value->type) {
    case VALUE_STRING:
    case VALUE_NUMBER:
        return value->text;
    case VALUE_BOOL:
        if (value->text)
            return value->text;
        return value->boolean ? "true" : "false";
    case VALUE_NULL:
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    return NULL;
}

static bool is_json_number(const char *text)
{
    size_t length = text ? colony__json_number_length(text) : 0;

    return length > 0 && text[length] == '\0';
}

bool colony__value_loses_text(const struct colony_value *value)
{
    if (value->type == VALUE_BOOL)
        return strcmp(colony__value_text(value), value->boolean ? "true" : "false") != 0;
    return value->type == VALUE_NUMBER && !is_json_number(value->text);
}

/* A number as JSON writes it: as the user did where that is JSON. */
static void print_number(const struct colony_value *value, char text[NUMBER_TEXT_MAX])
{
    if (value->number == floor(value->number) && fabs(value->number) < exact_max)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.0f", value->number);
    else
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.15g", value->number);
    if (strtod(text, NULL) != value->number)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%.17g", value->number);
}

static cJSON *number_to_json(const struct colony_value *value)
{
    char printed[NUMBER_TEXT_MAX];
    char cjson_prints[NUMBER_TEXT_MAX];
    const char *text = printed;

    if (is_json_number(value->text))
        text = value->text;
    else if (!isfinite(value->number))
        return cJSON_CreateNull();
    else
        print_number(value, printed);
    (void)snprintf(cjson_prints, sizeof cjson_prints, "%.15g", value->number);
    if (strcmp(cjson_prints, text) == 0)
        return cJSON_CreateNumber(value->number);
    return cJSON_CreateRaw(text);
}

static bool add_child(cJSON *json, const struct colony_value *child)
{
    cJSON *item = colony_value_to_json(child);
    bool is_added = false;

    if (!item)
        return false;
    if (cJSON_IsArray(json))
        is_added = cJSON_AddItemToArray(json, item);
    else
        is_added = cJSON_AddItemToObject(json, child->key, item);
    if (!is_added)
        cJSON_Delete(item);
    return is_added;
}

static cJSON *children_to_json(const struct colony_value *value)
{
    cJSON *json = value->type == VALUE_LIST ? cJSON_CreateArray() : cJSON_CreateObject();

    if (!json)
        return NULL;
    for (const struct colony_value *child = value->child; child; child = child->next) {
        if (!add_child(json, child)) {
            cJSON_Delete(json);
            return NULL;
        }
    }
    return json;
}

cJSON *colony_value_to_json(const struct colony_value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOL:
        return cJSON_CreateBool(value->boolean);
    case VALUE_NUMBER:
        return number_to_json(value);
    case VALUE_STRING:
        return cJSON_CreateString(value->text);
    case VALUE_LIST:
    case VALUE_MAP:
        return children_to_json(value);
    }
    return cJSON_CreateNull();
}

/* FNV-1a, with a byte of its own at the end so that "ab","c" is not "a","bc". */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * fnv_prime;
    return (hash ^ 0xff) * fnv_prime;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    hash ^= number;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U; /* splitmix64 */
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
    return hash ^ (hash >> 31);
}

static uint64_t hash_children(uint64_t hash, const struct colony_value *value)
{
    uint64_t sum = 0;

    for (const struct colony_value *child = value->child; child; child = child->next) {
        if (value->type == VALUE_LIST)
            hash = hash_number(hash * fnv_prime, colony_value_hash(child));
        else
            sum += hash_number(hash_text(fnv_start, child->key), colony_value_hash(child));
    }
    return hash_number(hash * fnv_prime, sum);
}

uint64_t colony_value_hash(const struct colony_value *value)
{
    uint64_t hash = (fnv_start ^ (unsigned)value->type) * fnv_prime;
    char printed[NUMBER_TEXT_MAX];

    switch (value->type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOL:
        return hash_number(hash, value->boolean);
    case VALUE_NUMBER:
        if (is_json_number(value->text))
            return hash_text(hash, value->text);
        if (!isfinite(value->number))
            return colony_value_hash(&(struct colony_value){.type = VALUE_NULL});
        print_number(value, printed);
        return hash_text(hash, printed);
    case VALUE_STRING:
        return hash_text(hash, value->text);
    case VALUE_LIST:
    case VALUE_MAP:
        return hash_children(hash, value);
    }
    return hash;
}
