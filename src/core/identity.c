/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity_internal.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/setting_internal.h"
#include "core/template.h"
#include "core/value_internal.h"

enum {
    LOOKUP_BYTES_FIRST = 1024,
    LOOKUP_BYTES_MAX = 4 << 20, /* a group with very many members */
};

static const struct colony__setting_range id_range = {0, UINT32_MAX - 1};

struct lookup {
    const char *name;
    uid_t uid;
    gid_t gid;
    bool is_found;
};

typedef int (*lookup_cb)(struct lookup *lookup, char *buffer, size_t size);

static int keep_user(struct lookup *lookup, const struct passwd *found)
{
    if (found) {
        lookup->uid = found->pw_uid;
        lookup->gid = found->pw_gid;
        lookup->is_found = true;
    }
    return 0;
}

static int look_user_name(struct lookup *lookup, char *buffer, size_t size)
{
    struct passwd entry;
    struct passwd *found = NULL;
    int code = getpwnam_r(lookup->name, &entry, buffer, size, &found);

    return code ? code : keep_user(lookup, found);
}

static int look_user_id(struct lookup *lookup, char *buffer, size_t size)
{
    struct passwd entry;
    struct passwd *found = NULL;
    int code = getpwuid_r(lookup->uid, &entry, buffer, size, &found);

    return code ? code : keep_user(lookup, found);
}

static int look_group_name(struct lookup *lookup, char *buffer, size_t size)
{
    struct group entry;
    struct group *found = NULL;
    int code = getgrnam_r(lookup->name, &entry, buffer, size, &found);

    if (code == 0 && found) {
        lookup->gid = found->gr_gid;
        lookup->is_found = true;
    }
    return code;
}

/* Not found is no error here: getpwnam(3) names a dozen codes that may mean it. */
static int look_up(lookup_cb look, struct lookup *lookup)
{
    for (size_t size = LOOKUP_BYTES_FIRST; size <= LOOKUP_BYTES_MAX; size *= 2) {
        char *buffer = malloc(size);
        int code;

        if (!buffer)
            return -ENOMEM;
        code = look(lookup, buffer, size);
        free(buffer);
        if (code != ERANGE)
            return code == ENOMEM ? -ENOMEM : 0;
    }
    return 0;
}

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
    struct lookup lookup = {.name = value->text};
    int rc;

    if (value->type != VALUE_STRING && value->type != VALUE_NUMBER)
        return fail_type(reading, value);
    if (value->type == VALUE_NUMBER)
        return read_number(reading, value, out);
    rc = look_up(look_group_name, &lookup);
    if (rc < 0)
        return rc;
    if (!lookup.is_found && is_digits(value->text))
        return read_number(reading, value, out);
    if (!lookup.is_found)
        return colony__setting_fail(reading, value, -EINVAL, "cannot use %s: no such group %.100s",
                                    colony__setting_label(value).text, value->text);
    *out = lookup.gid;
    return 0;
}

/* @lookup tells the primary group too; it is not found for a number that no user has. */
static int read_user(const struct colony__reading *reading, const struct colony_value *value,
                     struct lookup *lookup)
{
    int rc;

    if (value->type != VALUE_STRING && value->type != VALUE_NUMBER)
        return fail_type(reading, value);
    if (value->type == VALUE_STRING) {
        lookup->name = value->text;
        rc = look_up(look_user_name, lookup);
        if (rc < 0 || lookup->is_found)
            return rc;
        if (!is_digits(value->text))
            return colony__setting_fail(reading, value, -EINVAL,
                                        "cannot use %s: no such user %.100s",
                                        colony__setting_label(value).text, value->text);
    }
    rc = read_number(reading, value, &lookup->uid);
    if (rc < 0)
        return rc;
    return look_up(look_user_id, lookup);
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
    struct lookup lookup = {.uid = geteuid(), .gid = getegid(), .is_found = false};
    int rc = 0;

    if (uid)
        rc = read_user(reading, uid, &lookup);
    if (rc < 0)
        return rc;
    if (uid && !gid && !lookup.is_found)
        return colony__setting_fail(reading, uid, -EINVAL,
                                    "cannot use %s: %.100s is no known user, so give `gid` "
                                    "too",
                                    colony__setting_label(uid).text, uid->text ? uid->text : "it");
    out->uid = lookup.uid;
    out->gid = lookup.gid;
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
    struct lookup lookup = {0};
    int rc = read_user(reading, value, &lookup);

    if (rc < 0)
        return rc;
    if (!lookup.is_found)
        return colony__setting_fail(reading, value, -EINVAL, "cannot use %s: no such user %.100s",
                                    colony__setting_label(value).text, value->text);
    memset(out, 0, sizeof *out);
    out->uid = lookup.uid;
    out->gid = lookup.gid;
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
