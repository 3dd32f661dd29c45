/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_worker.c - a thread that does what the loop asks it for, one thing at a time. */
#include "core/error.h"
#include "lib/daemon_internal.h"

static bool wait_for_task(struct colony__worker *worker)
{
    struct colony_daemon *daemon = worker->daemon;
    bool has_task;

    colony__daemon_lock(daemon);
    while (worker->state != WORK_ASKED && !daemon->is_ending)
        (void)pthread_cond_wait(&daemon->turn, &daemon->lock);
    has_task = worker->state == WORK_ASKED && !daemon->is_ending;
    colony__daemon_unlock(daemon);
    return has_task;
}

static void *run_worker(void *data)
{
    struct colony__worker *worker = data;

    colony__daemon_label_thread(worker->label);
    while (wait_for_task(worker)) {
        worker->work(worker);
        colony__daemon_lock(worker->daemon);
        worker->state = WORK_DONE;
        colony__daemon_unlock(worker->daemon);
        colony__daemon_wake_loop(worker->daemon);
    }
    return NULL;
}

int colony__worker_ask(struct colony__worker *worker, void *task, struct colony_error *err)
{
    int rc = worker->is_started ? 0 : pthread_create(&worker->thread, NULL, run_worker, worker);

    if (rc != 0)
        return colony_fail_os(err, -rc, "cannot start a thread");
    worker->is_started = true;
    worker->task = task;
    colony__daemon_lock(worker->daemon);
    worker->state = WORK_ASKED;
    (void)pthread_cond_broadcast(&worker->daemon->turn);
    colony__daemon_unlock(worker->daemon);
    return 0;
}

void colony__worker_look(struct colony__worker *worker)
{
    bool is_done;

    colony__daemon_lock(worker->daemon);
    is_done = worker->state == WORK_DONE;
    if (is_done)
        worker->state = WORK_NONE;
    colony__daemon_unlock(worker->daemon);
    if (is_done)
        worker->done(worker);
}

void colony__worker_end(struct colony__worker *worker)
{
    colony__daemon_lock(worker->daemon);
    worker->daemon->is_ending = true;
    (void)pthread_cond_broadcast(&worker->daemon->turn);
    colony__daemon_unlock(worker->daemon);
    if (!worker->is_started)
        return;
    (void)pthread_join(worker->thread, NULL);
    worker->is_started = false;
    if (worker->state == WORK_NONE)
        return;
    worker->state = WORK_NONE;
    worker->done(worker); /* what nobody waits for any more */
}
