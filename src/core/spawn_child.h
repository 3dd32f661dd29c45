/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn_child.h - what runs between clone and exec.
 *
 * The child may share the keeper's memory, thread-local storage and all, while the keeper goes on:
 * so it makes system calls and nothing else, and touches only what is in its plan and in this.
 */
#ifndef COLONY_CORE_SPAWN_CHILD_H
#define COLONY_CORE_SPAWN_CHILD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/spawn.h"

#if defined(__x86_64__) || defined(__aarch64__)
#define COLONY_CHILD_SHARES_MEMORY true
#else
#define COLONY_CHILD_SHARES_MEMORY false /* its system calls go through libc, which has errno */
#endif

enum {
    COLONY_CHILD_SECONDS_MAX = 5, /* from clone to exec; then the kernel ends it */
    COLONY_STAGE_SIZE = COLONY_CHILD_FDS_MAX + 2,
    COLONY_STAGE_WATCH = COLONY_CHILD_FDS_MAX,      /* in a stage: the read end of its pipe */
    COLONY_STAGE_CGROUP = COLONY_CHILD_FDS_MAX + 1, /* in a stage: the cgroup to be entered */
};

/* In memory that keeper and child share whether or not they share all of it. */
struct colony_child {
    const struct colony_spawn_plan *plan;
    const int *fds;         /* those from 0 on are staged at @stage + i */
    int first_foreign_fd;   /* the keeper's, which must not reach its program */
    int stage;              /* the first of its staged descriptors */
    bool enters_cgroup;     /* by itself: it was not born there */
    atomic_int step;        /* enum colony_spawn_step: where it is, or where it failed */
    atomic_int error;       /* negative errno, before it ends */
    atomic_bool is_watched; /* from now on its pipe tells when it runs its program or has ended */
};

/* The child's first function (clone(2)); @data is its struct colony_child. Does not return. */
int colony_child_run(void *data);

#endif
