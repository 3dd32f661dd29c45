/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - the logs as the loop sees them: opened, closed, and what became of them told. */
#include "core/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <uv.h>

#include "core/log.h"
#include "core/logs_internal.h"

enum {
    STALLED_MS = 5000,
    THREADS_MAX = 8,
    PIPE_BYTES_FIRST = 64 << 10,
};

/* No log of another slot or template has that name: rotated ones end in a number. */
void colony_log_file_name(char *out, size_t size, const char *name, uint32_t slot, bool is_error)
{
    (void)snprintf(out, size, "%s.%u.%s", name, slot, is_error ? "err" : "log");
}

/* A quarter of what the user may have in pipes; pipe(7). */
static uint64_t read_pipe_budget(void)
{
    unsigned long pages = 16384;
    char text[32];
    FILE *file = fopen("/proc/sys/fs/pipe-user-pages-soft", "re");

    if (file) {
        if (fgets(text, sizeof text, file))
            pages = strtoul(text, NULL, 10);
        (void)fclose(file);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
}

/* The loop's side. */

static void replace_stalled_mover_locked(struct colony_logs *logs)
{
    struct colony_log *log = logs->busy;

    if (!log || colony__logs_now_ms() - logs->busy_since_ms < STALLED_MS ||
        logs->threads >= THREADS_MAX)
        return;
    if (colony__logs_start_mover_locked(logs) < 0)
        return; /* looked at again the next time */
    logs->busy = NULL;
    log->is_stalled = true;
    log->is_leaving = false;
    colony__log_set_status_locked(log, LOG_STALLED);
    colony__log_unwatch(log); /* nobody else may touch it */
    colony_log(SEVERITY_ERROR, "log: stalled: a write to %s has not come back for %d s", log->path,
               STALLED_MS / 1000);
}

static void on_watchdog(uv_timer_t *timer)
{
    struct colony_logs *logs = timer->data;

    (void)pthread_mutex_lock(&logs->lock);
    replace_stalled_mover_locked(logs);
    if (!logs->busy && colony__logs_now_ms() - logs->busy_since_ms >= STALLED_MS) {
        (void)uv_timer_stop(timer); /* nothing is moved: an idle engine sleeps */
        logs->watchdog_runs = false;
    }
    (void)pthread_mutex_unlock(&logs->lock);
}

static void tell_changes(struct colony_logs *logs)
{
    for (;;) {
        struct colony_log *log;
        void *owner = NULL;
        int status = LOG_OK;

        (void)pthread_mutex_lock(&logs->lock);
        log = logs->changed;
        if (log) {
            logs->changed = log->changed_next;
            log->changed_next = NULL;
            log->is_changed = false;
            owner = log->owner;
            status = atomic_load(&log->status);
        }
        (void)pthread_mutex_unlock(&logs->lock);
        if (!log)
            return;
        if (owner)
            logs->cb(owner, (enum colony_log_status)status, logs->data);
    }
}

/* What their pipes held has been moved: taps that are to end know now where. */
static void tell_drained(struct colony_logs *logs)
{
    for (;;) {
        struct colony_log *log;

        (void)pthread_mutex_lock(&logs->lock);
        log = logs->drained;
        if (log) {
            logs->drained = log->drain_next;
            log->drain_next = NULL;
            log->drain = DRAIN_NONE;
        }
        (void)pthread_mutex_unlock(&logs->lock);
        if (!log)
            return;
        colony__log_end_taps(log);
    }
}

void colony__logs_on_handle_closed(struct colony_logs *logs)
{
    colony_logs_close_cb cb = logs->close_cb;
    void *data = logs->close_data;

    if (--logs->open_handles > 0)
        return;
    (void)pthread_mutex_destroy(&logs->lock);
    (void)close(logs->epoll_fd);
    (void)close(logs->wake_fd);
    free(logs);
    if (cb)
        cb(data);
}

static void on_handle_closed(uv_handle_t *handle)
{
    colony__logs_on_handle_closed(handle->data);
}

/* All movers that can leave have left; one that is stuck for ever ends with the process. */
static void finish_close(struct colony_logs *logs)
{
    bool is_stuck;

    (void)pthread_mutex_lock(&logs->lock);
    is_stuck = logs->threads > 0;
    logs->is_over = true;
    (void)pthread_mutex_unlock(&logs->lock);
    while (!is_stuck && logs->movers) {
        struct mover *next = logs->movers->next;

        (void)pthread_join(logs->movers->thread, NULL);
        colony__logs_free_mover(logs->movers);
        logs->movers = next;
    }
    uv_close((uv_handle_t *)&logs->async, is_stuck ? NULL : on_handle_closed);
    uv_close((uv_handle_t *)&logs->watchdog, is_stuck ? NULL : on_handle_closed);
    if (is_stuck && logs->close_cb)
        logs->close_cb(logs->close_data);
}

static void on_async(uv_async_t *async)
{
    struct colony_logs *logs = async->data;
    bool wants_watchdog;
    bool is_done;

    tell_changes(logs);
    tell_drained(logs);
    (void)pthread_mutex_lock(&logs->lock);
    wants_watchdog = logs->wants_watchdog;
    logs->wants_watchdog = false;
    logs->watchdog_runs |= wants_watchdog;
    is_done = logs->is_done;
    logs->is_done = false;
    (void)pthread_mutex_unlock(&logs->lock);
    if (wants_watchdog)
        (void)uv_timer_start(&logs->watchdog, on_watchdog, STALLED_MS, STALLED_MS);
    if (is_done)
        finish_close(logs);
}

static int init_handles(struct colony_logs *logs)
{
    int rc = uv_async_init(logs->loop, &logs->async, on_async);

    if (rc < 0)
        return rc;
    (void)uv_timer_init(logs->loop, &logs->watchdog);
    uv_unref((uv_handle_t *)&logs->watchdog);
    logs->async.data = logs;
    logs->watchdog.data = logs;
    logs->open_handles = 2;
    return 0;
}

int colony_logs_new(struct colony_logs **out, struct uv_loop_s *loop, colony_log_status_cb cb,
                    void *data)
{
    struct colony_logs *logs = calloc(1, sizeof *logs);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int rc;

    if (!logs)
        return -ENOMEM;
    logs->loop = loop;
    logs->cb = cb;
    logs->data = data;
    logs->pipe_budget = read_pipe_budget();
    logs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    logs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&logs->lock, NULL);
    rc = logs->epoll_fd < 0 || logs->wake_fd < 0 ? -EMFILE : 0;
    if (rc == 0 && epoll_ctl(logs->epoll_fd, EPOLL_CTL_ADD, logs->wake_fd, &event) < 0)
        rc = -errno;
    if (rc == 0)
        rc = init_handles(logs);
    if (rc < 0) {
        (void)close(logs->epoll_fd);
        (void)close(logs->wake_fd);
        free(logs);
        return rc;
    }
    (void)pthread_mutex_lock(&logs->lock);
    rc = colony__logs_start_mover_locked(logs);
    (void)pthread_mutex_unlock(&logs->lock);
    if (rc < 0) {
        finish_close(logs);
        return rc;
    }
    *out = logs;
    return 0;
}

