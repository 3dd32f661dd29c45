/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_internal.h - a command of the user's that is asked for by requests.
 *
 * One run at a time: whoever asks while it goes is answered by the same. Loop thread only.
 */
#ifndef COLONY_API_PROBE_INTERNAL_H
#define COLONY_API_PROBE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct colony__connection;
struct colony_engine;
struct colony_error;
struct colony_job;
struct colony_job_end;

struct colony__asker;

/* Answers one of those who wait. */
typedef void (*colony__probe_cb)(struct colony__connection *connection,
                                 const struct colony_job_end *end);

/* A plain value in its owner. */
struct colony__probe {
    const char *name; /* "ping: exec" */
    struct colony_engine *engine;
    colony__probe_cb answer;
    size_t output_max;
    bool has_errors;        /* what it writes to stderr is wanted too */
    struct colony_job *job; /* under way; NULL: none */
    TAILQ_HEAD(colony__askers, colony__asker) askers;
};

void colony__probe_init(struct colony__probe *probe);
/* Nobody is answered any more. */
void colony__probe_clear(struct colony__probe *probe);

/* What is run, and how long it may take; borrowed for the call. */
struct colony__probe_command {
    char *const *argv;
    uint64_t timeout_ms;
};

/* Has @connection answered once the command has ended. -ENOMEM, and what running it says. */
int colony__probe_ask(struct colony__probe *probe, const struct colony__probe_command *command,
                      struct colony__connection *connection, struct colony_error *err);

/*
 * What to say of a run that failed, in one line: "`ping: exec` failed: exit status 3: no disk".
 * False: it did not.
 */
bool colony__probe_explain(const struct colony__probe *probe, const struct colony_job_end *end,
                           char *text, size_t size);

#endif
