/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity_internal.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/setting_internal.h"
#include "core/template.h"
#include "core/users.h"
#include "core/value_internal.h"

static const struct colony__setting_range id_range = {0, UINT32_MAX - 1};

static bool is_digits(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* A number, also as a text that no user has for a name. */
static int read_number(const struct colony__reading *reading, const struct colony_value *value,
                       uint32_t *out)
{
    struct colony_value number = *value;
    int64_t id = 0;
    int rc;

    if (value->type == VALUE_STRING) {
        number.type = VALUE_NUMBER;
        number.number = strtod(value->text, NULL);
    }
    rc = colony__setting_integer(reading, &number, &id_range, &id);
    if (rc == 0)
        *out = (uint32_t)id;
    return rc;
}

static int fail_type(const struct colony__reading *reading, const struct colony_value *value)
{
    return colony__setting_fail(reading, value, -EINVAL,
                                "cannot use %s: it must be a name or a number",
                                colony__setting_label(value).text);
}

static int read_group(const struct colony__reading *reading, const struct colony_value *value,
                      gid_t *out)
{
    struct colony_group group;
    int rc;

    if (value->type != VALUE_STRING && value->type != VALUE_NUMBER)
        return fail_type(reading, value);
    if (value->type == VALUE_NUMBER)
        return read_number(reading, value, out);
    rc = colony_group_find(&group, value->text, NULL, NULL);
    if (rc == -ENOENT && is_digits(value->text))
        return read_number(reading, value, out);
    if (rc == -ENOENT)
        return colony__setting_fail(reading, value, -EINVAL, "cannot use %s: no such group %.100s",
                                    colony__setting_label(value).text, value->text);
    if (rc == 0)
        *out = group.gid;
    return rc;
}

/* A user, with the primary group. 1: only a number is known, in @out->uid, which no user has. */
static int read_user(const struct colony__reading *reading, const struct colony_value *value,
                     struct colony_user *out)
{
    uint32_t number = 0;
    int rc;

    if (value->type != VALUE_STRING && value->type != VALUE_NUMBER)
        return fail_type(reading, value);
    if (value->type == VALUE_STRING) {
        rc = colony_user_find(out, value->text);
        if (rc != -ENOENT)
            return rc;
        if (!is_digits(value->text))
            return colony__setting_fail(reading, value, -EINVAL,
                                        "cannot use %s: no such user %.100s",
                                        colony__setting_label(value).text, value->text);
    }
    rc = read_number(reading, value, &number);
    if (rc < 0)
        return rc;
    rc = colony_user_find_id(out, number);
    if (rc != -ENOENT)
        return rc;
    out->uid = number;
    return 1;
}

static const struct colony_value *get_given(const struct colony_value *map, const char *key)
{
    const struct colony_value *value = colony_value_get(map, key);

    return value && value->type != VALUE_NULL ? value : NULL;
}

static int read_groups(struct colony_identity *out, const struct colony_value *groups,
                       const struct colony__reading *reading)
{
    struct colony_value named;
    int rc = 0;

    if (groups->type != VALUE_LIST)
        return colony__setting_fail(reading, groups, -EINVAL,
                                    "cannot use `groups`: it must be a list of names or numbers");
    for (const struct colony_value *child = groups->child; child && rc == 0; child = child->next) {
        if (out->group_count == COLONY_GROUPS_MAX)
            return colony__setting_fail(reading, child, -EINVAL,
                                        "cannot use `groups`: there are more than %d",
                                        COLONY_GROUPS_MAX);
        named = *child;
        named.key = groups->key; /* what messages call it */
        rc = read_group(reading, &named, &out->groups[out->group_count]);
        if (rc == 0)
            out->group_count++;
    }
    return rc;
}

/* `uid` with or without `gid`; without both it is as colony runs itself. */
static int read_uid_gid(struct colony_identity *out, const struct colony_value *map,
                        const struct colony__reading *reading)
{
    const struct colony_value *uid = get_given(map, "uid");
    const struct colony_value *gid = get_given(map, "gid");
    struct colony_user user = {.uid = geteuid(), .gid = getegid()};
    int rc = 0;

    if (uid)
        rc = read_user(reading, uid, &user);
    if (rc < 0)
        return rc;
    if (rc > 0 && !gid)
        return colony__setting_fail(reading, uid, -EINVAL,
                                    "cannot use %s: %.100s is no known user, so give `gid` "
                                    "too",
                                    colony__setting_label(uid).text, uid->text ? uid->text : "it");
    out->uid = user.uid;
    out->gid = user.gid;
    return gid ? read_group(reading, gid, &out->gid) : 0;
}

int colony__identity_read(struct colony_identity *out, const struct colony_value *map,
                          const struct colony__reading *reading)
{
    const struct colony_value *groups = get_given(map, "groups");
    int rc;

    memset(out, 0, sizeof *out);
    if (!get_given(map, "uid") && !get_given(map, "gid") && !groups)
        return 0;
    rc = read_uid_gid(out, map, reading);
    if (rc == 0 && groups)
        rc = read_groups(out, groups, reading);
    out->is_set = rc == 0;
    return rc;
}

int colony__identity_read_user(struct colony_identity *out, const struct colony_value *value,
                               const struct colony__reading *reading)
{
    struct colony_user user = {0};
    int rc = read_user(reading, value, &user);

    if (rc < 0)
        return rc;
    if (rc > 0)
        return colony__setting_fail(reading, value, -EINVAL, "cannot use %s: no such user %.100s",
                                    colony__setting_label(value).text, value->text);
    memset(out, 0, sizeof *out);
    out->uid = user.uid;
    out->gid = user.gid;
    out->is_set = true;
    return 0;
}

int colony__identity_add_groups(struct colony_identity *identity, const char *name)
{
    int count = COLONY_GROUPS_MAX;

    if (getgrouplist(name, identity->gid, identity->groups, &count) < 0)
        return -E2BIG;
    identity->group_count = (size_t)count;
    return 0;
}
