/* SPDX-License-Identifier: Apache-2.0 */
/* The section `user:`: who the engine runs as, and what it may then ask of the keeper. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/identity_internal.h"
#include "core/settings_internal.h"
#include "core/value.h"

#define AT(field) offsetof(struct colony_user_settings, field)

/* clang-format off */
static const struct grant {
    const char *name;
    size_t offset;
} grants[] = {
    {"nice",          AT(allow_nice)},
    {"oom_score_adj", AT(allow_oom_score_adj)},
    {"rlimits",       AT(allow_rlimits)},
};
/* clang-format on */

enum {
    GRANT_COUNT = sizeof grants / sizeof grants[0],
};

/* The keys of one identity of `run_as`; identity.c reads them. */
static const struct colony__setting_type type_id = {"a name or a number", false, NULL, NULL};
static const struct colony__setting identity_settings[] = {
    {"uid", &type_id, COLONY__REQUIRED, NULL, 0, NULL, "user"},
    {"gid", &type_id, 0, NULL, 0, NULL, "group; the user's own unless given"},
    {"groups", &type_id, 0, NULL, 0, NULL, "supplementary groups"},
    {0},
};

static int read_identity(const struct colony__reading *reading, const struct colony_value *value,
                         struct colony_identity *out)
{
    int rc;

    if (value->type != VALUE_MAP)
        return colony__identity_read_user(out, value, reading);
    rc = colony__settings_read(reading, identity_settings, value, out);
    if (rc < 0)
        return rc;
    return colony__identity_read(out, value, reading);
}

static int read_run_as(const struct colony__reading *reading, const struct colony__setting *row,
                       const struct colony_value *value, void *field)
{
    struct colony_user_settings *user = field;
    size_t count = 0;
    int rc = 0;

    if (value->type != VALUE_LIST)
        return colony__setting_fail(reading, value, -EINVAL, "cannot use `%s`: it must be %s",
                                    row->name, row->type->name);
    for (const struct colony_value *child = value->child; child; child = child->next)
        count++;
    user->identities = calloc(count + 1, sizeof *user->identities);
    if (!user->identities)
        return -ENOMEM;
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next)
        rc = read_identity(reading, child, &user->identities[user->identity_count++]);
    return rc;
}

static cJSON *write_identity(const struct colony_identity *identity)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *groups = cJSON_CreateArray();
    int rc = json && groups ? 0 : -ENOMEM;

    for (size_t i = 0; i < identity->group_count && rc == 0; i++)
        rc = colony__json_add(groups, NULL, cJSON_CreateNumber(identity->groups[i]));
    if (rc < 0) {
        cJSON_Delete(groups);
        cJSON_Delete(json);
        return NULL;
    }
    rc = colony__json_add(json, "groups", groups);
    if (rc == 0)
        rc = colony__json_add(json, "uid", cJSON_CreateNumber(identity->uid));
    if (rc == 0)
        rc = colony__json_add(json, "gid", cJSON_CreateNumber(identity->gid));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static cJSON *write_run_as(const struct colony__setting *row, const void *field)
{
    const struct colony_user_settings *user = field;
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    (void)row;
    for (size_t i = 0; i < user->identity_count && rc == 0; i++)
        rc = colony__json_add(json, NULL, write_identity(&user->identities[i]));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static int read_grant(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, struct colony_user_settings *user)
{
    for (size_t i = 0; i < GRANT_COUNT; i++) {
        if (value->type == VALUE_STRING && strcmp(value->text, grants[i].name) == 0) {
            *(bool *)((char *)user + grants[i].offset) = true;
            return 0;
        }
    }
    return colony__setting_fail(reading, value, -EINVAL, "cannot use `%s`: it must be %s",
                                row->name, row->type->name);
}

static int read_allow(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    int rc = 0;

    if (value->type != VALUE_LIST)
        return read_grant(reading, row, value, field);
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next)
        rc = read_grant(reading, row, child, field);
    return rc;
}

static cJSON *write_allow(const struct colony__setting *row, const void *field)
{
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    (void)row;
    for (size_t i = 0; i < GRANT_COUNT && rc == 0; i++)
        if (*(const bool *)((const char *)field + grants[i].offset))
            rc = colony__json_add(json, NULL, cJSON_CreateString(grants[i].name));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static const struct colony__setting_type type_run_as = {
    "a list of names, or of maps of uid, gid and groups", false, read_run_as, write_run_as};
static const struct colony__setting_type type_allow = {"a list of nice, oom_score_adj and rlimits",
                                                       false, read_allow, write_allow};

/* clang-format off */
const struct colony__setting colony__user_settings[] = {
    {"name",   &colony__setting_text, COLONY__REQUIRED, NULL, AT(name), NULL,
     "user that the engine runs as; the keeper stays root"},
    {"run_as", &type_run_as, 0, "[]", 0, NULL, "users that processes may run as"},
    {"allow",  &type_allow,  0, "[]", 0, NULL, "privileges that processes may be given"},
    {0},
};
/* clang-format on */

int colony__user_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading)
{
    /* `user: NAME` is short for `user: {name: NAME}`; these two nodes own nothing. */
    struct colony_value name = {.type = VALUE_STRING, .key = (char *)"name", .text = value->text};
    struct colony_value map = {.type = VALUE_MAP, .key = value->key, .child = &name};
    struct colony_user_settings *user = &settings->user;
    int rc;

    if (value->type == VALUE_STRING) {
        name.line = map.line = value->line;
        name.column = map.column = value->column;
        value = &map;
    }
    rc = colony__settings_read(reading, colony__user_settings, value, user);
    if (rc == 0)
        rc = colony__identity_read_user(&user->engine, colony_value_get(value, "name"), reading);
    if (rc < 0)
        return rc;
    if (colony__identity_add_groups(&user->engine, user->name) < 0)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `user`: %.100s is in more than %d groups",
                                    user->name, COLONY_GROUPS_MAX);
    return 0;
}

cJSON *colony__user_write(const struct colony_settings *settings)
{
    if (!settings->user.name)
        return cJSON_CreateNull();
    return colony__settings_write(colony__user_settings, &settings->user);
}

void colony__user_clear(struct colony_user_settings *user)
{
    free(user->name);
    free(user->identities);
    memset(user, 0, sizeof *user);
}
