/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawner.h - threads that spawn, so that one stuck in a hung folder holds up nobody.
 *
 * vfork semantics stop the calling thread until exec, so spawning is done by a thread of its own.
 * When the one at work is stuck, another takes over the queue (at most SPAWNER_THREADS_MAX).
 * Jobs are done in order otherwise. libc only.
 */
#ifndef COLONY_CORE_SPAWNER_H
#define COLONY_CORE_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"
#include "core/spawn.h"

enum {
    SPAWNER_THREADS_MAX = 256,
    SPAWNER_STUCK_MS = 100,
    SPAWNER_LATE_MS = 5500, /* by then the kernel's timer has ended all that can be ended */
};

struct colony_spawner;

struct colony_spawn_job {
    struct colony_spawn_job *next;
    uint32_t index; /* of the record */
    pid_t *pid;     /* in the record; the kernel writes it */
    struct colony_spawn_plan plan;
    int fds[COLONY_CHILD_FDS_MAX];      /* as descriptor i of the child; -1: closed; borrowed */
    int passed[COLONY_MESSAGE_FDS_MAX]; /* owned by the job; -1 */
    int ends[COLONY_STREAMS_MAX];       /* the child's, of new pipes; owned by the job; -1 */
    int cgroup_fd;                      /* owned by the job; -1 */
    uint64_t since_ms;                  /* when it was begun */
    bool is_late;                       /* its failure is told: its child cannot even be killed */
    struct colony_spawn_result result;
};

/* *event_fd becomes readable when jobs are done; it stays the spawner's. Negative errno. */
int colony_spawner_new(struct colony_spawner **out, int *event_fd);

/* Takes ownership of @job, which comes back from colony_spawner_take_done. */
void colony_spawner_submit(struct colony_spawner *spawner, struct colony_spawn_job *job);

/* All done jobs as a list in order; the caller frees them with colony_spawn_job_free. */
struct colony_spawn_job *colony_spawner_take_done(struct colony_spawner *spawner);
void colony_spawn_job_free(struct colony_spawn_job *job);

/*
 * The next job whose child hangs in the kernel where SIGKILL does not reach it; NULL: no more. It
 * stays the spawner's, and comes back as done should the child ever end.
 */
struct colony_spawn_job *colony_spawner_next_late(struct colony_spawner *spawner);

/* True while a child is between clone and exec. */
bool colony_spawner_is_at_work(struct colony_spawner *spawner);

/*
 * Milliseconds until queue and late jobs should be looked at again (-1: never): call when it is
 * over. It then starts another thread if the one at work is stuck.
 */
int colony_spawner_check(struct colony_spawner *spawner);

#endif
