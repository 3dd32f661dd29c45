/* SPDX-License-Identifier: Apache-2.0 */
/* identity_internal.h - users and groups of settings, looked up by name or number. */
#ifndef COLONY_CORE_IDENTITY_INTERNAL_H
#define COLONY_CORE_IDENTITY_INTERNAL_H

struct colony__reading;
struct colony_identity;
struct colony_value;

/*
 * Fills @out from `uid`, `gid` and `groups` of @map, each a name or a number; unset when it has
 * none of them. -EINVAL with the reason ("no such user deploy"), -ENOMEM.
 */
int colony__identity_read(struct colony_identity *out, const struct colony_value *map,
                          const struct colony__reading *reading);

/* The user @value (a name or a number), its primary group, and no supplementary groups. */
int colony__identity_read_user(struct colony_identity *out, const struct colony_value *value,
                               const struct colony__reading *reading);

/* Adds the supplementary groups of the user @name, as login(1) does. */
int colony__identity_add_groups(struct colony_identity *identity, const char *name);

#endif
