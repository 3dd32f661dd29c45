/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - a cgroup (v2) for each slot, below one of colony's own, where the machine allows it.
 *
 * Members cannot leave by forking or setsid, so a stop is complete. cgroups(7). libc only.
 */
#ifndef COLONY_CORE_CGROUP_H
#define COLONY_CORE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;

struct colony_cgroups {
    int base_fd;     /* colony-INSTANCE; -1: there are none here */
    char path[4096]; /* of it */
};

/*
 * Finds or makes the base and moves the caller into its leaf `supervisor`. The place is kept in the
 * file `cgroup` of @state_fd, because survivors of another start live there. Returns 0, or a
 * negative errno with the reason: colony then works without cgroups.
 */
int colony_cgroups_open(struct colony_cgroups *cgroups, int state_fd, const char *instance,
                        struct colony_error *err);

/* Removes what is empty and the base with it; for a colony that ends. */
void colony_cgroups_remove(struct colony_cgroups *cgroups, int state_fd);

/* A descriptor of the slot's cgroup, made if it is not there; -1 where there are none. */
int colony_cgroup_enter(const struct colony_cgroups *cgroups, const char *name, uint32_t slot);
/* The same for a detached process, which has one of its own. */
int colony_cgroup_enter_detached(const struct colony_cgroups *cgroups, const char *name,
                                 uint64_t id);

/* Signals every member (0: none); returns how many there are or a negative errno. */
int colony_cgroup_signal(const struct colony_cgroups *cgroups, const char *name, uint32_t slot,
                         int signo);

/* Removes the slot's cgroup if nobody is in it. */
void colony_cgroup_leave(const struct colony_cgroups *cgroups, const char *name, uint32_t slot);

#endif
