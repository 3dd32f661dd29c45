/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.h - makes one process, with nothing of colony's in it but what was ordered (DESIGN §2).
 *
 * The child shares the keeper's memory until exec (CLONE_VM|CLONE_VFORK), so making one costs the
 * same however large the keeper is; its descriptor table is cut off first, so that descriptors
 * cost nothing either. libc only.
 */
#ifndef COLONY_CORE_SPAWN_H
#define COLONY_CORE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"

enum colony_spawn_step {
    STEP_NONE,
    STEP_PREPARE, /* in the keeper: payload, pipes, descriptors */
    STEP_CLONE,
    STEP_TIMER,
    STEP_DESCRIPTORS,
    STEP_SETSID,
    STEP_CGROUP,
    STEP_RLIMIT,
    STEP_NICE,
    STEP_OOM,
    STEP_SETGROUPS,
    STEP_SETGID,
    STEP_SETUID,
    STEP_CHDIR,
    STEP_SIGNALS,
    STEP_EXEC,
    /* In the keeper, before the rest; they stand here because a table keeps these numbers. */
    STEP_NOTIFY,
    STEP_LIMIT_MEMORY, /* these three in the order of enum colony_controller */
    STEP_LIMIT_CPU,
    STEP_LIMIT_PIDS,
    STEP_COUNT,
};

/* A payload, checked and with pointers to its strings. */
struct colony_spawn_plan {
    const struct colony_payload *payload; /* ours, or mapped and sealed: it cannot change */
    size_t payload_size;
    bool is_mapped;
    char **paths; /* NULL-terminated; one block with the two below */
    char **argv;
    char **env;
    const char *cwd; /* NULL: the keeper's */
};

enum {
    COLONY_RESERVED_NULL_FD = 3, /* /dev/null, among the numbers that are set aside */
    COLONY_RESERVED_FDS = 2 * COLONY_CHILD_FDS_MAX + 1, /* from here on all is the keeper's */
};

struct colony_spawn_result {
    pid_t pid;
    int pidfd;              /* -1 on failure */
    _Atomic int step;       /* where it is, or where it failed; the child writes it */
    volatile int error;     /* negative errno, 0 */
    bool is_late;           /* it took as long as it may: a SIGKILL then was the timer's */
    uint64_t began_boot_ns; /* CLOCK_BOOTTIME before the clone … */
    uint64_t ended_boot_ns; /* … and after exec or failure */
    int cgroup_error;       /* negative errno: it runs outside the cgroup that was asked for */
};

/*
 * Maps the sealed memfd @fd and checks all of it; takes nothing of @fd. -EBADMSG: it lies;
 * -EPERM: not sealed; -ENOMEM.
 */
int colony_spawn_plan_init(struct colony_spawn_plan *plan, int fd);
/* The same of a payload of @size bytes, which is copied. -EBADMSG, -ENOMEM. */
int colony_spawn_plan_copy(struct colony_spawn_plan *plan, const void *payload, size_t size);
void colony_spawn_plan_clear(struct colony_spawn_plan *plan);
/* True when its process is to have limits of its cgroup. */
bool colony_spawn_plan_has_limits(const struct colony_spawn_plan *plan);

/* "chdir", "setuid", … of an enum colony_spawn_step. */
const char *colony_spawn_step_name(int step);

/*
 * Sets the lowest descriptor numbers aside, so that all the keeper opens later lies above them:
 * a child's table is cut off there. Call once at start, before any thread. Negative errno.
 */
int colony_spawn_reserve_fds(void);
/* Moves the descriptor *fd above the reserved numbers (close-on-exec). Negative errno. */
int colony_spawn_lift_fd(int *fd);

/*
 * Spawns @plan with @fds[i] as descriptor i (-1: closed). The kernel writes the pid to *pid before
 * the child runs; *result is written throughout, its `step` as the child goes on. @cgroup_fd -1:
 * none. Blocks its thread until exec or failure, 5 s at most. A second thread may call it while
 * one is blocked only once that one's step is beyond STEP_DESCRIPTORS.
 */
void colony_spawn(const struct colony_spawn_plan *plan, const int fds[COLONY_CHILD_FDS_MAX],
                  int cgroup_fd, pid_t *pid, struct colony_spawn_result *result);
/*
 * Lets go of the descriptors @fds that were given to a spawned process: until then they stay open
 * here, too. Call when no other thread spawns.
 */
void colony_spawn_release_fds(const int fds[COLONY_CHILD_FDS_MAX]);

#endif
