/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready.h - finds out when a started process is ready (DESIGN §4, Ready and Notify).
 *
 * One object a slot that has `ready:` or `watchdog`, for the slot's whole life; it is begun for
 * each process and ended when that process ends. Loop thread only.
 */
#ifndef COLONY_CORE_READY_H
#define COLONY_CORE_READY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_log;
struct colony_ready;
struct colony_template;
struct uv_loop_s;

enum colony_ready_news {
    READY_NEWS_READY,   /* it is ready; told once */
    READY_NEWS_STATUS,  /* STATUS=… came: @text */
    READY_NEWS_EXTEND,  /* EXTEND_TIMEOUT_USEC=…: @ms from now on */
    READY_NEWS_ALIVE,   /* WATCHDOG=1 came */
    READY_NEWS_TRIGGER, /* WATCHDOG=trigger: it asks to be treated as one that hangs */
    READY_NEWS_TRIED,   /* a try of tcp or exec failed: @text says how; for `why` */
};

typedef void (*colony_ready_cb)(enum colony_ready_news news, const char *text, uint64_t ms,
                                void *data);
typedef void (*colony_ready_close_cb)(void *data);

/* Runs a command as the slot's processes run (same identity, environment and folder), through the
 * keeper, and tells its exit status (0…255; 128 + N for signal N; -1: it could not be run, or took
 * longer than @timeout_ms). */
typedef void (*colony_check_cb)(int exit_status, const char *why, void *data);
struct colony_ready_runner {
    int (*run)(void *slot, char *const *argv, uint64_t timeout_ms, colony_check_cb cb, void *data);
    void (*cancel)(void *slot); /* @cb of the check under way is not called any more */
    void *slot;
};

struct colony_ready_options {
    struct uv_loop_s *loop;
    const struct colony_template *template;   /* kept; outlives the object */
    const struct colony_ready_runner *runner; /* copied; for READY_EXEC */
    colony_ready_cb cb;
    void *data;
};

/* -ENOMEM, libuv's errors. */
int colony_ready_new(struct colony_ready **out, const struct colony_ready_options *options);
void colony_ready_close(struct colony_ready *ready, colony_ready_close_cb cb, void *data);

/*
 * The keeper's descriptor of the slot's notify socket (@kind READY_NOTIFY) or of the pipe that the
 * process writes a line to (READY_FD); taken over. One that was there is closed.
 */
int colony_ready_take_fd(struct colony_ready *ready, int fd);

/*
 * A process runs, with @uid; @log is its log (NULL: none). Looks until it is ready, and listens to
 * the notify socket until colony_ready_end. What an earlier process left in the socket or pipe is
 * thrown away, unless the process is @adopted from an engine before this one.
 */
int colony_ready_begin(struct colony_ready *ready, uid_t uid, struct colony_log *log,
                       int is_adopted);
/* Its process has ended, or is being stopped. Nothing is told any more. */
void colony_ready_end(struct colony_ready *ready);

#endif
