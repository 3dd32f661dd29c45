/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings as JSON: colony's sections under `colony:`, from what the struct holds now (the command
 * line may have changed it), and the user's own keys beside it.
 */
#include <errno.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/settings_internal.h"
#include "core/value.h"

/* A section that is not there is null, so that a key of that name stays the user's. */
static cJSON *write_sections(const struct colony_settings *settings)
{
    cJSON *json = cJSON_CreateObject();
    int rc = json ? 0 : -ENOMEM;

    for (const struct colony__section *section = colony__sections; section->name && rc == 0;
         section++)
        rc = colony__json_add(json, section->name,
                              section->write ? section->write(settings) : cJSON_CreateNull());
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

/* True for a top-level key that colony does not read. */
static bool is_users(const struct colony_value *root, const struct colony_value *member)
{
    const struct colony_value *own = colony_value_get(root, "colony");

    if (member == own)
        return false;
    return !colony__section_find(member->key) || colony_value_get(own, member->key);
}

static int add_users_keys(cJSON *json, const struct colony_value *root)
{
    int rc = 0;

    if (!root)
        return 0;
    for (const struct colony_value *member = root->child; member && rc == 0; member = member->next)
        if (is_users(root, member))
            rc = colony__json_add(json, member->key, colony_value_to_json(member));
    return rc;
}

int colony_settings_to_json(const struct colony_settings *settings, char **text)
{
    cJSON *json = cJSON_CreateObject();
    char *printed = NULL;
    int rc = json ? 0 : -ENOMEM;

    if (rc == 0)
        rc = colony__json_add(json, "colony", write_sections(settings));
    if (rc == 0)
        rc = add_users_keys(json, settings->source);
    if (rc == 0)
        printed = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (!printed)
        return -ENOMEM;
    *text = printed;
    return 0;
}

int colony_settings_parse_json(struct colony_settings **out, const char *text, size_t size,
                               struct colony_error *err)
{
    const struct colony__reading reading = {.strict = true, .is_saved = true, .err = err};
    struct colony_settings *settings = NULL;
    int rc = colony_settings_new(&settings, err);

    if (rc < 0)
        return rc;
    rc = colony_value_parse_json(&settings->source, text, size, err);
    if (rc == 0)
        rc = colony__sections_read(settings, &reading);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read these settings: out of memory");
    if (rc < 0)
        colony_settings_free(settings);
    else
        *out = settings;
    return rc;
}
