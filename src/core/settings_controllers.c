/* SPDX-License-Identifier: Apache-2.0 */
/* The section `controllers:`: shared objects that the engine loads. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/settings_internal.h"
#include "core/value.h"

/* From the folder of the file that names it: the engine stands in another one. */
static int add_path(char **out, const struct colony_value *value,
                    const struct colony__reading *reading)
{
    const char *file = reading->files ? colony__setting_file(reading, value) : NULL;
    const char *slash = file ? strrchr(file, '/') : NULL;
    char folder[PATH_MAX] = "";
    int length = slash ? (int)(slash + 1 - file) : 0;

    if (value->type != VALUE_STRING || value->text[0] == '\0')
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `controllers`: it must be a path or a list of "
                                    "paths");
    if (value->text[0] == '/')
        length = 0;
    else if ((length == 0 || file[0] != '/') && !getcwd(folder, sizeof folder))
        return colony__setting_fail(reading, value, -errno, "cannot find the working directory");
    return asprintf(out, "%s%s%.*s%s", folder, folder[0] ? "/" : "", length, file ? file : "",
                    value->text) < 0
               ? -ENOMEM
               : 0;
}

static size_t count(const struct colony_value *value)
{
    size_t all = 1;

    for (const struct colony_value *child = value->child; child; child = child->next)
        all++;
    return all;
}

int colony__controllers_read(struct colony_settings *settings, const struct colony_value *value,
                             const struct colony__reading *reading)
{
    const struct colony_value *item = value->type == VALUE_LIST ? value->child : value;
    size_t used = 0;
    int rc = 0;

    settings->controllers = calloc(count(value) + 1, sizeof *settings->controllers);
    if (!settings->controllers)
        return -ENOMEM;
    for (; item && rc == 0; item = value->type == VALUE_LIST ? item->next : NULL) {
        rc = add_path(&settings->controllers[used], item, reading);
        if (rc < 0)
            settings->controllers[used] = NULL; /* as asprintf(3) leaves it is not said */
        used++;
    }
    return rc;
}

cJSON *colony__controllers_write(const struct colony_settings *settings)
{
    cJSON *json;

    if (!settings->controllers)
        return cJSON_CreateNull();
    json = cJSON_CreateArray();
    for (char **path = settings->controllers; json && *path; path++) {
        if (cJSON_AddItemToArray(json, cJSON_CreateString(*path)))
            continue;
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

void colony__controllers_clear(struct colony_settings *settings)
{
    for (char **path = settings->controllers; path && *path; path++)
        free(*path);
    free(settings->controllers);
}
