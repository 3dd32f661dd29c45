/* SPDX-License-Identifier: Apache-2.0 */
/* logs_internal.h - one log, as its mover sees it. */
#ifndef COLONY_CORE_LOGS_INTERNAL_H
#define COLONY_CORE_LOGS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <uv.h>

#include "core/logs.h"

enum {
    LOG_COPY_BYTES = 64 << 10, /* the buffer of a thread */
};

struct colony__tee;

enum log_drain {
    DRAIN_NONE,
    DRAIN_WANTED, /* what the pipe holds is to be moved, and that told */
    DRAIN_DONE,   /* that is to be told */
};

struct colony_log {
    struct colony_logs *logs;
    struct colony_log *next; /* of all logs; under the lock */
    struct colony_log *previous;
    struct colony_log *changed_next; /* whose status is to be told; under the lock */
    struct colony_log *drain_next;   /* of those that are to be drained, or were; under the lock */
    void *owner;                     /* loop thread only; NULL: closed */
    struct colony_log_settings settings;
    enum log_drain drain;
    _Atomic int status;      /* enum colony_log_status */
    bool is_changed;         /* in the list that changed_next is of */
    bool is_full;            /* the last write failed */
    bool cannot_splice;      /* the file takes only write(2) */
    bool is_blocked;         /* left out of the epoll set until the next try */
    _Atomic bool is_closing; /* to be moved a last time and freed; set under the lock */
    bool is_leaving;         /* a mover is doing just that */
    bool is_stalled;         /* its mover is stuck in it: nobody else may touch it */
    int pipe_fd;
    int file_fd; /* -1: not open */
    loff_t offset;
    uint64_t limit;          /* where the file is rotated */
    uint64_t pipe_bytes;     /* capacity of the pipe */
    struct colony__tee *tee; /* the other end; loop thread only; NULL: nobody taps */
    int tee_fd;              /* the mover's end of the taps' pipe; -1. Changed under the lock */
    _Atomic int tee_wanted;  /* what tee_fd is to become; set under the lock */
    size_t teed; /* the mover's: bytes first in the pipe that the taps have been given */
    _Atomic uint64_t tee_dropped;
    _Atomic uint64_t dropped_bytes;
    _Atomic uint64_t dropped_lines;
    struct colony_log_tap *own_tap; /* that it was opened with; loop thread only; NULL: none */
    char path[];
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
    unsigned open_handles; /* taps included */

    pthread_mutex_t lock;
    int epoll_fd;
    int wake_fd;
    struct colony_log *all;
    struct colony_log *changed; /* whose status is to be told */
    struct colony_log *closing; /* to be moved a last time and freed */
    struct colony_log *draining;
    struct colony_log *drained;
    struct mover *movers;
    struct mover *active;
    struct colony_log *busy; /* what the active mover is at work on */
    uint64_t busy_since_ms;
    unsigned threads;
    unsigned blocked;
    uint64_t retry_at_ms; /* while some are blocked: when they are tried again */
    bool wants_watchdog;
    bool watchdog_runs;
    bool is_closing;
    bool is_done;         /* the last mover has left */
    bool is_over;         /* the loop has closed the handles: a stuck mover that returns is mute */
    uint64_t pipe_budget; /* bytes that pipes may still grow by */
    char tap_bytes[LOG_COPY_BYTES]; /* read for those who tap; the loop's, nothing is kept in it */
};

enum colony_move_result {
    MOVE_EMPTY,   /* nothing left in the pipe */
    MOVE_MORE,    /* the turn is over, there may be more */
    MOVE_BLOCKED, /* the file cannot be written and the process shall wait */
};

/* log_file.c: the way of a block. @buffer has LOG_COPY_BYTES, @peek is a pipe of the thread's. */
enum colony_move_result colony__log_move(struct colony_log *log, char *buffer, const int peek[2]);

/* log_tap.c: copies at most @size bytes of what waits in the pipe for those who tap; how many the
 * log may take now. @buffer and @peek are the mover's. */
size_t colony__log_tee(struct colony_log *log, size_t size, char *buffer, const int peek[2]);
/* The mover's end becomes what it is to be. */
void colony__log_take_tee_locked(struct colony_log *log);
/* So many bytes have left the pipe. */
void colony__log_tee_moved(struct colony_log *log, size_t size);
/* Gives those who tap @bytes, which have left the pipe. */
void colony__log_tee_copy(struct colony_log *log, const char *bytes, size_t size);
/* The loop lets go of @log; those who tap read what there is, and then hear of the end. */
void colony__log_end_tee(struct colony_log *log);
/* What processes had written when an end was asked for is in the taps' pipe. */
void colony__log_end_taps(struct colony_log *log);
/* logs.c: one of the open handles has been closed. */
void colony__logs_on_handle_closed(struct colony_logs *logs);

/* log_movers.c; _locked: the caller holds the lock. */
uint64_t colony__logs_now_ms(void);
void colony__logs_wake(const struct colony_logs *logs);
/* Starts a mover, which takes the queue over from the one before it. -ENOMEM, -EAGAIN. */
int colony__logs_start_mover_locked(struct colony_logs *logs);
void colony__logs_free_mover(struct mover *mover);
void colony__log_set_status_locked(struct colony_log *log, enum colony_log_status status);
void colony__log_watch_locked(struct colony_log *log);
/* Has what the pipe holds moved, and colony__log_end_taps() called then. */
void colony__log_drain_locked(struct colony_log *log);
void colony__log_leave_drain_locked(struct colony_log *log);
void colony__log_unwatch(const struct colony_log *log);
/* Makes the pipe larger when it was found full, within the budget all logs share. */
uint64_t colony__log_grow_pipe(struct colony_logs *logs, int pipe_fd, uint64_t bytes);

#endif
