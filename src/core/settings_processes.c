/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/settings_internal.h"
#include "core/template_internal.h"
#include "core/value.h"

/* A template and where it stands. */
struct named {
    const char *name;
    const struct colony_value *place;
};

static int compare_named(const void *left, const void *right)
{
    const struct named *a = left;
    const struct named *b = right;
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order;
    if (a->place->file != b->place->file)
        return a->place->file < b->place->file ? -1 : 1;
    return a->place->line < b->place->line ? -1 : a->place->line > b->place->line;
}

static int fail_twice(const struct named *first, const struct named *again,
                      const struct colony__reading *reading)
{
    if (first->place->file == again->place->file)
        return colony__setting_fail(reading, again->place, -EINVAL,
                                    "cannot use the name `%s` twice: it is on line %u already",
                                    again->name, first->place->line);
    return colony__setting_fail(reading, again->place, -EINVAL,
                                "cannot use the name `%s` twice: it is in %.200s:%u already",
                                again->name, colony__setting_file(reading, first->place),
                                first->place->line);
}

/* In one map the parser has seen to it; in lists and several files it is our turn. */
static int check_names(const struct colony_settings *settings, const struct colony_value *value,
                       const struct colony__reading *reading)
{
    const struct colony_value *place = value->child;
    size_t count = settings->template_count;
    struct named *named = calloc(count + 1, sizeof *named);
    int rc = 0;

    if (!named)
        return -ENOMEM;
    for (size_t i = 0; i < count && place; i++, place = place->next)
        named[i] = (struct named){settings->templates[i]->name, place};
    qsort(named, count, sizeof *named, compare_named);
    for (size_t i = 1; i < count && rc == 0; i++)
        if (strcmp(named[i - 1].name, named[i].name) == 0)
            rc = fail_twice(&named[i - 1], &named[i], reading);
    free(named);
    return rc;
}

int colony__processes_read(struct colony_settings *settings, const struct colony_value *value,
                           const struct colony__reading *reading)
{
    size_t count = 0;

    if (value->type != VALUE_MAP && value->type != VALUE_LIST)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `processes`: it must be a map of names and "
                                    "settings, or a list of settings");
    for (const struct colony_value *child = value->child; child; child = child->next)
        count++;
    settings->templates = calloc(count + 1, sizeof(struct colony_template *));
    if (!settings->templates)
        return -ENOMEM;
    for (const struct colony_value *child = value->child; child; child = child->next) {
        struct colony__reading own = *reading;
        int rc;

        own.strict = reading->strict && !(reading->files && reading->files[child->file].is_ini);
        own.file = colony__setting_file(reading, child);
        rc = colony__template_read(&settings->templates[settings->template_count], child->key,
                                   child, &own);

        if (rc < 0)
            return rc;
        settings->template_count++;
        if (settings->files)
            settings->files[child->file].template_count++;
    }
    return check_names(settings, value, reading);
}

cJSON *colony__processes_write(const struct colony_settings *settings)
{
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    for (size_t i = 0; i < settings->template_count && rc == 0; i++)
        rc = colony__json_add(json, NULL, cJSON_CreateRaw(settings->templates[i]->source));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}
