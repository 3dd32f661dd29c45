/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_watch_internal.h - how long the turns of a loop take, which is how long anybody may have to
 * wait for it. It wakes nobody: it looks on when the loop turns anyway. The loop knows in whole
 * milliseconds when it awoke, and a difference of these is right on the average.
 */
#ifndef COLONY_API_LOOP_WATCH_INTERNAL_H
#define COLONY_API_LOOP_WATCH_INTERNAL_H

#include <stdint.h>
#include <uv.h>

enum {
    COLONY__LOOP_BOUNDS = 8,
    COLONY__LOOP_HANDLES = 2,
    COLONY__LOOP_SLOW_MS = 100,     /* turns from here on are remembered */
    COLONY__LOOP_RECENT_MS = 10000, /* for so long */
};

/* Upper bounds, ascending. */
extern const uint32_t colony__loop_bounds_ms[COLONY__LOOP_BOUNDS];

struct colony__loop_watch {
    uv_check_t after_io;
    uv_prepare_t after_timers;                /* the loop is about to wait again */
    uint64_t turn_ms;                         /* of the turn at hand, so far */
    uint64_t counts[COLONY__LOOP_BOUNDS + 1]; /* turns up to each bound; the last: longer ones */
    uint64_t total_ms;
    uint64_t slow_ms;    /* the slowest turn of late */
    uint64_t slow_at_ms; /* when it ended, of the monotonic clock */
};

/* Keeps the loop alive no longer than others do. */
void colony__loop_watch_init(struct colony__loop_watch *watch, uv_loop_t *loop);
/* How long the slowest turn of the last COLONY__LOOP_RECENT_MS took, if it was slow, and that at
 * hand counts: else 0. */
uint64_t colony__loop_watch_slowest(const struct colony__loop_watch *watch);
/* @cb for each of COLONY__LOOP_HANDLES; the handles' data is @data. */
void colony__loop_watch_close(struct colony__loop_watch *watch, uv_close_cb cb, void *data);

#endif
