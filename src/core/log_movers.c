/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_movers.c - the threads that move logs: which is moved next, by whom, what when one is stuck.
 *
 * All but colony__log_move runs under the lock of the logs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <uv.h>

#include "core/logs_internal.h"

enum {
    RETRY_MS = 1000, /* a blocked log's file is tried again this often */
    EVENTS_A_TURN = 32,
    PIPE_BYTES_MAX = 1 << 20,
    LAST_TURNS = 4, /* of a log that is being closed */
};

uint64_t colony__logs_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void colony__logs_wake(const struct colony_logs *logs)
{
    const uint64_t one = 1;

    if (write(logs->wake_fd, &one, sizeof one) < 0)
        return; /* it is awake */
}

uint64_t colony__log_grow_pipe(struct colony_logs *logs, int pipe_fd, uint64_t bytes)
{
    uint64_t wanted = bytes * 4 < PIPE_BYTES_MAX ? bytes * 4 : PIPE_BYTES_MAX;
    bool granted;

    if (bytes >= PIPE_BYTES_MAX)
        return bytes;
    (void)pthread_mutex_lock(&logs->lock);
    granted = logs->pipe_budget >= wanted - bytes;
    if (granted)
        logs->pipe_budget -= wanted - bytes;
    (void)pthread_mutex_unlock(&logs->lock);
    if (!granted || fcntl(pipe_fd, F_SETPIPE_SZ, (int)wanted) < 0)
        return PIPE_BYTES_MAX; /* it stays as it is: never asked again */
    return wanted;
}

void colony__log_set_status_locked(struct colony_log *log, enum colony_log_status status)
{
    if (log->is_closing)
        return;
    if (atomic_exchange(&log->status, (int)status) == (int)status || log->is_changed)
        return;
    log->is_changed = true;
    log->changed_next = log->logs->changed;
    log->logs->changed = log;
    (void)uv_async_send(&log->logs->async);
}

/* A pipe that cannot be watched is tried again with those that wait for their file. */
void colony__log_watch_locked(struct colony_log *log)
{
    struct colony_logs *logs = log->logs;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = log};

    if (epoll_ctl(logs->epoll_fd, EPOLL_CTL_ADD, log->pipe_fd, &event) == 0 || errno == EEXIST)
        return;
    log->is_blocked = true;
    logs->blocked++;
    logs->retry_at_ms = colony__logs_now_ms() + RETRY_MS;
    colony__logs_wake(logs); /* it waits for this from now on */
}

void colony__log_unwatch(const struct colony_log *log)
{
    (void)epoll_ctl(log->logs->epoll_fd, EPOLL_CTL_DEL, log->pipe_fd, NULL);
}

static void unlink_locked(struct colony_log *log)
{
    if (log->previous)
        log->previous->next = log->next;
    else
        log->logs->all = log->next;
    if (log->next)
        log->next->previous = log->previous;
}

static void free_log_locked(struct colony_log *log)
{
    log->logs->blocked -= log->is_blocked;
    unlink_locked(log);
    (void)close(log->pipe_fd);
    if (atomic_load(&log->tee_wanted) >= 0 && atomic_load(&log->tee_wanted) != log->tee_fd)
        (void)close(atomic_load(&log->tee_wanted));
    if (log->tee_fd >= 0)
        (void)close(log->tee_fd); /* those who tap read to the end */
    if (log->file_fd >= 0)
        (void)close(log->file_fd);
    free(log);
}

/* Begins work on @log: from here on it can be found to be stalled. */
static void begin_locked(struct colony_logs *logs, struct colony_log *log)
{
    logs->busy = log;
    logs->busy_since_ms = colony__logs_now_ms();
    if (logs->watchdog_runs || logs->wants_watchdog)
        return;
    logs->wants_watchdog = true;
    (void)uv_async_send(&logs->async);
}

static bool is_queued_to_close_locked(const struct colony_log *log)
{
    for (const struct colony_log *other = log->logs->closing; other; other = other->changed_next)
        if (other == log)
            return true;
    return false;
}

