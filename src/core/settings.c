/* SPDX-License-Identifier: Apache-2.0 */
#include "core/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/name_internal.h"
#include "core/settings_internal.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

enum {
    NEAR_NAME_MIN = 4, /* shorter ones are near to too many words */
    LONG_NAME_MIN = 8, /* two slips may hide in these */
    SECTIONS_MAX = 32,
};

int colony_settings_new(struct colony_settings **out, struct colony_error *err)
{
    const struct colony__reading reading = {.strict = true, .err = err};
    struct colony_settings *settings = calloc(1, sizeof *settings);
    int rc = settings ? colony__sections_default(settings, &reading) : -ENOMEM;

    if (rc < 0) {
        colony_settings_free(settings);
        (void)colony_fail(err, rc, "cannot make settings: out of memory");
        return rc;
    }
    *out = settings;
    return 0;
}

void colony_settings_free(struct colony_settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->template_count; i++)
        colony_template_free(settings->templates[i]);
    free(settings->templates);
    colony__words_free(settings->http.bind);
    colony__words_free(settings->http.allow);
    colony__words_free(settings->http.hosts);
    colony__words_free(settings->http.cors_origins);
    colony__user_clear(&settings->user);
    free(settings->state_dir);
    free(settings->name);
    free(settings->log_file);
    colony_value_free(settings->source);
    free(settings);
}

/* Where the section @name is given, or NULL; under `colony:` a null one is given up to the user. */
static const struct colony_value *find_section(const struct colony_value *root, const char *name)
{
    const struct colony_value *own = colony_value_get(colony_value_get(root, "colony"), name);
    const struct colony_value *value = own ? own : colony_value_get(root, name);

    return value && value->type != VALUE_NULL ? value : NULL;
}

static int fail_unknown(const struct colony_value *member, const struct colony__reading *reading)
{
    const char *known[SECTIONS_MAX + 1] = {NULL};

    for (size_t i = 0; i < SECTIONS_MAX && colony__sections[i].name; i++)
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

static bool is_near(const char *key, const char *name)
{
    size_t length = strlen(name);
    unsigned distance = length >= LONG_NAME_MIN ? 2 : 1;

    return length >= NEAR_NAME_MIN && colony__name_distance(key, name) <= distance;
}

static int check_user_key(const struct colony_value *member, const struct colony__reading *reading)
{
    const char *near = is_near(member->key, "colony") ? "colony" : NULL;

    if (colony__section_find(member->key))
        return 0;
    for (const struct colony__section *section = colony__sections; section->name && !near;
         section++)
        if (is_near(member->key, section->name))
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

    if (root->type != VALUE_MAP)
        return colony__setting_fail(reading, root, -EINVAL,
                                    "cannot use these settings: they must be a map of sections "
                                    "such as `processes:`");
    if (own)
        return check_own(own, reading);
    for (const struct colony_value *member = root->child; member && rc == 0; member = member->next)
        rc = check_user_key(member, reading);
    return rc;
}

int colony__sections_read(struct colony_settings *settings, const struct colony__reading *reading)
{
    const struct colony_value *root = settings->source;
    int rc = check_keys(root, reading);

    for (const struct colony__section *section = colony__sections; section->name && rc == 0;
         section++) {
        const struct colony_value *value = find_section(root, section->name);

        if (value && !section->read)
            rc = colony__setting_fail(reading, value, -EINVAL,
                                      "cannot use section `%s`: this version of colony does not "
                                      "have it",
                                      section->name);
        else if (value)
            rc = section->read(settings, value, reading);
    }
    return rc;
}

/* The keeper trusts `user:` with root's power, so only root may have written it. */
static int check_owner(const struct colony_settings *settings, const struct stat *st,
                       const struct colony__reading *reading)
{
    const struct colony_value *user = find_section(settings->source, "user");

    if (!user || geteuid() != 0)
        return 0;
    if (st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return 0;
    return colony__setting_fail(reading, user, -EPERM,
                                "cannot use section `user`: this file must belong to root and be "
                                "writable by nobody else (chown root, chmod go-w)");
}

int colony_settings_load(struct colony_settings **out, const char *path, struct colony_error *err)
{
    const struct colony__reading reading = {.file = path, .strict = true, .err = err};
    struct colony_settings *settings = NULL;
    struct stat st;
    char *text = NULL;
    size_t size;
    int rc = colony__file_read(&text, &size, path, &st, err);

    if (rc < 0)
        return rc;
    rc = colony_settings_new(&settings, err);
    if (rc == 0)
        rc = colony_value_parse_yaml(&settings->source, text, size, path, err);
    if (rc == 0)
        rc = check_owner(settings, &st, &reading);
    if (rc == 0)
        rc = colony__sections_read(settings, &reading);
    free(text);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot load %s: out of memory", path);
    if (rc < 0)
        colony_settings_free(settings);
    else
        *out = settings;
    return rc;
}
