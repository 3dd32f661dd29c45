/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings as JSON: colony's sections under `colony:`, from what the struct holds now (the command
 * line may have changed it), and the user's own keys beside it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/settings_internal.h"
#include "core/value.h"

/* A number that no double of JSON holds. */
static cJSON *write_hash(uint64_t hash)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    return cJSON_CreateString(text);
}

/* What is known of the reading of files they come from: its number, and what it said. */
static cJSON *write_load(const struct colony_settings *settings)
{
    cJSON *json = cJSON_CreateObject();
    int rc = colony__json_add(json, "id", write_hash(settings->load_id));

    for (size_t i = 0; colony__sections[i].name && rc == 0; i++)
        if (colony__sections[i].is_fixed)
            rc = colony__json_add(json, colony__sections[i].name,
                                  write_hash(settings->section_hashes[i]));
    if (rc == 0)
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* A section that is not there is null, so that a key of that name stays the user's. */
static cJSON *write_sections(const struct colony_settings *settings)
{
    cJSON *json = cJSON_CreateObject();
    int rc = json ? 0 : -ENOMEM;

    if (rc == 0)
        rc = colony__json_add(json, "load", write_load(settings));
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

static int add_users_keys(cJSON *json, const struct colony_value *root)
{
    int rc = 0;

    if (!root)
        return 0;
    for (const struct colony_value *member = root->child; member && rc == 0; member = member->next)
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
        printed = colony_json_print(json);
    cJSON_Delete(json);
    if (!printed)
        return -ENOMEM;
    *text = printed;
    return 0;
}

static uint64_t read_hash(const struct colony_value *load, const char *name)
{
    const struct colony_value *value = colony_value_get(load, name);

    return value && value->type == VALUE_STRING ? strtoull(value->text, NULL, 16) : 0;
}

/* Takes `load` out of the tree, where it is no section. What an older colony wrote has none. */
static void take_load(struct colony_settings *settings, struct colony_value *tree)
{
    struct colony_value *own = tree->child;
    struct colony_value **place;
    struct colony_value *load;

    while (own && !(own->type == VALUE_MAP && own->key && strcmp(own->key, "colony") == 0))
        own = own->next;
    if (!own)
        return;
    place = &own->child;
    while (*place && strcmp((*place)->key, "load") != 0)
        place = &(*place)->next;
    load = *place;
    if (!load)
        return;
    *place = load->next;
    settings->load_id = read_hash(load, "id");
    for (size_t i = 0; colony__sections[i].name; i++)
        settings->section_hashes[i] = read_hash(load, colony__sections[i].name);
    colony_value_free(load);
}

int colony_settings_parse_json(struct colony_settings **out, const char *text, size_t size,
                               struct colony_error *err)
{
    /* No place in messages, and what was kept of an INI file's processes is kept. */
    const struct colony_settings_file from_us = {.is_ini = true};
    struct colony__reading reading = {.strict = true, .is_saved = true, .err = err};
    struct colony_settings *settings = NULL;
    struct colony_value *tree = NULL;
    int rc = colony_settings_new(&settings, err);

    if (rc < 0)
        return rc;
    settings->load_id = 0;
    rc = colony_value_parse_json(&tree, text, size, err);
    if (rc == 0) {
        take_load(settings, tree);
        rc = colony__settings_add(settings, tree, NULL, &reading);
    }
    reading.files = &from_us;
    if (rc == 0)
        rc = colony__sections_read(settings, &reading);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read these settings: out of memory");
    if (rc < 0) {
        colony_settings_free(settings);
        return rc;
    }
    colony__settings_drop_sections(settings);
    *out = settings;
    return 0;
}
