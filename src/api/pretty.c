/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pretty_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/json_print.h"
#include "core/utf8.h"

enum {
    INDENT = 4,
};

static int put(struct colony__buffer *out, const char *bytes, size_t size)
{
    return colony__buffer_append(out, bytes, size, COLONY__ANSWER_MAX);
}

static int put_line(struct colony__buffer *out, size_t depth)
{
    int rc = colony__buffer_reserve(out, 1 + depth * INDENT, COLONY__ANSWER_MAX);

    if (rc < 0)
        return rc;
    out->data[out->size] = '\n';
    memset(out->data + out->size + 1, ' ', depth * INDENT);
    out->size += 1 + depth * INDENT;
    return 0;
}

static int put_scalar(struct colony__buffer *out, const cJSON *json)
{
    char *text = colony_json_print(json);
    size_t size = text ? strlen(text) : 0;
    int rc = -ENOMEM;

    if (text) {
        colony_utf8_repair(text, size); /* a program may have added anything */
        rc = put(out, text, size);
    }
    free(text);
    return rc;
}

static int put_key(struct colony__buffer *out, const char *key)
{
    cJSON *text = cJSON_CreateStringReference(key);
    int rc = text ? put_scalar(out, text) : -ENOMEM;

    cJSON_Delete(text);
    return rc < 0 ? rc : put(out, ": ", 2);
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp((*(const cJSON *const *)left)->string, (*(const cJSON *const *)right)->string);
}

static int put_value(struct colony__buffer *out, const cJSON *json, size_t depth);

/* NOLINTNEXTLINE(misc-no-recursion): see the header */
static int put_members(struct colony__buffer *out, const cJSON *const *members, size_t count,
                       size_t depth)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        if (i > 0)
            rc = put(out, ",", 1);
        if (rc == 0)
            rc = put_line(out, depth + 1);
        if (rc == 0 && members[i]->string)
            rc = put_key(out, members[i]->string);
        if (rc == 0)
            rc = put_value(out, members[i], depth + 1);
    }
    return rc < 0 ? rc : put_line(out, depth);
}

/* NOLINTNEXTLINE(misc-no-recursion): see the header */
static int put_value(struct colony__buffer *out, const cJSON *json, size_t depth)
{
    const char *brackets = cJSON_IsObject(json) ? "{}" : "[]";
    const cJSON **members;
    size_t count = 0;
    int rc = 0;

    if (!cJSON_IsObject(json) && !cJSON_IsArray(json))
        return put_scalar(out, json);
    if (!json->child)
        return put(out, brackets, 2);
    for (const cJSON *child = json->child; child; child = child->next)
        count++;
    members = calloc(count, sizeof(const cJSON *));
    if (!members)
        return -ENOMEM;
    count = 0;
    for (const cJSON *child = json->child; child; child = child->next)
        members[count++] = child;
    if (cJSON_IsObject(json))
        qsort(members, count, sizeof(const cJSON *), compare_keys);
    rc = put(out, brackets, 1);
    if (rc == 0)
        rc = put_members(out, members, count, depth);
    if (rc == 0)
        rc = put(out, brackets + 1, 1);
    free(members);
    return rc;
}

int colony__pretty_append(struct colony__buffer *out, const cJSON *json)
{
    return put_value(out, json, 0);
}