void colony_logs_close(struct colony_logs *logs, colony_logs_close_cb cb, void *data)
{
    (void)pthread_mutex_lock(&logs->lock);
    logs->close_cb = cb;
    logs->close_data = data;
    logs->is_closing = true;
    logs->changed = NULL;
    logs->draining = NULL;
    logs->drained = NULL;
    logs->closing = NULL;
    for (struct colony_log *log = logs->all; log; log = log->next) {
        log->is_changed = true; /* nobody is told of it any more */
        log->is_closing = true;
        log->owner = NULL;
        colony__log_end_tee(log);
        if (log->is_leaving)
            continue;
        log->changed_next = logs->closing;
        logs->closing = log;
    }
    (void)pthread_mutex_unlock(&logs->lock);
    colony__logs_wake(logs);
}

int colony_log_open(struct colony_log **out, struct colony_logs *logs,
                    const struct colony_log_options *options)
{
    struct colony_log *log = calloc(1, sizeof *log + strlen(options->path) + 1);
    int bytes;
    int rc;

    if (!log)
        return -ENOMEM;
    memcpy(log->path, options->path, strlen(options->path) + 1);
    log->logs = logs;
    log->owner = options->owner;
    log->settings = *options->settings;
    log->pipe_fd = options->pipe_fd;
    log->file_fd = -1;
    log->tee_fd = -1;
    atomic_init(&log->tee_wanted, -1);
    log->limit = options->settings->size_bytes;
    bytes = fcntl(options->pipe_fd, F_GETPIPE_SZ);
    log->pipe_bytes = bytes > 0 ? (uint64_t)bytes : PIPE_BYTES_FIRST;
    rc = options->tap ? colony_log_tap(log, options->tap, options->tap_data, &log->own_tap) : 0;
    if (rc < 0) {
        free(log);
        return rc;
    }
    (void)pthread_mutex_lock(&logs->lock);
    log->next = logs->all;
    if (logs->all)
        logs->all->previous = log;
    logs->all = log;
    if (!options->is_held)
        colony__log_watch_locked(log);
    (void)pthread_mutex_unlock(&logs->lock);
    *out = log;
    return 0;
}

void colony_log_release(struct colony_log *log)
{
    (void)pthread_mutex_lock(&log->logs->lock);
    colony__log_watch_locked(log);
    (void)pthread_mutex_unlock(&log->logs->lock);
}

void colony_log_close(struct colony_log *log)
{
    struct colony_logs *logs = log->logs;
    struct colony_log **link = &logs->changed;

    colony__log_end_tee(log);
    (void)pthread_mutex_lock(&logs->lock);
    while (log->is_changed && *link && *link != log)
        link = &(*link)->changed_next;
    if (log->is_changed && *link)
        *link = log->changed_next;
    colony__log_leave_drain_locked(log);
    log->is_changed = true; /* the owner hears of it no more */
    log->owner = NULL;
    log->is_closing = true;
    log->changed_next = logs->closing;
    logs->closing = log;
    (void)pthread_mutex_unlock(&logs->lock);
    colony__logs_wake(logs);
}

enum colony_log_status colony_log_status(const struct colony_log *log)
{
    return (enum colony_log_status)atomic_load(&log->status);
}

void colony_log_dropped(const struct colony_log *log, uint64_t *bytes, uint64_t *lines)
{
    *bytes = atomic_load(&log->dropped_bytes);
    *lines = atomic_load(&log->dropped_lines);
}

void colony_logs_each_pipe(struct colony_logs *logs, void (*cb)(int fd, void *data), void *data)
{
    (void)pthread_mutex_lock(&logs->lock);
    for (struct colony_log *log = logs->all; log; log = log->next)
        cb(log->pipe_fd, data);
    (void)pthread_mutex_unlock(&logs->lock);
}
