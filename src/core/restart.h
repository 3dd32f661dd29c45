/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart.h - the one restart policy (DESIGN §4): how soon an ended process is started again.
 *
 * The first restart comes at once, then after a delay that grows up to a cap; a run that lasted
 * long enough starts from the beginning. Pure: times are the caller's.
 */
#ifndef COLONY_CORE_RESTART_H
#define COLONY_CORE_RESTART_H

#include <stdint.h>

struct colony_restart_policy {
    uint64_t base_ms;        /* the second restart's delay */
    uint64_t cap_ms;         /* it doubles up to this */
    uint64_t reset_ms;       /* a run of this length forgets all before it */
    uint32_t jitter_percent; /* of the delay, added or taken off */
};

/* What is remembered of a slot's restarts. All zero: none yet. */
struct colony_restart_state {
    uint32_t attempt; /* restarts in a row */
};

extern const struct colony_restart_policy colony_restart_default;

/*
 * The delay in milliseconds before the next start, after a run of @ran_ms. @random is any number:
 * the jitter comes of it.
 */
uint64_t colony_restart_delay(const struct colony_restart_policy *policy,
                              struct colony_restart_state *state, uint64_t ran_ms, uint32_t random);

#endif
