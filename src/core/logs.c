/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - the movers: which log is moved next, by which thread, and who hears of it. */
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
    THREADS_MAX = 8,
    STALLED_MS = 5000,
    RETRY_MS = 1000, /* a blocked log's file is tried again this often */
    EVENTS_A_TURN = 32,
    PIPE_BYTES_FIRST = 64 << 10,
    PIPE_BYTES_MAX = 1 << 20,
    LAST_TURNS = 4, /* of a log that is being closed */
};

/* One mover at work; those that are stuck have given the queue to a newer one. */
struct mover {
    struct colony_logs *logs;
    struct mover *next;
    pthread_t thread;
    int peek[2];
    char *buffer;
};

struct colony_logs {
    uv_async_t async;    /* something is to be told on the loop */
    uv_timer_t watchdog; /* runs only while logs are being moved */
    uv_loop_t *loop;
    colony_log_status_cb cb;
    void *data;
    colony_logs_close_cb close_cb;
    void *close_data;
    unsigned open_handles;

    pthread_mutex_t lock;
    int epoll_fd;
    int wake_fd;
    struct colony_log *all;
    struct colony_log *changed;  /* whose status is to be told */
    struct colony_log *closing;  /* to be moved a last time and freed */
    struct mover *movers;
    struct mover *active;
    struct colony_log *busy; /* what the active mover is at work on */
    uint64_t busy_since_ms;
    unsigned threads;
    unsigned blocked;
    bool wants_watchdog;
    bool watchdog_runs;
    bool is_closing;
    bool is_done; /* the last mover has left */
    uint64_t pipe_budget; /* bytes that pipes may still grow by */
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void colony_log_file_name(char *out, size_t size, const char *name, uint32_t slot)
{
    (void)snprintf(out, size, "%s.%u.log", name, slot);
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

/* A quarter of what the user may have in pipes; pipe(7). */
static uint64_t read_pipe_budget(void)
{
    unsigned long pages = 16384;
    FILE *file = fopen("/proc/sys/fs/pipe-user-pages-soft", "re");

    if (file) {
        if (fscanf(file, "%lu", &pages) != 1)
            pages = 16384;
        (void)fclose(file);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 4;
}

static void wake(const struct colony_logs *logs)
{
    const uint64_t one = 1;

    if (write(logs->wake_fd, &one, sizeof one) < 0)
        return; /* it is awake */
}

/* The mover's side. The lock is held where it says so. */

static void set_status_locked(struct colony_log *log, enum colony_log_status status)
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

static void watch(const struct colony_log *log, int operation)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)log};

    (void)epoll_ctl(log->logs->epoll_fd, operation, log->pipe_fd, &event);
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
    if (log->file_fd >= 0)
        (void)close(log->file_fd);
    free(log);
}

/* Begins work on @log: from here on it can be found to be stalled. */
static void begin_locked(struct colony_logs *logs, struct colony_log *log)
{
    logs->busy = log;
    logs->busy_since_ms = now_ms();
    if (logs->watchdog_runs || logs->wants_watchdog)
        return;
    logs->wants_watchdog = true;
    (void)uv_async_send(&logs->async);
}

/* A stalled log was left to its mover alone: now it is one of all again. */
static void rejoin_locked(struct colony_log *log)
{
    log->is_stalled = false;
    if (log->is_closing) {
        log->changed_next = log->logs->closing;
        log->logs->closing = log;
        wake(log->logs);
    } else if (!log->is_blocked) {
        watch(log, EPOLL_CTL_ADD);
    }
}

/* False: it took so long that another mover has the queue now. */
static bool end_locked(struct mover *mover, struct colony_log *log, enum colony_move_result result)
{
    struct colony_logs *logs = mover->logs;
    bool was_stalled = logs->active != mover;

    if (logs->busy == log)
        logs->busy = NULL;
    if (result == MOVE_BLOCKED && !log->is_blocked) {
        log->is_blocked = true;
        logs->blocked++;
        watch(log, EPOLL_CTL_DEL);
    }
    if (was_stalled)
        rejoin_locked(log);
    if (!log->is_full)
        set_status_locked(log, LOG_OK);
    else
        set_status_locked(log, log->settings.on_full == LOG_FULL_BLOCK ? LOG_BLOCKED
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
            watch(log, EPOLL_CTL_DEL);
        /* What a pipe can hold; one that is still written to must not keep us. */
        for (int i = 0; i < LAST_TURNS && result == MOVE_MORE; i++)
            if (!move_locked(mover, log, &result))
                return false;
        free_log_locked(log);
    }
    return true;
}

