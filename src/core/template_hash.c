/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_hash.c - in what two templates differ.
 *
 * What is given as it would be anyway counts as not given, so that neither writing a default down
 * nor a new setting of a new version of colony makes another template.
 */
#include <stdio.h>
#include <string.h>

#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"

static const uint64_t hash_prime = 0x100000001b3U; /* FNV's */

/* Of key and value. */
static uint64_t member_hash(const struct colony_value *member)
{
    struct colony_value alone = *member;
    const struct colony_value map = {.type = VALUE_MAP, .child = &alone};

    alone.next = NULL;
    return colony_value_hash(&map);
}

static uint64_t given_hash(const struct colony__setting *row, const struct colony_value *value);

/* With a sum of its members their order does not count. */
static uint64_t table_hash(const struct colony__setting *table, const struct colony_value *map)
{
    uint64_t hash = 0;

    for (const struct colony_value *member = map->child; member; member = member->next) {
        const struct colony__setting *row = colony__setting_find(table, member->key);

        hash += row ? given_hash(row, member) : member_hash(member);
    }
    return hash;
}

/* 0: what it says would be so without it. */
static uint64_t given_hash(const struct colony__setting *row, const struct colony_value *value)
{
    struct colony_value empty = {.type = VALUE_MAP, .key = (char *)row->name};
    uint64_t hash;

    if (value->type == VALUE_NULL || colony__setting_is_default(row, value))
        return 0;
    if (!row->type->is_table || value->type != VALUE_MAP)
        return member_hash(value);
    hash = table_hash(row->detail, value);
    if (hash == 0 && row->fallback)
        return 0;
    return (member_hash(&empty) ^ hash) * hash_prime;
}

static bool is_env_file(const struct colony__setting *row)
{
    return row->type == &colony__env_file;
}

/* 0: it is not given. */
static uint64_t row_hash(const struct colony_value *source, const struct colony__setting *row)
{
    const struct colony_value *value = colony__setting_given(source, row->name);
    const struct colony_value *saved =
        is_env_file(row) ? colony_value_get(source, COLONY__ENV_FILE_SAVED) : NULL;
    uint64_t hash = saved ? member_hash(saved) : 0;

    return value ? hash + given_hash(row, value) : hash;
}

/* Of the members that no row knows: a client's own. */
static uint64_t own_hash(const struct colony_value *source)
{
    uint64_t hash = 0;

    for (const struct colony_value *member = source->child; member; member = member->next)
        if (strcmp(member->key, COLONY__ENV_FILE_SAVED) != 0 &&
            !colony__setting_find(colony__template_settings, member->key))
            hash += member_hash(member);
    return hash;
}

uint64_t colony__template_hash(const struct colony_value *source)
{
    uint64_t hash = own_hash(source);

    for (const struct colony__setting *row = colony__template_settings; row->name; row++)
        hash += row_hash(source, row);
    return hash;
}

uint64_t colony__template_process_hash(const struct colony_value *source)
{
    uint64_t hash = 0;

    for (const struct colony__setting *row = colony__template_settings; row->name; row++)
        if (!(row->flags & COLONY__LIVE))
            hash += row_hash(source, row);
    return hash;
}

static void append(char *text, size_t size, const char *name)
{
    size_t used = strlen(text);

    if (used < size)
        (void)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

static void append_difference(const struct colony_value *left, const struct colony_value *right,
                              char *text, size_t size)
{
    for (const struct colony__setting *row = colony__template_settings; row->name; row++)
        if (row_hash(left, row) != row_hash(right, row))
            append(text, size, row->name);
    if (own_hash(left) != own_hash(right))
        append(text, size, "keys of your own");
}

void colony_template_difference(const struct colony_template *left,
                                const struct colony_template *right, char *text, size_t size)
{
    struct colony_value *old = NULL;
    struct colony_value *new = NULL;

    if (size == 0)
        return;
    text[0] = '\0';
    if (colony_value_parse_json(&old, left->source, strlen(left->source), NULL) == 0 &&
        colony_value_parse_json(&new, right->source, strlen(right->source), NULL) == 0)
        append_difference(old, new, text, size);
    else
        append(text, size, "settings (there is no memory to tell which)");
    colony_value_free(old);
    colony_value_free(new);
}
