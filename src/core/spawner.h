/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawner.h - children on their way to their programs, as many at once as there are.
 *
 * The loop never waits for one: a child in a hung folder holds up nobody else. libc only.
 */
#ifndef COLONY_CORE_SPAWNER_H
#define COLONY_CORE_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"
#include "core/spawn.h"

enum {
    SPAWNER_FLIGHTS_MAX = 256, /* on their way at once; who comes after them waits */
    SPAWNER_LATE_MS = 5500,    /* by then the kernel's timer has ended all that can be ended */
};

struct colony_spawner;

struct colony_spawn_job {
    struct colony_spawn_job *next;
    struct colony_spawn_job *previous;
    uint32_t index; /* of the record */
    pid_t *pid;     /* in the record; the kernel writes it */
    struct colony_spawn_plan plan;
    int fds[COLONY_CHILD_FDS_MAX];      /* as descriptor i of the child; -1: closed; borrowed */
    int passed[COLONY_MESSAGE_FDS_MAX]; /* owned by the job; -1 */
    int ends[COLONY_STREAMS_MAX];       /* the child's, of new pipes; owned by the job; -1 */
    int cgroup_fd;                      /* owned by the job; -1 */
    bool is_late;                       /* its failure is told: its child cannot even be killed */
    uint32_t number;                    /* of its flight; this and what follows: the spawner's */
    int stage;                          /* where its descriptors wait for it; -1 */
    uint64_t since_ms;                  /* when it was begun */
    struct colony_spawn_result result;
};

/*
 * Its pipes are watched with @epoll_fd, which is borrowed; the data of their events is @source with
 * the number for colony_spawner_take_landed() in the lower half. Negative errno.
 */
int colony_spawner_new(struct colony_spawner **out, int epoll_fd, uint64_t source);
/* With none on its way. */
void colony_spawner_free(struct colony_spawner *spawner);

/* Milliseconds until the next can begin, 0: now; -1: one of those on their way must end first. */
int colony_spawner_until_room(struct colony_spawner *spawner);

/*
 * Begins a job; there must be room. With a pidfd in its result it is on its way, and the spawner's
 * until colony_spawner_finish(); else it has failed.
 */
void colony_spawner_begin(struct colony_spawner *spawner, struct colony_spawn_job *job);
/* An event: the job whose child runs its program now (is_late: has ended). NULL: none does. */
struct colony_spawn_job *colony_spawner_take_landed(struct colony_spawner *spawner,
                                                    uint32_t number);
/* The child is at its program or has ended: completes job->result; the job is the caller's. */
void colony_spawner_finish(struct colony_spawner *spawner, struct colony_spawn_job *job);
void colony_spawn_job_free(struct colony_spawn_job *job);

/*
 * The next job whose child hangs in the kernel where SIGKILL does not reach it; NULL: no more. It
 * stays on its way, and lands should the child ever end.
 */
struct colony_spawn_job *colony_spawner_next_late(struct colony_spawner *spawner);
/* Milliseconds until colony_spawner_next_late may find one; -1: none can be late. */
int colony_spawner_until_late(const struct colony_spawner *spawner);

#endif
