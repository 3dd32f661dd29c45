/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawner.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 256 << 10,
    STAGING_MS = 10, /* until a child has surely left the numbers that all threads share */
};

struct colony_spawner {
    colony_spawner_lead_cb lead;
    void *data;
    pthread_mutex_t lock;             /* of all below */
    struct colony_spawn_job *current; /* the leader's */
    struct colony_spawn_job *stuck;   /* those of former leaders */
    struct colony_spawn_job *done;
    struct colony_spawn_job **done_end;
    unsigned waiting; /* threads that would lead */
    unsigned threads;
    pthread_t first; /* it must not end: with it the process would look ended */
    int timer_fd;    /* runs while the leader spawns */
    int event_fd;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_timer(const struct colony_spawner *spawner, unsigned in_ms)
{
    struct itimerspec when = {.it_value = {.tv_nsec = (long)in_ms * 1000000}};

    (void)timerfd_settime(spawner->timer_fd, 0, &when, NULL);
}

static void take_from_stuck(struct colony_spawner *spawner, const struct colony_spawn_job *job)
{
    struct colony_spawn_job **link = &spawner->stuck;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
}

static void put_done(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    const uint64_t one = 1;

    take_from_stuck(spawner, job);
    job->next = NULL;
    *spawner->done_end = job;
    spawner->done_end = &job->next;
    if (write(spawner->event_fd, &one, sizeof one) < 0)
        return; /* the counter cannot overflow: it is read to zero each time */
}

bool colony_spawner_run(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    bool still_leads;

    job->since_ms = now_ms();
    (void)pthread_mutex_lock(&spawner->lock);
    spawner->current = job;
    (void)pthread_mutex_unlock(&spawner->lock);
    set_timer(spawner, SPAWNER_STUCK_MS);
    colony_spawn(&job->plan, job->fds, job->cgroup_fd, job->pid, &job->result);
    (void)pthread_mutex_lock(&spawner->lock);
    still_leads = spawner->current == job;
    if (still_leads)
        spawner->current = NULL;
    else
        put_done(spawner, job);
    (void)pthread_mutex_unlock(&spawner->lock);
    if (!still_leads)
        return false;
    set_timer(spawner, 0);
    colony_spawn_release_fds(job->fds);
    return true;
}

/*
 * With the lock held. Descriptors are staged in numbers that all threads share until the child has
 * cut itself off: before that nobody else may spawn.
 */
static bool take_lead(struct colony_spawner *spawner)
{
    struct colony_spawn_job *job = spawner->current;

    if (!job || now_ms() - job->since_ms < SPAWNER_STUCK_MS)
        return false;
    if (job->result.step <= STEP_DESCRIPTORS) {
        set_timer(spawner, STAGING_MS);
        return false;
    }
    job->next = spawner->stuck;
    spawner->stuck = job;
    spawner->current = NULL;
    return true;
}

static void wait_for_lead(struct colony_spawner *spawner)
{
    uint64_t count;
    bool leads = false;

    while (!leads) {
        if (read(spawner->timer_fd, &count, sizeof count) < 0)
            continue; /* EINTR: nothing else can be */
        (void)pthread_mutex_lock(&spawner->lock);
        leads = take_lead(spawner);
        spawner->waiting -= leads;
        (void)pthread_mutex_unlock(&spawner->lock);
    }
}

static int start_thread(struct colony_spawner *spawner);

/* Whoever leads has somebody behind, if that can be. */
static void keep_one_waiting(struct colony_spawner *spawner)
{
    (void)pthread_mutex_lock(&spawner->lock);
    if (spawner->waiting == 0 && spawner->threads < SPAWNER_THREADS_MAX)
        (void)start_thread(spawner);
    (void)pthread_mutex_unlock(&spawner->lock);
}

/* A former leader waits for its turn again, unless somebody else does. */
static bool joins_the_waiting(struct colony_spawner *spawner)
{
    bool joins;

    (void)pthread_mutex_lock(&spawner->lock);
    joins = spawner->waiting == 0 || pthread_equal(pthread_self(), spawner->first);
    if (joins)
        spawner->waiting++;
    else
        spawner->threads--;
    (void)pthread_mutex_unlock(&spawner->lock);
    return joins;
}

static void *run_thread(void *data)
{
    struct colony_spawner *spawner = data;

    do {
        wait_for_lead(spawner);
        keep_one_waiting(spawner);
        spawner->lead(spawner->data);
    } while (joins_the_waiting(spawner));
    return NULL;
}

void colony_spawner_lead(struct colony_spawner *spawner)
{
    spawner->first = pthread_self();
    spawner->lead(spawner->data);
    (void)joins_the_waiting(spawner);
    for (;;)
        (void)run_thread(spawner);
}

/* With the lock held, or before there are others. It is counted as waiting from now on. */
static int start_thread(struct colony_spawner *spawner)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    rc = pthread_create(&thread, &attributes, run_thread, spawner);
    (void)pthread_attr_destroy(&attributes);
    if (rc == 0) {
        spawner->threads++;
        spawner->waiting++;
    }
    return -rc;
}