/* A stalled log was left to its mover alone: now it is one of all again. */
static void rejoin_locked(struct colony_log *log)
{
    log->is_stalled = false;
    if (log->is_closing) {
        if (!is_queued_to_close_locked(log)) {
            log->changed_next = log->logs->closing;
            log->logs->closing = log;
        }
        colony__logs_wake(log->logs);
    } else if (!log->is_blocked) {
        colony__log_watch_locked(log);
    }
}

/* False: it took so long that another mover has the queue now. */
static bool end_locked(struct mover *mover, struct colony_log *log, enum colony_move_result result)
{
    struct colony_logs *logs = mover->logs;
    bool was_stalled = logs->active != mover;

    if (logs->busy == log)
        logs->busy = NULL;
    colony__log_take_tee_locked(
        log); /* who taps may have gone meanwhile, and no output may follow */
    if (result == MOVE_BLOCKED && !log->is_blocked) {
        log->is_blocked = true;
        if (logs->blocked++ == 0)
            logs->retry_at_ms = colony__logs_now_ms() + RETRY_MS;
        colony__log_unwatch(log);
    }
    if (was_stalled)
        rejoin_locked(log);
    if (!log->is_full)
        colony__log_set_status_locked(log, LOG_OK);
    else
        colony__log_set_status_locked(log, log->settings.on_full == LOG_FULL_BLOCK ? LOG_BLOCKED
                                                                                   : LOG_DROPPING);
    return !was_stalled;
}

/* Moves one turn of @log with the lock let go meanwhile. */
static bool move_locked(struct mover *mover, struct colony_log *log,
                        enum colony_move_result *result)
{
    struct colony_logs *logs = mover->logs;

    begin_locked(logs, log);
    (void)pthread_mutex_unlock(&logs->lock);
    *result = colony__log_move(log, mover->buffer, mover->peek);
    (void)pthread_mutex_lock(&logs->lock);
    return end_locked(mover, log, *result);
}

/* Moves the last of the logs that are being closed. False: this mover was replaced meanwhile. */
static bool close_logs_locked(struct mover *mover)
{
    struct colony_logs *logs = mover->logs;

    while (logs->closing) {
        struct colony_log *log = logs->closing;
        enum colony_move_result result = MOVE_MORE;

        logs->closing = log->changed_next;
        log->changed_next = NULL;
        if (log->is_stalled)
            continue; /* its own mover sees to it, should it ever come back */
        log->is_leaving = true;
        if (!log->is_blocked)
            colony__log_unwatch(log);
        /* What a pipe can hold; one that is still written to must not keep us. */
        for (int i = 0; i < LAST_TURNS && result == MOVE_MORE; i++)
            if (!move_locked(mover, log, &result))
                return false;
        free_log_locked(log);
    }
    return true;
}

void colony__log_drain_locked(struct colony_log *log)
{
    if (log->drain == DRAIN_WANTED)
        return;
    colony__log_leave_drain_locked(log); /* what was written since it was drained counts, too */
    log->drain = DRAIN_WANTED;
    log->drain_next = log->logs->draining;
    log->logs->draining = log;
    colony__logs_wake(log->logs);
}

void colony__log_leave_drain_locked(struct colony_log *log)
{
    struct colony_log **link =
        log->drain == DRAIN_WANTED ? &log->logs->draining : &log->logs->drained;

    if (log->drain == DRAIN_NONE)
        return;
    while (*link && *link != log)
        link = &(*link)->drain_next;
    if (*link)
        *link = log->drain_next;
    log->drain_next = NULL;
    log->drain = DRAIN_NONE;
}

/* A stalled one counts as drained: what it could hand on, it has. */
static void set_drained_locked(struct colony_log *log)
{
    if (log->is_closing || log->drain != DRAIN_WANTED)
        return;
    colony__log_leave_drain_locked(log);
    log->drain = DRAIN_DONE;
    log->drain_next = log->logs->drained;
    log->logs->drained = log;
    (void)uv_async_send(&log->logs->async);
}

