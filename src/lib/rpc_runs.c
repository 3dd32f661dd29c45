/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_runs.c - the program's own work, on threads that are woken when the daemon is to stop. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rpc_internal.h"

int colony_rpc_add_run(struct colony_rpc_daemon *daemon,
                       void (*run)(struct colony_rpc_daemon *daemon, void *data), void *data,
                       struct colony_error *err)
{
    struct colony__rpcd_run **end = &daemon->runs;
    struct colony__rpcd_run *added;
    int rc = colony__rpcd_check_idle(daemon, err);

    if (rc < 0)
        return rc;
    added = calloc(1, sizeof *added);
    if (!added)
        return colony_fail_os(err, -ENOMEM, "cannot add a run function");
    added->daemon = daemon;
    added->run = run;
    added->data = data;
    while (*end)
        end = &(*end)->next;
    *end = added;
    return 0;
}

static void *call_run(void *arg)
{
    struct colony__rpcd_run *run = arg;
    struct colony_rpc_daemon *daemon = run->daemon;

    (void)pthread_sigmask(SIG_SETMASK, &daemon->mask, NULL);
    run->run(daemon, run->data);
    (void)pthread_mutex_lock(&daemon->lock);
    run->has_returned = true;
    (void)uv_async_send(&daemon->async);
    (void)pthread_mutex_unlock(&daemon->lock);
    return NULL;
}

int colony__rpcd_begin_runs(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    for (struct colony__rpcd_run *run = daemon->runs; run; run = run->next) {
        int rc = -pthread_create(&run->thread, NULL, call_run, run);

        if (rc < 0)
            return colony_fail_os(err, rc, "cannot start a thread of %s", daemon->name);
        run->is_started = true;
        daemon->runs_left++;
    }
    return 0;
}

void colony__rpcd_join_runs(struct colony_rpc_daemon *daemon)
{
    bool had_runs = daemon->runs_left > 0;

    for (struct colony__rpcd_run *run = daemon->runs; run; run = run->next) {
        bool has_returned;

        (void)pthread_mutex_lock(&daemon->lock);
        has_returned = run->is_started && run->has_returned;
        (void)pthread_mutex_unlock(&daemon->lock);
        if (!has_returned)
            continue;
        (void)pthread_join(run->thread, NULL);
        run->is_started = false;
        daemon->runs_left--;
    }
    if (had_runs && daemon->runs_left == 0)
        colony_rpc_stop(daemon);
}

void colony__rpcd_free_runs(struct colony_rpc_daemon *daemon)
{
    while (daemon->runs) {
        struct colony__rpcd_run *run = daemon->runs;

        daemon->runs = run->next;
        free(run);
    }
}

bool colony_rpc_running(const struct colony_rpc_daemon *daemon)
{
    return !atomic_load(&daemon->is_stopping);
}

bool colony_rpc_sleep(struct colony_rpc_daemon *daemon, uint64_t ms)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    if (ms > UINT32_MAX)
        ms = UINT32_MAX; /* a time_t has room for it */
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&daemon->lock);
    while (rc == 0 && colony_rpc_running(daemon))
        rc = pthread_cond_timedwait(&daemon->changed, &daemon->lock, &until);
    (void)pthread_mutex_unlock(&daemon->lock);
    return colony_rpc_running(daemon);
}
