/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session/process.h"
#include "session/state.h"

enum {
    EARLY_PART =
        20, /* a timer may be that part of the period early: it is one period all the same */
};

/* The fingerprint is as it was a period ago. */
static bool is_still(const struct colony_live_state *live, const struct colony_state_look *look)
{
    return look->now_ms - live->last_ms + look->period_ms / EARLY_PART >= look->period_ms;
}

/* Keeps the older one of two that are equal: its age is what counts. */
static void remember(struct colony_live_state *live, const struct colony_state_look *look)
{
    if (live->has_last && colony_fingerprint_is_equal(&live->last, look->now)) {
        if (is_still(live, look))
            live->is_settled = true;
        colony_fingerprint_clear(look->now);
        return;
    }
    colony_fingerprint_clear(&live->last);
    live->last = *look->now;
    memset(look->now, 0, sizeof *look->now);
    live->has_last = true;
    live->last_ms = look->now_ms;
}

const char *colony_live_state_look(struct colony_live_state *live,
                                   const struct colony_saved_states *saved,
                                   const struct colony_state_look *look)
{
    const char *state = colony_saved_states_match(saved, look->now, &live->score);

    remember(live, look);
    if (state) {
        live->is_settled = true; /* what leaves a saved state is running, not starting again */
        return state;
    }
    return live->is_settled ? COLONY_STATE_RUNNING : COLONY_STATE_STARTING;
}

void colony_live_state_settle(struct colony_live_state *live)
{
    live->is_settled = true;
}

uint64_t colony_live_state_due_ms(const struct colony_live_state *live, uint64_t now_ms,
                                  uint64_t period_ms)
{
    uint64_t age_ms = now_ms - live->last_ms;

    if (live->is_settled)
        return UINT64_MAX;
    if (!live->has_last)
        return 0;
    return age_ms < period_ms ? period_ms - age_ms : 0;
}

void colony_live_state_clear(struct colony_live_state *live)
{
    colony_fingerprint_clear(&live->last);
    *live = (struct colony_live_state){0};
}

int colony_session_state_check(const char *state, struct colony_error *err)
{
    static const char *const own[] = {COLONY_STATE_STOPPED, COLONY_STATE_STARTING,
                                      COLONY_STATE_RUNNING};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(state, own[i]) == 0)
            return colony_fail(err, -EINVAL,
                               "cannot call a state `%s`: colony itself says that of a process; "
                               "choose another word",
                               state);
    if (strlen(state) > COLONY_STATE_NAME_MAX)
        return colony_fail(err, -EINVAL, "cannot call a state so: it has more than %d bytes",
                           (int)COLONY_STATE_NAME_MAX);
    if (strpbrk(state, ":,*"))
        return colony_fail(err, -EINVAL, "cannot call a state `%s`: a `:`, `,` or `*` is not one's",
                           state);
    return colony_name_check_file(state, err);
}
