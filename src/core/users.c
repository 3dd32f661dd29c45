/* SPDX-License-Identifier: Apache-2.0 */
#include "core/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOOKUP_BYTES_FIRST = 1024,
    LOOKUP_BYTES_MAX = 4 << 20, /* a group with very many members */
};

/* What is looked up, and what becomes of it. */
struct lookup {
    const char *name;
    uid_t uid;
    gid_t gid;
    struct colony_user *user;
    struct colony_group *group;
    colony_member_cb cb;
    void *data;
};

/* 0: found; ENOENT; ERANGE: the buffer is too small; ENOMEM; … */
typedef int (*lookup_cb)(const struct lookup *lookup, char *buffer, size_t size);

static int keep_user(const struct lookup *lookup, int code, const struct passwd *found)
{
    struct colony_user *user = lookup->user;

    if (code != 0 || !found)
        return code ? code : ENOENT;
    user->uid = found->pw_uid;
    user->gid = found->pw_gid;
    (void)snprintf(user->name, sizeof user->name, "%s", found->pw_name);
    return 0;
}

static int look_user_name(const struct lookup *lookup, char *buffer, size_t size)
{
    struct passwd entry;
    struct passwd *found = NULL;
    int code = getpwnam_r(lookup->name, &entry, buffer, size, &found);

    return keep_user(lookup, code, found);
}

static int look_user_id(const struct lookup *lookup, char *buffer, size_t size)
{
    struct passwd entry;
    struct passwd *found = NULL;
    int code = getpwuid_r(lookup->uid, &entry, buffer, size, &found);

    return keep_user(lookup, code, found);
}

static int keep_group(const struct lookup *lookup, int code, const struct group *found)
{
    struct colony_group *group = lookup->group;

    if (code != 0 || !found)
        return code ? code : ENOENT;
    group->gid = found->gr_gid;
    (void)snprintf(group->name, sizeof group->name, "%s", found->gr_name);
    for (char **member = found->gr_mem; lookup->cb && *member; member++)
        lookup->cb(*member, lookup->data);
    return 0;
}

static int look_group_name(const struct lookup *lookup, char *buffer, size_t size)
{
    struct group entry;
    struct group *found = NULL;
    int code = getgrnam_r(lookup->name, &entry, buffer, size, &found);

    return keep_group(lookup, code, found);
}

static int look_group_id(const struct lookup *lookup, char *buffer, size_t size)
{
    struct group entry;
    struct group *found = NULL;
    int code = getgrgid_r(lookup->gid, &entry, buffer, size, &found);

    return keep_group(lookup, code, found);
}

/* What went wrong is not told apart: getpwnam(3) names a dozen codes for what is not found. */
static int look_up(lookup_cb look, const struct lookup *lookup)
{
    for (size_t size = LOOKUP_BYTES_FIRST; size <= LOOKUP_BYTES_MAX; size *= 2) {
        char *buffer = malloc(size);
        int code;

        if (!buffer)
            return -ENOMEM;
        code = look(lookup, buffer, size);
        free(buffer);
        if (code == 0)
            return 0;
        if (code != ERANGE)
            return code == ENOMEM ? -ENOMEM : -ENOENT;
    }
    return -ENOENT;
}

int colony_user_find(struct colony_user *out, const char *name)
{
    return look_up(look_user_name, &(const struct lookup){.name = name, .user = out});
}

int colony_user_find_id(struct colony_user *out, uid_t uid)
{
    return look_up(look_user_id, &(const struct lookup){.uid = uid, .user = out});
}

int colony_group_find(struct colony_group *out, const char *name, colony_member_cb cb, void *data)
{
    const struct lookup lookup = {.name = name, .group = out, .cb = cb, .data = data};

    return look_up(look_group_name, &lookup);
}

int colony_group_find_id(struct colony_group *out, gid_t gid)
{
    return look_up(look_group_id, &(const struct lookup){.gid = gid, .group = out});
}

gid_t colony_group_of_colony(void)
{
    struct colony_group group;

    return colony_group_find(&group, "colony", NULL, NULL) == 0 ? group.gid : (gid_t)-1;
}
