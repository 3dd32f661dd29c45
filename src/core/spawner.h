/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawner.h - spawning on the loop's own thread, which a child in a hung folder does not hold up.
 *
 * vfork semantics stop the calling thread until exec: almost always for less time than it would
 * take to hand the work to another thread. So whoever runs the loop (the leader) spawns, and when
 * it has been stopped for SPAWNER_STUCK_MS, a thread that did nothing but wait for that runs the
 * loop from then on. Who runs it owns all that the loop owns. libc only.
 */
#ifndef COLONY_CORE_SPAWNER_H
#define COLONY_CORE_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"
#include "core/spawn.h"

enum {
    SPAWNER_THREADS_MAX = 256, /* stuck at once; the next one that is stuck holds up the loop */
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

/* Runs the loop; returns only after colony_spawner_run has said that another thread runs it. */
typedef void (*colony_spawner_lead_cb)(void *data);

/* *event_fd becomes readable when stuck jobs have come back; it stays the spawner's. Negative
 * errno. */
int colony_spawner_new(struct colony_spawner **out, int *event_fd, colony_spawner_lead_cb lead,
                       void *data);

/* Runs the loop on the calling thread, the first to lead. Does not return. */
__attribute__((noreturn)) void colony_spawner_lead(struct colony_spawner *spawner);

/*
 * Spawns; for the leader only. True: @job is done. False: it was stuck and is the spawner's until
 * it comes back by colony_spawner_take_done; meanwhile another thread has become the leader, so
 * the caller touches nothing any more and returns from its lead callback.
 */
bool colony_spawner_run(struct colony_spawner *spawner, struct colony_spawn_job *job);

/* Those that were stuck and are done, as a list in order; the caller frees them. */
struct colony_spawn_job *colony_spawner_take_done(struct colony_spawner *spawner);
void colony_spawn_job_free(struct colony_spawn_job *job);

/*
 * The next job whose child hangs in the kernel where SIGKILL does not reach it; NULL: no more. It
 * stays the spawner's, and comes back as done should the child ever end.
 */
struct colony_spawn_job *colony_spawner_next_late(struct colony_spawner *spawner);

/* True while a child is stuck between clone and exec. */
bool colony_spawner_is_stuck(struct colony_spawner *spawner);

/* Milliseconds until colony_spawner_next_late may find one; -1: none can be late. */
int colony_spawner_until_late(struct colony_spawner *spawner);

#endif
