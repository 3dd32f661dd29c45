/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers.h - many timers on one of the loop's: a uv_timer_t takes 152 bytes, one of these 32.
 *
 * Call from the loop thread only. A timer is part of its owner, all-zero at first, and must be
 * stopped before that is freed. Room is made before: starting one cannot fail.
 */
#ifndef COLONY_CORE_TIMERS_H
#define COLONY_CORE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct colony_timer;
struct colony_timers;
struct uv_loop_s;

typedef void (*colony_timer_cb)(struct colony_timer *timer);
typedef void (*colony_timers_close_cb)(void *data);

struct colony_timer {
    colony_timer_cb cb;
    uint64_t due_ms; /* on the loop's clock */
    uint32_t place;  /* among those that run; 0: it does not */
};

/* -ENOMEM. */
int colony_timers_new(struct colony_timers **out, struct uv_loop_s *loop);
/* None runs any more; no callback is called. */
void colony_timers_close(struct colony_timers *timers, colony_timers_close_cb cb, void *data);

/* Makes room for one timer more, or one less. -ENOMEM. */
int colony_timers_add(struct colony_timers *timers);
void colony_timers_remove(struct colony_timers *timers);

/* Calls @cb once in @delay_ms, never from inside this; one that runs is put off or brought forward.
 * What is due at the same time is called in any order. */
void colony_timer_start(struct colony_timers *timers, struct colony_timer *timer,
                        colony_timer_cb cb, uint64_t delay_ms);
void colony_timer_stop(struct colony_timers *timers, struct colony_timer *timer);

#endif
