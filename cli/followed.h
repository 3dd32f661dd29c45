/* SPDX-License-Identifier: Apache-2.0 */
/*
 * followed.h - an answer without an end that is asked for again when the connection is cut, for
 * who waits for more than one thing at once (exchange.h).
 *
 * A plain value: set what is below, then step it whenever its descriptor is readable or its time
 * has come.
 */
#ifndef COLONY_CLI_FOLLOWED_H
#define COLONY_CLI_FOLLOWED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/client.h"

struct colony_error;
struct colony_exchange;
struct colony_target;

enum {
    COLONY_FOLLOWED_PATIENCE_MS = 10000, /* for another engine, once one has answered */
    COLONY_FOLLOWED_AGAIN_MS = 100,
};

struct colony_followed {
    const struct colony_target *target;
    struct colony_request request;
    void (*again)(void *data); /* before it is asked again: may change the request; or NULL */
    bool is_endless;           /* patience has no end, from the first try on */

    struct colony_exchange *exchange; /* the rest is its own */
    uint64_t next_ms;
    uint64_t deadline_ms;
    bool was_answered;
};

/* To poll for POLLIN; -1: none now. */
int colony_followed_fd(const struct colony_followed *followed);

/* For how long to poll at most; -1: for ever. */
int colony_followed_timeout(const struct colony_followed *followed);

/*
 * Reads, or connects when it is time. 0: it goes on; 1: the answer has come to its end, whatever
 * its status, and stands in *reply until the next step or clear; else what exchange.h says.
 */
int colony_followed_step(struct colony_followed *followed, bool is_readable,
                         const struct colony_reply **reply, struct colony_error *err);

/* True while there is no connection that has answered. */
bool colony_followed_is_cut(const struct colony_followed *followed);

void colony_followed_clear(struct colony_followed *followed);

#endif
