/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart.h - the one restart policy (DESIGN §4): whether and how soon an ended process is started
 * again.
 *
 * gaffer's `flapping` (ORIGINALS §1) and ncolony's threshold and delays (ORIGINALS §2) are other
 * spellings of it. Pure: times are the caller's, on any clock that never goes back.
 */
#ifndef COLONY_CORE_RESTART_H
#define COLONY_CORE_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#define COLONY_RESTART_NO_LIMIT UINT32_MAX

enum {
    COLONY_RESTART_ATTEMPTS_MAX = 1000,
};

enum colony_restart_when {
    RESTART_ALWAYS,
    RESTART_ON_FAILURE, /* not after an expected exit code */
    RESTART_NEVER,
};

struct colony_restart_policy {
    enum colony_restart_when when;
    uint64_t expected[4]; /* bit N of the 256: exit code N is a success; default: 0 alone */

    /* How fast. A run of reset_ms or longer is restarted at once, and what was before forgotten. */
    uint64_t first_ms; /* delay of the first restart in a row */
    uint64_t base_ms;  /* of the second; then times factor, up to cap_ms */
    uint64_t cap_ms;
    uint64_t reset_ms;
    double factor;           /* 1 or more */
    uint32_t jitter_percent; /* of the delay, added or taken off */

    /* Dying too often: `attempts` ends within window_ms. 0 attempts: that is never too often. */
    uint32_t attempts;
    uint64_t window_ms;
    uint64_t retry_in_ms; /* then it is down for so long; 0: for good */
    uint32_t max_retries; /* and after so many times in a row for good; COLONY_RESTART_NO_LIMIT */
    bool is_shared;       /* gaffer's: the ends of all slots count together, and all are stopped */
};

/* What is remembered of restarts. All zero: none yet; colony_restart_clear ends it. */
struct colony_restart_state {
    uint32_t attempt; /* restarts in a row */
    uint32_t retries; /* times it was down for retry_in, without a run longer than the window */
    struct colony_restart_ring *ends; /* the last ones; NULL: none yet */
};

/* How a process ended. */
struct colony_restart_end {
    uint64_t at_ms;
    uint64_t ran_ms;
    bool has_status; /* it exited by itself with exit_status; else a signal, or it never ran */
    int exit_status;
};

enum colony_restart_verdict {
    RESTART_START,    /* after delay_ms; 0: at once */
    RESTART_FLAPS,    /* too often: down for delay_ms, then start */
    RESTART_GIVE_UP,  /* too often: down until somebody starts it */
    RESTART_COMPLETE, /* done, with a success */
    RESTART_FAIL,     /* done, without one */
};

struct colony_restart_decision {
    enum colony_restart_verdict verdict;
    uint64_t delay_ms;
};

extern const struct colony_restart_policy colony_restart_default;

/*
 * What comes after @end. @random is any number: the jitter comes of it. Without memory for the ring
 * of ends no end is too many.
 */
struct colony_restart_decision colony_restart_decide(const struct colony_restart_policy *policy,
                                                     struct colony_restart_state *state,
                                                     const struct colony_restart_end *end,
                                                     uint32_t random);

/*
 * ncolony's rule (ORIGINALS §2): what ran for @threshold_ms is restarted at once; what ended sooner
 * waits @min_delay_ms, then twice as long each time, but never longer than @max_delay_ms.
 */
struct colony_restart_policy colony_restart_ncolony(uint64_t threshold_ms, uint64_t min_delay_ms,
                                                    uint64_t max_delay_ms);

/*
 * The least time between the first and the last of `attempts` ends in a row: what the delays add up
 * to. When it is above the window, no process can ever flap.
 */
uint64_t colony_restart_least_ms(const struct colony_restart_policy *policy);

/* True when the policy counts @end as a success. */
bool colony_restart_is_expected(const struct colony_restart_policy *policy,
                                const struct colony_restart_end *end);

/* Forgets all, as when a user starts it. */
void colony_restart_clear(struct colony_restart_state *state);

#endif