static void retry_blocked_locked(struct colony_logs *logs)
{
    for (struct colony_log *log = logs->all; log && logs->blocked > 0; log = log->next) {
        if (!log->is_blocked)
            continue;
        log->is_blocked = false;
        logs->blocked--;
        watch(log, EPOLL_CTL_ADD);
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
    int timeout_ms = logs->blocked > 0 ? RETRY_MS : -1;
    int count;

    (void)pthread_mutex_unlock(&logs->lock);
    count = epoll_wait(logs->epoll_fd, events, EVENTS_A_TURN, timeout_ms);
    (void)pthread_mutex_lock(&logs->lock);
    if (count == 0)
        retry_blocked_locked(logs);
    for (int i = 0; i < count; i++) {
        struct colony_log *log = events[i].data.ptr;
        enum colony_move_result result;

        if (!log)
            drain_wakes(logs);
        else if (!log->is_closing && !move_locked(mover, log, &result))
            return false;
    }
    return close_logs_locked(mover);
}

static void leave_locked(struct mover *mover)
{
    struct colony_logs *logs = mover->logs;

    logs->threads--;
    if (logs->active == mover)
        logs->active = NULL;
    if (logs->is_closing && !logs->active) {
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

static void free_mover(struct mover *mover)
{
    if (mover->peek[0] >= 0)
        (void)close(mover->peek[0]);
    if (mover->peek[1] >= 0)
        (void)close(mover->peek[1]);
    free(mover->buffer);
    free(mover);
}

/* Starts a mover, which takes the queue over from the one before it. */
static int start_mover_locked(struct colony_logs *logs)
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
        free_mover(mover);
        return -ENOMEM;
    }
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, 256 << 10);
    rc = pthread_create(&mover->thread, &attributes, run_mover, mover);
    (void)pthread_attr_destroy(&attributes);
    if (rc != 0) {
        free_mover(mover);
        return -rc;
    }
    mover->next = logs->movers;
    logs->movers = mover;
    logs->active = mover;
    logs->threads++;
    return 0;
}

/* The loop's side. */

static void replace_stalled_mover_locked(struct colony_logs *logs)
{
    struct colony_log *log = logs->busy;

    if (!log || now_ms() - logs->busy_since_ms < STALLED_MS || logs->threads >= THREADS_MAX)
        return;
    if (start_mover_locked(logs) < 0)
        return; /* looked at again the next time */
    logs->busy = NULL;
    log->is_stalled = true;
    log->is_leaving = false;
    set_status_locked(log, LOG_STALLED);
    watch(log, EPOLL_CTL_DEL); /* nobody else may touch it */
    colony_log(SEVERITY_ERROR, "log: stalled: a write to %s has not come back for %d s", log->path,
               STALLED_MS / 1000);
}

static void on_watchdog(uv_timer_t *timer)
{
    struct colony_logs *logs = timer->data;

    (void)pthread_mutex_lock(&logs->lock);
    replace_stalled_mover_locked(logs);
    if (!logs->busy && now_ms() - logs->busy_since_ms >= STALLED_MS) {
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

static void on_handle_closed(uv_handle_t *handle)
{
    struct colony_logs *logs = handle->data;
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

/* All movers that can leave have left; one that is stuck for ever ends with the process. */
static void finish_close(struct colony_logs *logs)
{
    bool is_stuck = logs->threads > 0;

    while (!is_stuck && logs->movers) {
        struct mover *next = logs->movers->next;

        (void)pthread_join(logs->movers->thread, NULL);
        free_mover(logs->movers);
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
    rc = start_mover_locked(logs);
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
    logs->closing = NULL;
    for (struct colony_log *log = logs->all; log; log = log->next) {
        log->is_changed = true; /* nobody is told of it any more */
        log->is_closing = true;
        log->owner = NULL;
        if (log->is_leaving)
            continue;
        log->changed_next = logs->closing;
        logs->closing = log;
    }
    (void)pthread_mutex_unlock(&logs->lock);
    wake(logs);
}

int colony_log_open(struct colony_log **out, struct colony_logs *logs, const char *path,
                    const struct colony_log_settings *settings, int pipe_fd, void *owner)
{
    struct colony_log *log = calloc(1, sizeof *log + strlen(path) + 1);
    int bytes;

    if (!log)
        return -ENOMEM;
    memcpy(log->path, path, strlen(path) + 1);
    log->logs = logs;
    log->owner = owner;
    log->settings = *settings;
    log->pipe_fd = pipe_fd;
    log->file_fd = -1;
    log->limit = settings->size_bytes;
    bytes = fcntl(pipe_fd, F_GETPIPE_SZ);
    log->pipe_bytes = bytes > 0 ? (uint64_t)bytes : PIPE_BYTES_FIRST;
    (void)pthread_mutex_lock(&logs->lock);
    log->next = logs->all;
    if (logs->all)
        logs->all->previous = log;
    logs->all = log;
    watch(log, EPOLL_CTL_ADD);
    (void)pthread_mutex_unlock(&logs->lock);
    *out = log;
    return 0;
}

void colony_log_close(struct colony_log *log)
{
    struct colony_logs *logs = log->logs;
    struct colony_log **link = &logs->changed;

    (void)pthread_mutex_lock(&logs->lock);
    while (log->is_changed && *link && *link != log)
        link = &(*link)->changed_next;
    if (log->is_changed && *link)
        *link = log->changed_next;
    log->is_changed = true; /* the owner hears of it no more */
    log->owner = NULL;
    log->is_closing = true;
    log->changed_next = logs->closing;
    logs->closing = log;
    (void)pthread_mutex_unlock(&logs->lock);
    wake(logs);
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

void colony_logs_keep_over_exec(struct colony_logs *logs)
{
    (void)pthread_mutex_lock(&logs->lock);
    for (struct colony_log *log = logs->all; log; log = log->next)
        (void)fcntl(log->pipe_fd, F_SETFD, 0);
    (void)pthread_mutex_unlock(&logs->lock);
}
