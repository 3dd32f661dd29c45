/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - commands that colony runs once for its own purposes: a text on stdin, and what they
 * write, and how they end.
 *
 * The keeper spawns them as it spawns any process, so they are cleaned up after and outlived like
 * any other; nobody sees them among the templates. An engine that starts anew ends what one before
 * it ran. Loop thread only.
 */
#ifndef COLONY_CORE_JOB_H
#define COLONY_CORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_engine;
struct colony_error;
struct colony_job;

/* How a command ended. Borrowed for the call. */
struct colony_job_end {
    int exit_status;    /* 128 and the number of the signal that ended it; -1: see why */
    bool is_cancelled;  /* colony ends, and so it was stopped, or never begun */
    const char *why;    /* one line: "took too long", "exec ./x: No such file or directory" */
    const char *output; /* what it wrote to stdout and stderr, as far as it was wanted; ends in
                           NUL */
    size_t output_size;
};

/* The job is gone when this is called, and new ones may be begun. */
typedef void (*colony_job_cb)(const struct colony_job_end *end, void *data);

/* All of it is borrowed for the call. */
struct colony_job_wish {
    const char *label;      /* in colony's log: "event 12" */
    char *const *argv;      /* looked up in PATH */
    const char *const *env; /* "KEY=VALUE" up to NULL, over colony's own environment; or NULL */
    const char *input;      /* its stdin; NULL: nothing */
    size_t input_size;
    size_t output_max; /* of what it writes, that is kept: the first bytes */
    bool has_errors;   /* stderr is part of its output, else it goes to /dev/null */
    bool is_last;      /* goes on when colony ends, and may still be begun, for 3 seconds */
    uint64_t timeout_ms;
    colony_job_cb cb; /* never during the call */
    void *data;
};

/* Begins it. -ESHUTDOWN: colony ends; -EMFILE, -ENOMEM, with the reason. */
int colony_job_run(struct colony_job **out, struct colony_engine *engine,
                   const struct colony_job_wish *wish, struct colony_error *err);
/* Stops it; its cb is not called. */
void colony_job_cancel(struct colony_job *job);

#endif
