/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logs.h - moves what processes write into their log files, on a thread of its own (DESIGN §4).
 *
 * A byte leaves a pipe only by being in the file: blocks are spliced at an explicit offset, so that
 * an engine killed at any moment loses nothing and repeats nothing. A thread stuck in a bad disk is
 * replaced by another; only its own log is stalled.
 */
#ifndef COLONY_CORE_LOGS_H
#define COLONY_CORE_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/template.h"

struct colony_log;
struct colony_log_tap;
struct colony_logs;
struct uv_loop_s;

enum {
    COLONY_LOG_PATH_MAX = 4400,
};

enum colony_log_status {
    LOG_OK,
    LOG_DROPPING, /* the file cannot be written: output is dropped and counted */
    LOG_BLOCKED,  /* the same with on_full: block: the process waits */
    LOG_STALLED,  /* a write has not come back for 5 s */
};

/* Called on the loop when the status of the log with @owner has changed. */
typedef void (*colony_log_status_cb)(void *owner, enum colony_log_status status, void *data);
/* Called on the loop with output as it passes; valid during the call. @size 0: it has ended. */
typedef void (*colony_log_output_cb)(const char *bytes, size_t size, void *data);
typedef void (*colony_logs_close_cb)(void *data);

/* -ENOMEM, -EAGAIN: no thread to be had, and libuv's errors. */
int colony_logs_new(struct colony_logs **out, struct uv_loop_s *loop, colony_log_status_cb cb,
                    void *data);
/* Moves what the pipes of all logs hold, ends the threads and frees everything, then calls @cb. */
void colony_logs_close(struct colony_logs *logs, colony_logs_close_cb cb, void *data);

struct colony_log_options {
    const char *path;                           /* the file; copied */
    const struct colony_log_settings *settings; /* copied */
    int pipe_fd;                                /* non-blocking; taken over */
    void *owner;                                /* handed back to callbacks */
    colony_log_output_cb tap; /* as colony_log_tap, from the first byte on; may be NULL. It hears of
                                 marks too: @bytes is NULL, @size 0 */
    void *tap_data;
    bool is_held; /* nothing is moved until colony_log_release: for taps from the first byte on */
};

/*
 * A log that is moved from the pipe to the file, which is made when there is something to write.
 * -ENOMEM; then the pipe is still the caller's.
 */
int colony_log_open(struct colony_log **out, struct colony_logs *logs,
                    const struct colony_log_options *options);
/* Begins to move a log that is_held. Once. */
void colony_log_release(struct colony_log *log);
/* Moves what the pipe still holds, then frees the log. The owner hears of it no more. */
void colony_log_close(struct colony_log *log);

/*
 * @cb gets all output from now on, beside the log (tee(2)), until @size 0 says that the log was
 * closed; then the tap is gone. What a process writes that is started after this call is seen from
 * its first byte on; so is what the log has not taken yet of one before it. Any number may tap a
 * log, also from inside a callback: it costs one pipe for all of them. @out (may be NULL) is for
 * colony_log_untap.
 *
 * A loop that is too slow loses what the pipe does not take; that is counted and holds up nobody.
 * So a callback that hands output on keeps what its reader does not take in a queue of its own.
 *
 * -ENOMEM, -EMFILE, -ENFILE, libuv's errors.
 */
int colony_log_tap(struct colony_log *log, colony_log_output_cb cb, void *data,
                   struct colony_log_tap **out);
/* @cb is not called any more. Safe inside callbacks, and after colony_log_close until the tap's
 * end was told. NULL is fine. */
void colony_log_untap(struct colony_log_tap *tap);
/*
 * @cb gets what processes have written up to now, and then hears of the end; the tap is gone then.
 * What is written in the next moment may be told as well, where a block is being moved just now.
 */
void colony_log_end_tap(struct colony_log_tap *tap);
/*
 * The tap that @log was opened with hears a mark behind what processes have written up to now. A
 * mark that it has not come to yet stands for those that are made meanwhile.
 */
void colony_log_mark(struct colony_log *log);
/* Bytes that the loop was too slow for since this was last asked, or since the tap was made. */
uint64_t colony_log_tap_lost(struct colony_log_tap *tap);
/* Bytes of this log that the loop was too slow for. */
uint64_t colony_log_tap_dropped(const struct colony_log *log);

enum colony_log_status colony_log_status(const struct colony_log *log);
void colony_log_dropped(const struct colony_log *log, uint64_t *bytes, uint64_t *lines);

/* Calls @cb for the pipes of all logs: who hands them on loses nothing of what they hold. */
void colony_logs_each_pipe(struct colony_logs *logs, void (*cb)(int fd, void *data), void *data);

/* The name of a slot's log file in its folder; of its stderr's, where that has one. */
void colony_log_file_name(char *out, size_t size, const char *name, uint32_t slot, bool is_error);

#endif
