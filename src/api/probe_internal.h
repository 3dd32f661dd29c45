/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_internal.h - something that takes its time to find out, and is asked for by requests.
 *
 * One run at a time: whoever asks while it goes is answered by the same. Loop thread only.
 */
#ifndef COLONY_API_PROBE_INTERNAL_H
#define COLONY_API_PROBE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct colony__asker;
struct colony__connection;
struct colony__probe;
struct colony_error;

/* Begins a run, which ends with colony__probe_end(), not during the call. */
typedef int (*colony__probe_begin_cb)(struct colony__probe *probe, struct colony_error *err);
/* Answers one of those who wait. */
typedef void (*colony__probe_cb)(struct colony__connection *connection, const void *result);

/* A plain value in its owner. */
struct colony__probe {
    const char *name; /* "ping: exec" */
    colony__probe_begin_cb begin;
    colony__probe_cb answer;
    uint64_t patience_ms; /* of who asks, who is told so then (503); 0: a run has its own end */
    void *data;           /* for `begin` */
    bool is_running;
    TAILQ_HEAD(colony__askers, colony__asker) askers;
};

void colony__probe_init(struct colony__probe *probe);

/* Has @connection answered once the run has ended. -ENOMEM, and what beginning it says. */
int colony__probe_ask(struct colony__probe *probe, struct colony__connection *connection,
                      struct colony_error *err);
/* Answers all who wait, by @result. Who asks from inside of an answer asks for the next run. */
void colony__probe_end(struct colony__probe *probe, const void *result);

#endif
