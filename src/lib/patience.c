/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patience.c - how long a keeper is waited for that says nothing.
 *
 * Turns of the loop are counted: a program that does something else for a while has not listened.
 */
#include "lib/life_internal.h"

enum {
    TICK_MS = 1000,
    WELCOME_TICKS = 20, /* until a new keeper has said what there is */
    FREED_TICKS = 3,    /* the same, when nobody waits for that any more */
    HURRY_TICKS = 20,   /* until all is stopped that gets no grace */
    END_TICKS = 10,     /* until a keeper ends that has nothing more to do */
};

/* 0: as long as it likes. */
static unsigned ticks_of(const struct colony *colony)
{
    if (!colony->keeper)
        return 0;
    if (colony->phase == PHASE_ENDS)
        return colony->engine ? 0 : END_TICKS;
    if (colony->phase != PHASE_RUNS)
        return 0;
    if (colony->is_welcomed)
        return colony->stops_done > 1 ? HURRY_TICKS : 0;
    if (colony->is_freed)
        return FREED_TICKS;
    return colony->was_ready ? 0 : WELCOME_TICKS; /* else what runs matters more */
}

static void on_tick(uv_timer_t *timer)
{
    struct colony *colony = timer->data;
    unsigned ticks = ticks_of(colony);

    colony->ticks++;
    if (ticks > 0 && colony->ticks < ticks)
        return;
    (void)uv_timer_stop(timer);
    if (ticks > 0)
        colony__life_lose_patience(colony);
}

void colony__patience_begin(struct colony *colony)
{
    colony->ticks = 0;
    if (colony->keeper)
        (void)uv_timer_start(&colony->patience, on_tick, TICK_MS, TICK_MS);
}

void colony__patience_end(struct colony *colony)
{
    (void)uv_timer_stop(&colony->patience);
}
