/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawner.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct colony_spawner {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct colony_spawn_job *queue;
    struct colony_spawn_job **queue_end;
    struct colony_spawn_job *done;
    struct colony_spawn_job **done_end;
    struct colony_spawn_job *running;
    struct colony_spawn_job *current; /* what the newest thread is at work on */
    unsigned idle;
    unsigned threads;
    int event_fd;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct colony_spawn_job *take_job(struct colony_spawner *spawner)
{
    struct colony_spawn_job *job;

    while (!spawner->queue) {
        spawner->idle++;
        (void)pthread_cond_wait(&spawner->filled, &spawner->lock);
        spawner->idle--;
    }
    job = spawner->queue;
    spawner->queue = job->next;
    if (!spawner->queue)
        spawner->queue_end = &spawner->queue;
    job->next = spawner->running;
    spawner->running = job;
    spawner->current = job;
    job->since_ms = now_ms();
    return job;
}

/* Jobs that run at once are few: one, and those that are stuck. */
static void take_from_running(struct colony_spawner *spawner, const struct colony_spawn_job *job)
{
    struct colony_spawn_job **link = &spawner->running;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
}

static void put_done(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    const uint64_t one = 1;
    bool first = !spawner->done;

    if (spawner->current == job)
        spawner->current = NULL;
    take_from_running(spawner, job);
    job->next = NULL;
    *spawner->done_end = job;
    spawner->done_end = &job->next;
    if (first && write(spawner->event_fd, &one, sizeof one) < 0)
        return; /* the counter cannot overflow: it is read to zero each time */
}

static void *run_thread(void *data)
{
    struct colony_spawner *spawner = data;

    (void)pthread_mutex_lock(&spawner->lock);
    for (;;) {
        struct colony_spawn_job *job = take_job(spawner);
        bool was_stuck;

        (void)pthread_mutex_unlock(&spawner->lock);
        colony_spawn(&job->plan, job->fds, job->cgroup_fd, job->pid, &job->result);
        (void)pthread_mutex_lock(&spawner->lock);
        was_stuck = spawner->current != job;
        if (!was_stuck)
            colony_spawn_release_fds();
        put_done(spawner, job);
        if (was_stuck)
            break; /* another thread has taken the queue over: only one may stage descriptors */
    }
    spawner->threads--;
    (void)pthread_mutex_unlock(&spawner->lock);
    return NULL;
}

static int start_thread(struct colony_spawner *spawner)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, 256 << 10);
    rc = pthread_create(&thread, &attributes, run_thread, spawner);
    (void)pthread_attr_destroy(&attributes);
    if (rc == 0)
        spawner->threads++;
    return -rc;
}

int colony_spawner_new(struct colony_spawner **out, int *event_fd)
{
    struct colony_spawner *spawner = calloc(1, sizeof *spawner);
    int rc;

    if (!spawner)
        return -ENOMEM;
    spawner->queue_end = &spawner->queue;
    spawner->done_end = &spawner->done;
    spawner->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (spawner->event_fd < 0) {
        rc = -errno;
        free(spawner);
        return rc;
    }
    (void)pthread_mutex_init(&spawner->lock, NULL);
    (void)pthread_cond_init(&spawner->filled, NULL);
    rc = start_thread(spawner);
    if (rc < 0) {
        (void)close(spawner->event_fd);
        free(spawner);
        return rc;
    }
    *event_fd = spawner->event_fd;
    *out = spawner;
    return 0;
}

void colony_spawner_submit(struct colony_spawner *spawner, struct colony_spawn_job *job)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&spawner->lock);
    *spawner->queue_end = job;
    spawner->queue_end = &job->next;
    if (spawner->idle > 0)
        (void)pthread_cond_signal(&spawner->filled);
    (void)pthread_mutex_unlock(&spawner->lock);
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

/* Its descriptors are staged in numbers that all threads share until its child has cut itself off.
 */
static bool is_stuck(const struct colony_spawner *spawner, uint64_t now)
{
    return spawner->current && spawner->current->result.step > STEP_DESCRIPTORS &&
           now - spawner->current->since_ms >= SPAWNER_STUCK_MS;
}

struct colony_spawn_job *colony_spawner_next_late(struct colony_spawner *spawner)
{
    struct colony_spawn_job *found = NULL;

    (void)pthread_mutex_lock(&spawner->lock);
    for (struct colony_spawn_job *job = spawner->running; job && !found; job = job->next)
        if (!job->is_late && now_ms() - job->since_ms >= SPAWNER_LATE_MS)
            found = job;
    if (found)
        found->is_late = true;
    (void)pthread_mutex_unlock(&spawner->lock);
    return found;
}

bool colony_spawner_is_at_work(struct colony_spawner *spawner)
{
    bool is_at_work;

    (void)pthread_mutex_lock(&spawner->lock);
    is_at_work = spawner->running != NULL;
    (void)pthread_mutex_unlock(&spawner->lock);
    return is_at_work;
}

/* Until the oldest running job is late; -1: none can be. */
static int until_late(const struct colony_spawner *spawner, uint64_t now)
{
    int wait_ms = -1;

    for (const struct colony_spawn_job *job = spawner->running; job; job = job->next) {
        uint64_t at = job->since_ms + SPAWNER_LATE_MS;
        int left = at > now ? (int)(at - now) : 0;

        if (!job->is_late && (wait_ms < 0 || left < wait_ms))
            wait_ms = left;
    }
    return wait_ms;
}

int colony_spawner_check(struct colony_spawner *spawner)
{
    uint64_t now = now_ms();
    int wait_ms;

    (void)pthread_mutex_lock(&spawner->lock);
    wait_ms = until_late(spawner, now);
    if (spawner->queue) {
        wait_ms = SPAWNER_STUCK_MS;
        if (is_stuck(spawner, now) && spawner->threads < SPAWNER_THREADS_MAX &&
            start_thread(spawner) == 0)
            spawner->current = NULL; /* the stuck one ends when it comes back */
    }
    (void)pthread_mutex_unlock(&spawner->lock);
    return wait_ms;
}
