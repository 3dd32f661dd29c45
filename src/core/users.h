/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users.h - the system's users and groups, by name and by number.
 *
 * Any thread, also beside others that look some up: a program may have us in it.
 */
#ifndef COLONY_CORE_USERS_H
#define COLONY_CORE_USERS_H

#include <sys/types.h>

enum {
    COLONY_USER_NAME_SIZE = 257, /* LOGIN_NAME_MAX, and the NUL; what is longer is cut */
};

struct colony_user {
    uid_t uid;
    gid_t gid; /* its primary group */
    char name[COLONY_USER_NAME_SIZE];
};

struct colony_group {
    gid_t gid;
    char name[COLONY_USER_NAME_SIZE];
};

typedef void (*colony_member_cb)(const char *name, void *data);

/* All: 0; -ENOENT: there is none, or it could not be looked up; -ENOMEM. *out is set on success. */
int colony_user_find(struct colony_user *out, const char *name);
int colony_user_find_id(struct colony_user *out, uid_t uid);
/* Calls @cb (may be NULL) for each that the group lists as a member. */
int colony_group_find(struct colony_group *out, const char *name, colony_member_cb cb, void *data);
int colony_group_find_id(struct colony_group *out, gid_t gid);

/* Of the group `colony`, whose members may control; (gid_t)-1: there is none. */
gid_t colony_group_of_colony(void);

#endif
