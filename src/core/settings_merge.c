/* SPDX-License-Identifier: Apache-2.0 */
/* Many files become one tree; what each of them may say is checked before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/name_internal.h"
#include "core/settings_internal.h"
#include "core/value_internal.h"

static int fail_unknown(const struct colony_value *member, const struct colony__reading *reading)
{
    const char *known[COLONY_SECTIONS_MAX + 1] = {NULL};

    for (size_t i = 0; i < COLONY_SECTIONS_MAX && colony__sections[i].name; i++)
        known[i] = colony__sections[i].name;
    return colony__setting_fail_unknown(reading, member, colony_name_nearest(member->key, known));
}

/* Below `colony:` every key is ours. */
static int check_own(const struct colony_value *own, const struct colony__reading *reading)
{
    if (own->type == VALUE_NULL)
        return 0;
    if (own->type != VALUE_MAP)
        return colony__setting_fail(reading, own, -EINVAL,
                                    "cannot use `colony`: it must be a map of sections");
    for (const struct colony_value *member = own->child; member; member = member->next)
        if (!colony__section_find(member->key))
            return fail_unknown(member, reading);
    return 0;
}

static int check_user_key(const struct colony_value *member, const struct colony__reading *reading)
{
    const char *near = colony__name_is_near(member->key, "colony") ? "colony" : NULL;

    if (colony__section_find(member->key))
        return 0;
    for (const struct colony__section *section = colony__sections; section->name && !near;
         section++)
        if (colony__name_is_near(member->key, section->name))
            near = section->name;
    if (!near)
        return 0;
    return colony__setting_fail(reading, member, -EINVAL,
                                "cannot use the key `%.100s`: did you mean `%s`? (if not, put "
                                "colony's own sections under `colony:`)",
                                member->key, near);
}

static int check_keys(const struct colony_value *root, const struct colony__reading *reading)
{
    const struct colony_value *own = colony_value_get(root, "colony");
    int rc = 0;

    if (own)
        return check_own(own, reading);
    for (const struct colony_value *member = root->child; member && rc == 0; member = member->next)
        rc = check_user_key(member, reading);
    return rc;
}

static void append(struct colony_value *parent, struct colony_value *nodes)
{
    struct colony_value **tail = &parent->child;

    while (*tail)
        tail = &(*tail)->next;
    *tail = nodes;
}

/* {colony: {}} */
static int make_source(struct colony_settings *settings)
{
    struct colony_value *own;

    if (settings->source)
        return 0;
    settings->source = colony__value_new(VALUE_MAP);
    own = settings->source ? colony__value_new(VALUE_MAP) : NULL;
    if (!own)
        return -ENOMEM;
    settings->source->child = own;
    own->key = strdup("colony");
    return own->key ? 0 : -ENOMEM;
}

static struct colony_value *find_own(const struct colony_settings *settings, const char *name)
{
    struct colony_value *member = settings->source->child->child;

    while (member && strcmp(member->key, name) != 0)
        member = member->next;
    return member;
}

static int fail_again(const struct colony_value *again, const struct colony_value *first,
                      const char *what, const struct colony__reading *reading)
{
    const char *file = colony__setting_file(reading, first);

    return colony__setting_fail(reading, again, -EINVAL,
                                "cannot use the %s `%.100s` twice: it is in %.200s:%u already",
                                what, again->key, file ? file : "these settings", first->line);
}

static bool is_of_processes(const struct colony_value *section)
{
    return strcmp(section->key, "processes") == 0 &&
           (section->type == VALUE_MAP || section->type == VALUE_LIST);
}

/* Takes ownership of @section. */
static int add_section(struct colony_settings *settings, struct colony_value *section,
                       struct colony_value **include, const struct colony__reading *reading)
{
    struct colony_value *first = find_own(settings, section->key);
    int rc = 0;

    if (include && strcmp(section->key, "include") == 0) {
        *include = section;
        return 0;
    }
    if (section->type != VALUE_NULL && !first) {
        append(settings->source->child, section);
        return 0;
    }
    if (section->type != VALUE_NULL && is_of_processes(first) && is_of_processes(section)) {
        if (first->type != section->type)
            first->type = VALUE_LIST; /* of which some have a name as their key */
        append(first, section->child);
        section->child = NULL;
    } else if (section->type != VALUE_NULL) {
        rc = fail_again(section, first, "section", reading);
    }
    colony_value_free(section);
    return rc;
}

/* Takes the first member from @map. */
static struct colony_value *take_first(struct colony_value *map)
{
    struct colony_value *first = map->child;

    map->child = first->next;
    first->next = NULL;
    return first;
}

static int add_all(struct colony_settings *settings, struct colony_value *tree,
                   struct colony_value **include, const struct colony__reading *reading)
{
    const struct colony_value *own = colony_value_get(tree, "colony");
    struct colony_value users = {.type = VALUE_MAP};
    struct colony_value **tail = &users.child;
    struct colony_value *sections = NULL;
    int rc = 0;

    while (tree->child && rc == 0) {
        struct colony_value *member = take_first(tree);

        if (member == own) {
            sections = member;
        } else if (colony__section_find(member->key) && !colony_value_get(own, member->key)) {
            rc = add_section(settings, member, include, reading);
        } else {
            *tail = member;
            tail = &member->next;
        }
    }
    while (sections && sections->child && rc == 0)
        rc = add_section(settings, take_first(sections), include, reading);
    colony_value_free(sections);
    append(settings->source, users.child);
    return rc;
}

int colony__settings_add(struct colony_settings *settings, struct colony_value *tree,
                         struct colony_value **include, const struct colony__reading *reading)
{
    bool is_ini = reading->files && reading->files[tree->file].is_ini;
    int rc = make_source(settings);

    if (rc == 0 && tree->type != VALUE_MAP)
        rc = colony__setting_fail(reading, tree, -EINVAL,
                                  "cannot use these settings: they must be a map of sections "
                                  "such as `processes:`");
    if (rc == 0 && !is_ini) /* where all sections are gaffer's or the user's */
        rc = check_keys(tree, reading);
    if (rc == 0)
        rc = add_all(settings, tree, include, reading);
    colony_value_free(tree);
    return rc;
}

int colony__settings_check_users_keys(const struct colony_settings *settings,
                                      const struct colony__reading *reading)
{
    const struct colony_value *first;
    const struct colony_value *again;
    int rc = colony__value_find_twice(settings->source, &first, &again);

    return rc > 0 ? fail_again(again, first, "key", reading) : rc;
}

void colony__settings_drop_sections(struct colony_settings *settings)
{
    struct colony_value *own;

    if (!settings->source)
        return; /* there was no file */
    own = settings->source->child;
    settings->source->child = own->next;
    own->next = NULL;
    colony_value_free(own);
}
