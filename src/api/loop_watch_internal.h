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
};

/* Upper bounds, ascending. */
extern const uint32_t colony__loop_bounds_ms[COLONY__LOOP_BOUNDS];

struct colony__loop_watch {
    uv_check_t after_io;
    uv_prepare_t after_timers;                /* the loop is about to wait again */
    uint64_t turn_ms;                         /* of the turn at hand, so far */
    uint64_t counts[COLONY__LOOP_BOUNDS + 1]; /* turns up to each bound; the last: longer ones */
    uint64_t total_ms;
};

/* Keeps the loop alive no longer than others do. */
void colony__loop_watch_init(struct colony__loop_watch *watch, uv_loop_t *loop);
/* @cb for each of COLONY__LOOP_HANDLES; the handles' data is @data. */
void colony__loop_watch_close(struct colony__loop_watch *watch, uv_close_cb cb, void *data);

#endif