static int open_fds(struct colony_spawner *spawner)
{
    spawner->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (spawner->event_fd < 0)
        return -errno;
    spawner->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return spawner->timer_fd < 0 ? -errno : 0;
}

int colony_spawner_new(struct colony_spawner **out, int *event_fd, colony_spawner_lead_cb lead,
                       void *data)
{
    struct colony_spawner *spawner = calloc(1, sizeof *spawner);
    int rc;

    if (!spawner)
        return -ENOMEM;
    spawner->lead = lead;
    spawner->data = data;
    spawner->done_end = &spawner->done;
    spawner->event_fd = -1;
    spawner->timer_fd = -1;
    (void)pthread_mutex_init(&spawner->lock, NULL);
    rc = open_fds(spawner);
    if (rc == 0)
        rc = start_thread(spawner);
    if (rc < 0) {
        if (spawner->timer_fd >= 0)
            (void)close(spawner->timer_fd);
        if (spawner->event_fd >= 0)
            (void)close(spawner->event_fd);
        free(spawner);
        return rc;
    }
    *event_fd = spawner->event_fd;
    *out = spawner;
    return 0;
}

struct colony_spawn_job *colony_spawner_take_done(struct colony_spawner *spawner)
{
    struct colony_spawn_job *jobs;
    uint64_t count;

    (void)pthread_mutex_lock(&spawner->lock);
    if (read(spawner->event_fd, &count, sizeof count) < 0)
        count = 0; /* none was announced since */
    jobs = spawner->done;
    spawner->done = NULL;
    spawner->done_end = &spawner->done;
    (void)pthread_mutex_unlock(&spawner->lock);
    return jobs;
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

struct colony_spawn_job *colony_spawner_next_late(struct colony_spawner *spawner)
{
    struct colony_spawn_job *found = NULL;

    (void)pthread_mutex_lock(&spawner->lock);
    for (struct colony_spawn_job *job = spawner->stuck; job && !found; job = job->next)
        if (!job->is_late && now_ms() - job->since_ms >= SPAWNER_LATE_MS)
            found = job;
    if (found)
        found->is_late = true;
    (void)pthread_mutex_unlock(&spawner->lock);
    return found;
}

bool colony_spawner_is_stuck(struct colony_spawner *spawner)
{
    bool is_stuck;

    (void)pthread_mutex_lock(&spawner->lock);
    is_stuck = spawner->stuck != NULL;
    (void)pthread_mutex_unlock(&spawner->lock);
    return is_stuck;
}

int colony_spawner_until_late(struct colony_spawner *spawner)
{
    int wait_ms = -1;

    (void)pthread_mutex_lock(&spawner->lock);
    for (const struct colony_spawn_job *job = spawner->stuck; job; job = job->next) {
        uint64_t now = now_ms();
        uint64_t at = job->since_ms + SPAWNER_LATE_MS;
        int left = at > now ? (int)(at - now) : 0;

        if (!job->is_late && (wait_ms < 0 || left < wait_ms))
            wait_ms = left;
    }
    (void)pthread_mutex_unlock(&spawner->lock);
    return wait_ms;
}
