/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - what holds of every tree that was read, and of all settings that were taken from one. */
#ifndef COLONY_TESTS_FUZZ_TREE_H
#define COLONY_TESTS_FUZZ_TREE_H

#include <errno.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/gates.h"
#include "core/settings_internal.h"
#include "core/utf8.h"
#include "core/value_internal.h"

#include "fuzz.h"

static inline bool is_sound_text(const char *text)
{
    return text && colony_utf8_length(text, strlen(text)) == strlen(text);
}

/* What a message says is one line that a terminal and a JSON text can hold. */
static inline void check_error(int rc, const struct colony_error *err)
{
    CHECK(rc < 0 && rc != -ENOMEM && err->code == rc && err->message[0] != '\0');
    for (const char *at = err->message; *at != '\0'; at++)
        CHECK((unsigned char)*at >= 0x20 && *at != 0x7f);
}

static inline void check_tree(const struct colony_value *value, unsigned depth)
{
    CHECK(depth <= COLONY_VALUE_DEPTH_MAX + 1);
    CHECK(!value->text || is_sound_text(value->text));
    CHECK((value->type != VALUE_STRING && value->type != VALUE_NUMBER) || value->text);
    CHECK(!value->child || value->type == VALUE_LIST || value->type == VALUE_MAP);
    for (const struct colony_value *child = value->child; child; child = child->next) {
        CHECK(value->type != VALUE_MAP || is_sound_text(child->key));
        check_tree(child, depth + 1);
    }
}

/* Printed as JSON and read again it is the same, and so is a copy. */
static inline void check_again(const struct colony_value *value)
{
    cJSON *json = colony_value_to_json(value);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    struct colony_value *again = NULL;
    struct colony_value *copy = NULL;

    CHECK(text);
    check_tree(value, 0);
    CHECK(colony_value_parse_json(&again, text, strlen(text), NULL) == 0);
    CHECK(colony_value_hash(again) == colony_value_hash(value));
    CHECK(colony_value_copy(&copy, value) == 0);
    CHECK(colony_value_hash(copy) == colony_value_hash(value));
    colony_value_free(copy);
    colony_value_free(again);
    cJSON_Delete(json);
    free(text);
}

/* What the engine is given of settings is read as the same settings. */
static inline void check_settings_again(const struct colony_settings *settings)
{
    struct colony_settings *again = NULL;
    struct colony_error err = {0};
    char *text = NULL;
    char *same = NULL;

    CHECK(colony_settings_to_json(settings, &text) == 0);
    if (colony_settings_parse_json(&again, text, strlen(text), &err) < 0)
        fuzz_fail(__FILE__, __LINE__, err.message);
    CHECK(colony_settings_to_json(again, &same) == 0);
    CHECK(strcmp(text, same) == 0);
    CHECK(again->template_count == settings->template_count);
    for (size_t i = 0; i < again->template_count; i++)
        CHECK(again->templates[i]->hash == settings->templates[i]->hash &&
              again->templates[i]->process_hash == settings->templates[i]->process_hash);
    colony_settings_free(again);
    free(text);
    free(same);
}

/* As a file is loaded whose tree this is; what it includes is left out. Takes ownership of @tree.
 */
static inline int load_tree(struct colony_settings *settings, struct colony_value *tree,
                            const char *path, struct colony_error *err)
{
    struct colony__reading reading = {.strict = true, .err = err};
    struct colony_value *include = NULL;
    int rc;

    settings->files = calloc(1, sizeof *settings->files);
    CHECK(settings->files);
    settings->files->path = strdup(path);
    settings->files->is_ini = strstr(path, ".ini") != NULL;
    settings->file_count = 1;
    reading.files = settings->files;
    rc = colony__settings_add(settings, tree, &include, &reading);
    colony_value_free(include);
    if (rc == 0)
        rc = colony__settings_check_users_keys(settings, &reading);
    if (rc == 0)
        colony__sections_hash(settings);
    if (rc == 0)
        rc = colony__sections_read(settings, &reading);
    if (rc == 0)
        colony__settings_drop_sections(settings);
    return rc;
}

/* Takes ownership of @tree. */
static inline void check_settings(struct colony_value *tree, const char *path)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};
    int rc;

    CHECK(colony_settings_new(&settings, &err) == 0);
    rc = load_tree(settings, tree, path, &err);
    if (rc < 0) {
        check_error(rc, &err);
    } else {
        (void)colony_gates_check((const struct colony_template *const *)settings->templates,
                                 settings->template_count, NULL, &err);
        check_settings_again(settings);
    }
    colony_settings_free(settings);
}

#endif
