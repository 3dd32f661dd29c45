/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup.h - a cgroup (v2) for each slot, below one of colony's own, where the machine allows it.
 *
 * Members cannot leave by forking or setsid, so a stop is complete. Limits are set where the
 * machine gives us the controllers; they are switched on with the first limit that needs one,
 * because their accounting is not free. cgroups(7). libc only.
 */
#ifndef COLONY_CORE_CGROUP_H
#define COLONY_CORE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;
struct colony_payload;

enum colony_cgroup_controller {
    CONTROLLER_MEMORY,
    CONTROLLER_CPU,
    CONTROLLER_PIDS,
    CONTROLLER_COUNT,
};

struct colony_cgroups {
    int base_fd;          /* colony-INSTANCE; -1: there are none here */
    char path[4096];      /* of it */
    unsigned controllers; /* that slots have: bits of enum colony_cgroup_controller */
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

/*
 * Sets the limits of @payload in the cgroup behind @folder_fd (-1: there is none), and takes away
 * those it has not got. Tries all of them; returns 0 or the first failure with its controller in
 * *failed: -ENOTSUP: this machine gives us no such controller; -EBUSY: our own cgroup cannot hand
 * it down, because others run in it beside us.
 */
int colony_cgroup_limit(struct colony_cgroups *cgroups, int folder_fd,
                        const struct colony_payload *payload,
                        enum colony_cgroup_controller *failed);
/* How many were killed in the slot's cgroup because memory was short, as far as can be told. */
uint64_t colony_cgroup_oom_kills(const struct colony_cgroups *cgroups, const char *name,
                                 uint32_t slot);

/* "memory", "cpu", "pids" */
const char *colony_cgroup_controller_name(enum colony_cgroup_controller controller);
/* Those that @file (cgroup.controllers, cgroup.subtree_control) in @folder_fd names, as bits. */
unsigned colony_cgroup_controllers(int folder_fd, const char *file);
/* The folder of the cgroup that we are in. -ENOENT: there is no cgroup2; -ENAMETOOLONG. */
int colony_cgroup_find_own(char *path, size_t size);
/* Where @path is that of a colony's supervisor, makes it that of the cgroup its base is in. */
bool colony_cgroup_leave_base(char *path);

/* Moves all that are in the slot's cgroup into one of a detached process: no later process of the
 * slot shall have to do with them. Negative errno: some are left there. */
int colony_cgroup_let_go(const struct colony_cgroups *cgroups, const char *name, uint32_t slot,
                         uint64_t id);

/* Removes the slot's cgroup if nobody is in it. */
void colony_cgroup_leave(const struct colony_cgroups *cgroups, const char *name, uint32_t slot);

#endif
