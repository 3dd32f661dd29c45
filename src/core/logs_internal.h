/* SPDX-License-Identifier: Apache-2.0 */
/* logs_internal.h - one log, as its mover sees it. */
#ifndef COLONY_CORE_LOGS_INTERNAL_H
#define COLONY_CORE_LOGS_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/logs.h"

enum {
    LOG_COPY_BYTES = 64 << 10, /* the buffer of a thread */
};

struct colony_log {
    struct colony_logs *logs;
    struct colony_log *next;    /* of all logs; under the lock */
    struct colony_log *previous;
    struct colony_log *changed_next; /* whose status is to be told; under the lock */
    bool is_changed;
    void *owner;                /* loop thread only; NULL: closed */
    struct colony_log_settings settings;
    int pipe_fd;
    int file_fd; /* -1: not open */
    loff_t offset;
    uint64_t limit;      /* where the file is rotated */
    uint64_t pipe_bytes; /* capacity of the pipe */
    bool is_full;        /* the last write failed */
    bool cannot_splice;  /* the file takes only write(2) */
    bool is_blocked;     /* left out of the epoll set until the next try */
    bool is_closing;     /* to be moved a last time and freed */
    bool is_leaving;     /* a mover is doing just that */
    bool is_stalled;     /* its mover is stuck in it: nobody else may touch it */
    _Atomic int status; /* enum colony_log_status */
    _Atomic uint64_t dropped_bytes;
    _Atomic uint64_t dropped_lines;
    char path[];
};

enum colony_move_result {
    MOVE_EMPTY,   /* nothing left in the pipe */
    MOVE_MORE,    /* the turn is over, there may be more */
    MOVE_BLOCKED, /* the file cannot be written and the process shall wait */
};

/* log_file.c: the way of a block. @buffer has LOG_COPY_BYTES, @peek is a pipe of the thread's. */
enum colony_move_result colony__log_move(struct colony_log *log, char *buffer, const int peek[2]);

/* Makes the pipe larger when it was found full, within the budget all logs share. */
uint64_t colony__log_grow_pipe(struct colony_logs *logs, int pipe_fd, uint64_t bytes);

#endif
