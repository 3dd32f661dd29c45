/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_workers.c - functions of the program's are called: by the loop, or by one of a few threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/json_print.h"
#include "core/value.h"
#include "rpc_internal.h"

static void push(struct colony__rpcd_queue *queue, struct colony__rpcd_job *job)
{
    job->next = NULL;
    if (queue->last)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
    queue->count++;
}

/* NULL: it is empty. */
static struct colony__rpcd_job *pop(struct colony__rpcd_queue *queue)
{
    struct colony__rpcd_job *job = queue->first;

    if (!job)
        return NULL;
    queue->first = job->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    return job;
}

struct colony__rpcd_job *colony__rpcd_make_job(enum colony__rpcd_job_kind kind,
                                               struct colony__rpcd_member *member,
                                               const char *given)
{
    struct colony__rpcd_job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    job->kind = kind;
    job->member = member;
    job->given = given ? strdup(given) : NULL;
    if (!given || job->given)
        return job;
    free(job);
    return NULL;
}

void colony__rpcd_free_job(struct colony__rpcd_job *job)
{
    free(job->given);
    free(job->result);
    free(job);
}

/* --- carrying out ------------------------------------------------------------------------------
 */

/* What a program made may be no JSON: a text that is no UTF-8, too many lists in each other. */
static void take_result(struct colony__rpcd_job *job, const cJSON *result)
{
    struct colony_value *value = NULL;
    struct colony_error err = {0};
    char *text = result ? colony_json_print(result) : NULL;

    if (!result)
        return; /* null */
    job->rc = text ? colony_value_parse_json(&value, text, strlen(text), &err) : -ENOMEM;
    colony_value_free(value);
    if (job->rc == 0) {
        job->result = text;
        return;
    }
    free(text);
    if (job->rc != -ENOMEM)
        job->rc = colony_rpc_throw(&job->error, -EIO, NULL, "cannot answer: %s", err.message);
}

static int call_function(struct colony__rpcd_job *job, const cJSON *given, cJSON **result)
{
    const struct colony__rpcd_member *member = job->member;

    switch (job->kind) {
    case RPCD_CALL:
        return member->method.call(given, result, &job->error, member->data);
    case RPCD_GET:
        return member->attribute.get(result, &job->error, member->data);
    case RPCD_SET:
        return member->attribute.set(given, &job->error, member->data);
    }
    return -EINVAL;
}

static void carry_out(struct colony__rpcd_job *job)
{
    cJSON *given = job->given ? cJSON_Parse(job->given) : NULL;
    cJSON *result = NULL;

    job->rc = job->given && !given ? -ENOMEM : call_function(job, given, &result);
    if (job->rc >= 0)
        take_result(job, result);
    cJSON_Delete(result);
    cJSON_Delete(given);
}

/* --- the threads -------------------------------------------------------------------------------
 */

static void *work(void *arg)
{
    struct colony_rpc_daemon *daemon = arg;
    struct colony__rpcd_workers *workers = &daemon->workers;
    struct colony__rpcd_job *job;

    (void)pthread_sigmask(SIG_SETMASK, &daemon->mask, NULL);
    (void)pthread_mutex_lock(&daemon->lock);
    for (;;) {
        while (!workers->queue.first && !workers->is_ending)
            (void)pthread_cond_wait(&workers->has_jobs, &daemon->lock);
        job = pop(&workers->queue);
        if (!job)
            break;
        workers->busy++;
        (void)pthread_mutex_unlock(&daemon->lock);
        carry_out(job);
        (void)pthread_mutex_lock(&daemon->lock);
        workers->busy--;
        push(&workers->done, job);
        (void)uv_async_send(&daemon->async);
    }
    (void)pthread_mutex_unlock(&daemon->lock);
    return NULL;
}

int colony__rpcd_begin_workers(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    struct colony__rpcd_workers *workers = &daemon->workers;
    int rc = 0;

    workers->threads = calloc(workers->wanted, sizeof *workers->threads);
    if (!workers->threads)
        return colony_fail_os(err, -ENOMEM, "cannot start %s", daemon->name);
    while (rc == 0 && workers->count < workers->wanted) {
        rc = -pthread_create(&workers->threads[workers->count], NULL, work, daemon);
        workers->count += rc == 0;
    }
    return rc < 0 ? colony_fail_os(err, rc, "cannot start a worker of %s", daemon->name) : 0;
}

void colony__rpcd_end_workers(struct colony_rpc_daemon *daemon)
{
    struct colony__rpcd_workers *workers = &daemon->workers;

    (void)pthread_mutex_lock(&daemon->lock);
    workers->is_ending = true;
    (void)pthread_cond_broadcast(&workers->has_jobs);
    (void)pthread_mutex_unlock(&daemon->lock);
    while (workers->count > 0)
        (void)pthread_join(workers->threads[--workers->count], NULL);
    free(workers->threads);
    workers->threads = NULL;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static void finish(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job)
{
    job->done(daemon, job);
    colony__rpcd_free_job(job);
}

/* Takes those out of the queue whose clients are gone; under the lock. */
static void sort_out(struct colony__rpcd_queue *queue, struct colony__rpcd_queue *unwanted)
{
    struct colony__rpcd_queue all = *queue;
    struct colony__rpcd_job *job;

    *queue = (struct colony__rpcd_queue){0};
    while ((job = pop(&all)))
        push(job->call && !colony_rpc_call_is_wanted(job->call) ? unwanted : queue, job);
}

/* Nobody hears it. */
static void drop(struct colony_rpc_daemon *daemon, struct colony__rpcd_queue *unwanted)
{
    struct colony__rpcd_job *job;

    while ((job = pop(unwanted))) {
        daemon->workers.under_way--;
        colony_rpc_refuse(job->call, "cannot do this: whoever asked for it is gone");
        colony__rpcd_free_job(job);
    }
}

/* What a worker that has nothing to do will take does not wait. */
static bool is_full(const struct colony__rpcd_workers *workers)
{
    return workers->queue.count >= (size_t)workers->waiting_max + workers->wanted - workers->busy;
}

static bool queue_up(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job)
{
    struct colony__rpcd_workers *workers = &daemon->workers;
    struct colony__rpcd_queue unwanted = {0};
    bool has_room;

    (void)pthread_mutex_lock(&daemon->lock);
    if (is_full(workers))
        sort_out(&workers->queue, &unwanted);
    has_room = !job->call || !is_full(workers);
    if (has_room) {
        push(&workers->queue, job);
        (void)pthread_cond_signal(&workers->has_jobs);
    }
    (void)pthread_mutex_unlock(&daemon->lock);
    workers->under_way += has_room;
    drop(daemon, &unwanted);
    return has_room;
}

bool colony__rpcd_submit(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job)
{
    if (!(job->member->flags & COLONY_RPC_ON_LOOP))
        return queue_up(daemon, job);
    carry_out(job);
    finish(daemon, job);
    return true;
}

void colony__rpcd_take_done(struct colony_rpc_daemon *daemon)
{
    struct colony__rpcd_queue done;
    struct colony__rpcd_job *job;

    (void)pthread_mutex_lock(&daemon->lock);
    done = daemon->workers.done;
    daemon->workers.done = (struct colony__rpcd_queue){0};
    (void)pthread_mutex_unlock(&daemon->lock);
    while ((job = pop(&done))) {
        daemon->workers.under_way--;
        finish(daemon, job);
    }
}
