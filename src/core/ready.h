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

struct colony_error;
struct colony_http_client;
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
    READY_NEWS_TRIED,   /* a try of tcp, http or exec failed: @text says how; for `why` */
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
    /* What READY_HTTP asks by; borrowed. NULL: it cannot be had, and why. */
    struct colony_http_client *(*http)(void *slot, struct colony_error *err);
};

struct colony_ready_options {
    struct uv_loop_s *loop;
    const struct colony_template *template;   /* kept; outlives the object */
    const struct colony_ready_runner *runner; /* copied; for READY_EXEC and READY_HTTP */
    colony_ready_cb cb;
    void *data;
};

/* -EINVAL: `ready` of the template cannot be: its regular expression, address or command. -ENOMEM,
 * libuv's errors. */
int colony_ready_new(struct colony_ready **out, const struct colony_ready_options *options);
/* Calls @cb for its descriptors: who hands them on loses nothing of what they hold. */
void colony_ready_each_fd(const struct colony_ready *ready, void (*cb)(int fd, void *data),
                          void *data);
/* Its template was replaced by another that has the same `ready`. */
void colony_ready_set_template(struct colony_ready *ready, const struct colony_template *template);
/* Ends it too. @cb comes later, never from inside: a look-up of a name must have come back. */
void colony_ready_close(struct colony_ready *ready, colony_ready_close_cb cb, void *data);

/*
 * The keeper's descriptor of the slot's notify socket (datagrams, SO_PASSCRED) or of the pipe that
 * the process writes a line to (READY_FD): which it is shows by what it is. Taken over, also when
 * it fails; one of its kind that was there is closed. Any time, also after colony_ready_begin.
 * -EINVAL: it is neither; libuv's errors.
 */
int colony_ready_take_fd(struct colony_ready *ready, int fd);

/*
 * The log that the next process writes to, for READY_LINE (for other kinds nothing is done): looked
 * at from here on, so that no line goes by before colony_ready_begin. For a log that is new, call
 * it while that one is held (colony_log_options.is_held). -ENOMEM, -EMFILE, libuv's errors.
 */
int colony_ready_take_log(struct colony_ready *ready, struct colony_log *log);

/*
 * A process is about to be started: call it before the order goes out, as what the process says may
 * be there before the news that it runs. Throws away what an earlier one left in the socket or
 * pipe, and takes @log, if there is one yet. When it could not be started, colony_ready_end.
 */
int colony_ready_expect(struct colony_ready *ready, struct colony_log *log);

/*
 * A process runs, with @uid; @log is its log (NULL: none; needed only when it was not taken
 * before). Looks until it is ready, and listens to the notify socket until colony_ready_end.
 * Without a colony_ready_expect before, what is in the socket or pipe is thrown away as an earlier
 * process's, unless this one is @is_adopted from an engine before.
 *
 * -EINVAL: READY_LINE without a log; -ENOMEM, -EMFILE, libuv's errors. Then nothing has begun.
 */
int colony_ready_begin(struct colony_ready *ready, uid_t uid, struct colony_log *log,
                       int is_adopted);
/* Its process has ended, or is being stopped, or could not be started. Nothing is told any more. */
void colony_ready_end(struct colony_ready *ready);

#endif
