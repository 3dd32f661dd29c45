/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - whether this machine can give processes the `limits` of their template.
 *
 * For `colony check` and for loading, so that a limit that would not hold is told before anything
 * runs. It foretells what the keeper will find; what the keeper cannot set fails the spawn.
 */
#ifndef COLONY_CORE_LIMITS_H
#define COLONY_CORE_LIMITS_H

#include <sys/types.h>

struct colony_error;
struct colony_template;

/* Where slots' cgroups are made, and what they can have there. */
struct colony_limits_place {
    char path[4096];      /* "": there is no cgroup2 here */
    unsigned controllers; /* bits of enum colony_cgroup_controller that it can hand down */
};

/*
 * 0, or -ENOTSUP: a message that says which controller is missing, where, and what to do. 0 with
 * `limits.optional`. The machine is looked at once, at the first call that needs it.
 */
int colony_limits_check(const struct colony_template *template, struct colony_error *err);

/* The same with @place; looks at the cgroup @path, where a keeper of @uid makes or has its base. */
int colony_limits_check_at(const struct colony_template *template,
                           const struct colony_limits_place *place, struct colony_error *err);
void colony_limits_look(struct colony_limits_place *place, const char *path, uid_t uid);

#endif
