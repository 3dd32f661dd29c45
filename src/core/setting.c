/* SPDX-License-Identifier: Apache-2.0 */
#include "core/setting_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/value_internal.h"

enum {
    KNOWN_MAX = 64, /* rows of one table */
};

const char *colony__setting_file(const struct colony__reading *reading,
                                 const struct colony_value *value)
{
    return reading->files ? reading->files[value->file].path : reading->file;
}

int colony__setting_fail(const struct colony__reading *reading, const struct colony_value *value,
                         int code, const char *format, ...)
{
    char reason[COLONY_ERROR_TEXT_MAX];
    const char *file;
    va_list args;

    if (!reading->err)
        return code;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    file = value ? colony__setting_file(reading, value) : NULL;
    if (!file || value->line == 0)
        return colony_fail(reading->err, code, "%s", reason);
    return colony_fail(reading->err, code, "%s:%u:%u: %s", file, value->line, value->column,
                       reason);
}

int colony__setting_fail_unknown(const struct colony__reading *reading,
                                 const struct colony_value *member, const char *nearest)
{
    if (nearest)
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use the key `%.100s`: it is unknown, did you mean "
                                    "`%s`?",
                                    member->key, nearest);
    return colony__setting_fail(reading, member, -EINVAL,
                                "cannot use the key `%.100s`: it is unknown", member->key);
}

int colony__setting_fail_type(const struct colony__reading *reading,
                              const struct colony__setting *row, const struct colony_value *value)
{
    return colony__setting_fail(reading, value, -EINVAL, "cannot use `%s`: it must be %s",
                                row->name, row->type->name);
}

struct colony__label colony__setting_label(const struct colony_value *value)
{
    struct colony__label label = {"this value"};

    if (value->key)
        (void)snprintf(label.text, sizeof label.text, "`%.100s`", value->key);
    return label;
}

int colony__json_add(cJSON *json, const char *key, cJSON *item)
{
    cJSON_bool is_added = 0;

    if (!item)
        return -ENOMEM;
    if (json && key)
        is_added = cJSON_AddItemToObject(json, key, item);
    else if (json)
        is_added = cJSON_AddItemToArray(json, item);
    if (!is_added)
        cJSON_Delete(item);
    return is_added ? 0 : -ENOMEM;
}

const struct colony__setting *colony__setting_find(const struct colony__setting *table,
                                                   const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static int fail_unknown_row(const struct colony__reading *reading,
                            const struct colony__setting *table, const struct colony_value *member)
{
    const char *known[KNOWN_MAX + 1] = {NULL};

    for (size_t count = 0; table[count].name && count < KNOWN_MAX; count++)
        known[count] = table[count].name;
    return colony__setting_fail_unknown(reading, member,
                                        colony__setting_nearest(member->key, known));
}

/* A row's default as a node that owns nothing: none is ever freed. */
static void make_default(struct colony_value *node, const struct colony__setting *row)
{
    *node = (struct colony_value){.type = VALUE_STRING, .text = (char *)row->fallback};
    if (strcmp(row->fallback, "{}") == 0) {
        *node = (struct colony_value){.type = VALUE_MAP};
    } else if (strcmp(row->fallback, "[]") == 0) {
        *node = (struct colony_value){.type = VALUE_LIST};
    } else if (strcmp(row->fallback, "true") == 0 || strcmp(row->fallback, "false") == 0) {
        *node = (struct colony_value){.type = VALUE_BOOL, .boolean = row->fallback[0] == 't'};
    } else if (row->fallback[0] >= '0' && row->fallback[0] <= '9') {
        node->type = VALUE_NUMBER;
        node->number = strtod(row->fallback, NULL);
    }
}

const struct colony_value *colony__setting_given(const struct colony_value *map, const char *name)
{
    const struct colony_value *value = colony_value_get(map, name);

    return value && value->type != VALUE_NULL ? value : NULL;
}

int colony__setting_choose(const struct colony__reading *reading, const struct colony_value *map,
                           const struct colony__setting_way *ways, const char *why, int *kind)
{
    const struct colony_value *first = NULL;

    for (; ways->name; ways++) {
        const struct colony_value *member = colony__setting_given(map, ways->name);

        if (!member || (member->type == VALUE_BOOL && !member->boolean))
            continue;
        if (first)
            return colony__setting_fail(reading, member, -EINVAL,
                                        "cannot use `%s` together with `%s`: %s", member->key,
                                        first->key, why);
        first = member;
        *kind = ways->kind;
    }
    return first ? 0 : -ENOENT;
}

bool colony__setting_is_default(const struct colony__setting *row, const struct colony_value *value)
{
    struct colony_value fallback;

    if (!row->fallback)
        return value->type == VALUE_NULL;
    make_default(&fallback, row);
    return colony_value_hash(value) == colony_value_hash(&fallback);
}

static int read_row(const struct colony__reading *reading, const struct colony__setting *row,
                    const struct colony_value *map, void *base)
{
    const struct colony_value *value = colony__setting_given(map, row->name);
    struct colony_value fallback;

    if (!value && (row->flags & COLONY__REQUIRED))
        return colony__setting_fail(reading, map, -EINVAL, "cannot use %s: `%s` is missing",
                                    colony__setting_label(map).text, row->name);
    if (!value && row->fallback) {
        make_default(&fallback, row);
        value = &fallback;
    }
    if (!value || !row->type->read)
        return 0;
    return row->type->read(reading, row, value, (char *)base + row->offset);
}

int colony__settings_read(const struct colony__reading *reading,
                          const struct colony__setting *table, const struct colony_value *map,
                          void *base)
{
    int rc = 0;

    if (map->type != VALUE_MAP)
        return colony__setting_fail(reading, map, -EINVAL,
                                    "cannot use %s: it must be a map of settings",
                                    colony__setting_label(map).text);
    for (const struct colony_value *member = map->child; member; member = member->next)
        if (reading->strict && !colony__setting_find(table, member->key))
            return fail_unknown_row(reading, table, member);
    for (const struct colony__setting *row = table; row->name && rc == 0; row++)
        rc = read_row(reading, row, map, base);
    return rc;
}

static cJSON *row_with_default(const struct colony__setting *row, const struct colony_value *map)
{
    const struct colony_value *value = colony__setting_given(map, row->name);
    struct colony_value fallback;

    if (row->type->is_table && (value ? value->type == VALUE_MAP : row->fallback != NULL))
        return colony__settings_with_defaults(row->detail, value);
    if (value)
        return colony_value_to_json(value);
    if (!row->fallback)
        return cJSON_CreateNull();
    make_default(&fallback, row);
    return colony_value_to_json(&fallback);
}

cJSON *colony__settings_with_defaults(const struct colony__setting *table,
                                      const struct colony_value *map)
{
    cJSON *json = cJSON_CreateObject();
    int rc = json ? 0 : -ENOMEM;

    for (const struct colony__setting *row = table; row->name && rc == 0; row++)
        rc = colony__json_add(json, row->name, row_with_default(row, map));
    for (const struct colony_value *member = map ? map->child : NULL; member && rc == 0;
         member = member->next)
        if (!colony__setting_find(table, member->key))
            rc = colony__json_add(json, member->key, colony_value_to_json(member));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

cJSON *colony__settings_write(const struct colony__setting *table, const void *base)
{
    cJSON *json = cJSON_CreateObject();
    int rc = json ? 0 : -ENOMEM;

    for (; table->name && rc == 0; table++)
        if (table->type->write)
            rc = colony__json_add(json, table->name,
                                  table->type->write(table, (const char *)base + table->offset));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}
