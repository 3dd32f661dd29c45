/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    FLIGHTS_KEPT = 8, /* idle ones */
    STAGE_MS = 1,     /* then a child has surely taken its descriptors, unless the CPU is lacking */
};

struct colony_spawner {
    int epoll_fd;
    uint64_t source;
    struct colony_spawn_job *staged[COLONY_STAGES_MAX]; /* whose descriptors are there; NULL */
    struct colony_spawn_job *oldest; /* those on their way that may become late, by age */
    struct colony_spawn_job *youngest;
    struct colony_flight *flights[SPAWNER_FLIGHTS_MAX]; /* NULL: was not needed yet */
    struct colony_spawn_job *jobs[SPAWNER_FLIGHTS_MAX]; /* NULL: the flight is idle */
    uint32_t idle[SPAWNER_FLIGHTS_MAX];                 /* a stack of their numbers */
    uint32_t idle_count;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int colony_spawner_new(struct colony_spawner **out, int epoll_fd, uint64_t source)
{
    struct colony_spawner *spawner = calloc(1, sizeof *spawner);

    if (!spawner)
        return -ENOMEM;
    spawner->epoll_fd = epoll_fd;
    spawner->source = source;
    while (spawner->idle_count < SPAWNER_FLIGHTS_MAX) {
        spawner->idle[spawner->idle_count] = SPAWNER_FLIGHTS_MAX - 1 - spawner->idle_count;
        spawner->idle_count++;
    }
    *out = spawner;
    return 0;
}

void colony_spawner_free(struct colony_spawner *spawner)
{
    if (!spawner)
        return;
    for (size_t i = 0; i < SPAWNER_FLIGHTS_MAX; i++)
        colony_flight_free(spawner->flights[i]);
    free(spawner);
}

/* Stages. */

static void leave_stage(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    if (job->stage < 0)
        return;
    colony_spawn_clear_stage(job->stage, job->fds);
    spawner->staged[job->stage] = NULL;
    job->stage = -1;
}

/* One that can be used; -1. */
static int find_stage(const struct colony_spawner *spawner)
{
    for (int i = 0; i < colony_spawn_stages(); i++) {
        const struct colony_spawn_job *job = spawner->staged[i];

        if (!job || colony_spawn_has_taken_fds(spawner->flights[job->number]))
            return i;
    }
    return -1;
}

static void enter_stage(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    int stage = find_stage(spawner);

    if (spawner->staged[stage])
        leave_stage(spawner, spawner->staged[stage]);
    spawner->staged[stage] = job;
    job->stage = stage;
}

int colony_spawner_until_room(struct colony_spawner *spawner)
{
    if (spawner->idle_count == 0)
        return -1;
    return find_stage(spawner) >= 0 ? 0 : STAGE_MS;
}

/* Jobs by age. */

static void add_youngest(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    job->next = NULL;
    job->previous = spawner->youngest;
    if (job->previous)
        job->previous->next = job;
    else
        spawner->oldest = job;
    spawner->youngest = job;
}

static void remove_aging(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        spawner->oldest = job->next;
    if (job->next)
        job->next->previous = job->previous;
    else
        spawner->youngest = job->previous;
    job->next = job->previous = NULL;
}

static bool is_overdue(const struct colony_spawn_job *job)
{
    return now_ms() - job->since_ms >= SPAWNER_LATE_MS;
}

struct colony_spawn_job *colony_spawner_next_late(struct colony_spawner *spawner)
{
    struct colony_spawn_job *job = spawner->oldest;

    if (!job || !is_overdue(job))
        return NULL;
    if (colony_spawn_look(spawner->flights[job->number]) == FLIGHT_LANDED)
        return NULL; /* we were stopped meanwhile: what is to be read next says so */
    remove_aging(spawner, job);
    job->is_late = true;
    job->result.step = colony_spawn_step_of(spawner->flights[job->number]);
    return job;
}

int colony_spawner_until_late(const struct colony_spawner *spawner)
{
    const struct colony_spawn_job *job = spawner->oldest;

    if (!job)
        return -1;
    return is_overdue(job) ? 0 : (int)(job->since_ms + SPAWNER_LATE_MS - now_ms());
}

/* From begin to finish. */

/* Makes the flight at @number, if there is none yet. */
static int open_flight(struct colony_spawner *spawner, uint32_t number)
{
    struct epoll_event event = {.events = EPOLLET, .data.u64 = spawner->source | number};
    struct colony_flight *flight;
    int rc;

    if (spawner->flights[number])
        return 0;
    rc = colony_flight_new(&flight);
    if (rc < 0)
        return rc;
    if (epoll_ctl(spawner->epoll_fd, EPOLL_CTL_ADD, colony_flight_fd(flight), &event) < 0) {
        rc = -errno;
        colony_flight_free(flight);
        return rc;
    }
    spawner->flights[number] = flight;
    return 0;
}

static void release_flight(struct colony_spawner *spawner, uint32_t number)
{
    spawner->jobs[number] = NULL;
    spawner->idle[spawner->idle_count++] = number;
    if (number < FLIGHTS_KEPT)
        return;
    colony_flight_free(spawner->flights[number]);
    spawner->flights[number] = NULL;
}

void colony_spawner_begin(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    uint32_t number = spawner->idle[--spawner->idle_count];
    int rc = open_flight(spawner, number);

    job->stage = -1;
    job->result = (struct colony_spawn_result){.pidfd = -1, .step = STEP_PREPARE, .error = rc};
    if (rc == 0) {
        job->number = number;
        job->since_ms = now_ms();
        enter_stage(spawner, job);
        spawner->jobs[number] = job;
        colony_spawn_begin(
            spawner->flights[number],
            &(struct colony_spawn_task){&job->plan, job->fds, job->stage, job->cgroup_fd, job->pid},
            &job->result);
        if (job->result.pidfd >= 0) {
            add_youngest(spawner, job);
            return;
        }
        leave_stage(spawner, job);
    }
    release_flight(spawner, number);
}

struct colony_spawn_job *colony_spawner_take_landed(struct colony_spawner *spawner, uint32_t number)
{
    struct colony_spawn_job *job = number < SPAWNER_FLIGHTS_MAX ? spawner->jobs[number] : NULL;
    enum colony_flight_state state =
        job ? colony_spawn_look(spawner->flights[number]) : FLIGHT_GOES_ON;

    return state == FLIGHT_LANDED || (state == FLIGHT_FAILED && job->is_late) ? job : NULL;
}

void colony_spawner_finish(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    colony_spawn_end(spawner->flights[job->number], &job->result);
    leave_stage(spawner, job);
    if (!job->is_late)
        remove_aging(spawner, job);
    release_flight(spawner, job->number);
}

void colony_spawn_job_free(struct colony_spawn_job *job)
{
    for (size_t i = 0; i < COLONY_MESSAGE_FDS_MAX; i++)
        if (job->passed[i] >= 0)
            (void)close(job->passed[i]);
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        if (job->ends[i] >= 0)
            (void)close(job->ends[i]);
    if (job->cgroup_fd >= 0)
        (void)close(job->cgroup_fd);
    colony_spawn_plan_clear(&job->plan);
    free(job);
}