/* False: this mover was replaced meanwhile. */
static bool drain_logs_locked(struct mover *mover)
{
    while (mover->logs->draining) {
        struct colony_log *log = mover->logs->draining;
        enum colony_move_result result = MOVE_MORE;
        bool is_active = true;

        for (int i = 0; i < LAST_TURNS && result == MOVE_MORE && is_active; i++) {
            if (log->is_stalled || log->is_closing)
                break;
            is_active = move_locked(mover, log, &result);
        }
        set_drained_locked(log);
        if (!is_active)
            return false;
    }
    return true;
}

static int wait_ms_locked(const struct colony_logs *logs)
{
    uint64_t now = colony__logs_now_ms();

    if (logs->blocked == 0)
        return -1;
    return logs->retry_at_ms > now ? (int)(logs->retry_at_ms - now) : 0;
}

static void retry_blocked_locked(struct colony_logs *logs)
{
    for (struct colony_log *log = logs->all; log && logs->blocked > 0; log = log->next) {
        if (!log->is_blocked)
            continue;
        log->is_blocked = false;
        logs->blocked--;
        colony__log_watch_locked(log);
    }
}

static void drain_wakes(const struct colony_logs *logs)
{
    uint64_t count;

    if (read(logs->wake_fd, &count, sizeof count) < 0)
        return; /* nobody woke us since */
}

/* One look at all that can be read. False: this mover is to leave. */
static bool turn_locked(struct mover *mover)
{
    struct colony_logs *logs = mover->logs;
    struct epoll_event events[EVENTS_A_TURN];
    int timeout_ms = wait_ms_locked(logs);
    int count;

    (void)pthread_mutex_unlock(&logs->lock);
    count = epoll_wait(logs->epoll_fd, events, EVENTS_A_TURN, timeout_ms);
    (void)pthread_mutex_lock(&logs->lock);
    if (wait_ms_locked(logs) == 0) /* also while the others are never quiet */
        retry_blocked_locked(logs);
    for (int i = 0; i < count; i++) {
        struct colony_log *log = events[i].data.ptr;
        enum colony_move_result result;

        if (!log)
            drain_wakes(logs);
        else if (!log->is_closing && !move_locked(mover, log, &result))
            return false;
    }
    return drain_logs_locked(mover) && close_logs_locked(mover);
}

static void leave_locked(struct mover *mover)
{
    struct colony_logs *logs = mover->logs;

    logs->threads--;
    if (logs->active == mover)
        logs->active = NULL;
    if (logs->is_closing && !logs->active && !logs->is_over) {
        logs->is_done = true;
        (void)uv_async_send(&logs->async);
    }
}

static void *run_mover(void *data)
{
    struct mover *mover = data;
    struct colony_logs *logs = mover->logs;
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    (void)pthread_mutex_lock(&logs->lock);
    while (turn_locked(mover) && !logs->is_closing)
        ;
    leave_locked(mover);
    (void)pthread_mutex_unlock(&logs->lock);
    return NULL;
}

void colony__logs_free_mover(struct mover *mover)
{
    if (mover->peek[0] >= 0)
        (void)close(mover->peek[0]);
    if (mover->peek[1] >= 0)
        (void)close(mover->peek[1]);
    free(mover->buffer);
    free(mover);
}

/* Starts a mover, which takes the queue over from the one before it. */
int colony__logs_start_mover_locked(struct colony_logs *logs)
{
    struct mover *mover = calloc(1, sizeof *mover);
    pthread_attr_t attributes;
    int rc;

    if (!mover)
        return -ENOMEM;
    mover->logs = logs;
    mover->peek[0] = mover->peek[1] = -1;
    mover->buffer = malloc(LOG_COPY_BYTES);
    if (!mover->buffer || pipe2(mover->peek, O_CLOEXEC | O_NONBLOCK) < 0) {
        colony__logs_free_mover(mover);
        return -ENOMEM;
    }
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, 256 << 10);
    rc = pthread_create(&mover->thread, &attributes, run_mover, mover);
    (void)pthread_attr_destroy(&attributes);
    if (rc != 0) {
        colony__logs_free_mover(mover);
        return -rc;
    }
    mover->next = logs->movers;
    logs->movers = mover;
    logs->active = mover;
    logs->threads++;
    return 0;
}
