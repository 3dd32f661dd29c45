/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.h - which state a living process of a session is in, from one look at it to the next. Pure.
 *
 * One that has just been launched is `starting` until its fingerprint has not changed for a period,
 * then `running`; whenever it resembles a saved state, early or late, it is in that one. One memory
 * a process and a life: clear it when the process has ended.
 */
#ifndef COLONY_SESSION_STATE_H
#define COLONY_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "session/fingerprint.h"

struct colony_error;

enum {
    COLONY_STATE_NAME_MAX =
        100, /* bytes: it stands in the name of a file beside that of a process */
};

/* What is remembered of earlier looks. All-zero: there were none. */
struct colony_live_state {
    struct colony_fingerprint last; /* as it is since last_ms, for all that was seen */
    bool has_last;
    uint64_t last_ms;
    bool is_settled; /* it has been more than `starting` */
    double score;    /* of the last look: the best of the saved states; 0 without any */
};

/* One look: what was seen, and when. */
struct colony_state_look {
    struct colony_fingerprint *now; /* taken over into the memory, and left empty */
    uint64_t now_ms;                /* of any clock that does not go back; the same each time */
    uint64_t period_ms;
};

/*
 * The state now: "starting", "running", or one of @saved (borrowed of it). Looks may come as often
 * as one likes; a change of the fingerprint begins the period anew.
 */
const char *colony_live_state_look(struct colony_live_state *live,
                                   const struct colony_saved_states *saved,
                                   const struct colony_state_look *look);

/* It was no longer starting when somebody else looked at it: an adopted process, or what a database
 * says. */
void colony_live_state_settle(struct colony_live_state *live);

/* Milliseconds until a look can make a starting process a running one if nothing changes; 0: at
 * once, UINT64_MAX: it is more than starting, only a change counts. */
uint64_t colony_live_state_due_ms(const struct colony_live_state *live, uint64_t now_ms,
                                  uint64_t period_ms);

/* -EINVAL: @state cannot be the name of one that is saved: a name, never a path, without `:` and
 * `,`, not longer than COLONY_STATE_NAME_MAX bytes, and none of colony's own (stopped, starting,
 * running). */
int colony_session_state_check(const char *state, struct colony_error *err);

void colony_live_state_clear(struct colony_live_state *live);

#endif
