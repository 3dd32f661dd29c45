/* SPDX-License-Identifier: Apache-2.0 */
#include "core/restart.h"

#include <math.h>
#include <stdlib.h>

const struct colony_restart_policy colony_restart_default = {
    .when = RESTART_ALWAYS,
    .expected = {1},
    .base_ms = 100,
    .cap_ms = 60000,
    .reset_ms = 10000,
    .factor = 2,
    .jitter_percent = 10,
    .max_retries = COLONY_RESTART_NO_LIMIT,
};

/* @delay plus or minus a share of it, so that what died together does not come back together. */
static uint64_t jittered(uint64_t delay_ms, uint32_t percent, uint32_t random)
{
    uint64_t span = delay_ms * percent / 100;

    return span == 0 ? delay_ms : delay_ms - span + random % (2 * span + 1);
}

static uint64_t grown_delay(const struct colony_restart_policy *policy, uint32_t attempt)
{
    double delay_ms;

    if (attempt == 1 || policy->base_ms == 0)
        return attempt == 1 ? policy->first_ms : 0;
    delay_ms = (double)policy->base_ms * pow(policy->factor, attempt - 2);
    return delay_ms < (double)policy->cap_ms ? (uint64_t)delay_ms : policy->cap_ms;
}

static uint64_t next_delay(const struct colony_restart_policy *policy,
                           struct colony_restart_state *state, uint64_t ran_ms, uint32_t random)
{
    if (ran_ms >= policy->reset_ms) {
        state->attempt = policy->first_ms == 0; /* this is the one that comes at once */
        return 0;
    }
    if (state->attempt < UINT32_MAX)
        state->attempt++;
    return jittered(grown_delay(policy, state->attempt), policy->jitter_percent, random);
}

/* Notes an end; true when the last `attempts` of them are within the window. */
static bool is_too_often(const struct colony_restart_policy *policy,
                         struct colony_restart_state *state, uint64_t at_ms)
{
    uint64_t oldest;

    if (policy->attempts == 0)
        return false;
    if (!state->ends)
        state->ends = calloc(policy->attempts, sizeof *state->ends);
    if (!state->ends)
        return false;
    state->ends[state->next_end] = at_ms;
    state->next_end = (state->next_end + 1) % policy->attempts;
    if (state->end_count < policy->attempts)
        state->end_count++;
    if (state->end_count < policy->attempts)
        return false;
    oldest = state->ends[state->next_end];
    if (at_ms - oldest <= policy->window_ms)
        return true;
    state->retries = 0; /* it held out for longer */
    return false;
}

bool colony_restart_is_expected(const struct colony_restart_policy *policy,
                                const struct colony_restart_end *end)
{
    unsigned status = (unsigned)end->exit_status;

    return end->has_status && status < 256 && policy->expected[status / 64] >> status % 64 & 1;
}

struct colony_restart_decision colony_restart_decide(const struct colony_restart_policy *policy,
                                                     struct colony_restart_state *state,
                                                     const struct colony_restart_end *end,
                                                     uint32_t random)
{
    bool is_success = colony_restart_is_expected(policy, end);
    bool is_done =
        policy->when == RESTART_NEVER || (policy->when == RESTART_ON_FAILURE && is_success);

    if (is_done)
        return (struct colony_restart_decision){is_success ? RESTART_COMPLETE : RESTART_FAIL, 0};
    if (!is_too_often(policy, state, end->at_ms))
        return (struct colony_restart_decision){RESTART_START,
                                                next_delay(policy, state, end->ran_ms, random)};
    state->end_count = 0; /* each retry has all its attempts */
    state->next_end = 0;
    if (policy->retry_in_ms == 0 || state->retries >= policy->max_retries)
        return (struct colony_restart_decision){RESTART_GIVE_UP, 0};
    state->retries++;
    return (struct colony_restart_decision){RESTART_FLAPS, policy->retry_in_ms};
}

void colony_restart_clear(struct colony_restart_state *state)
{
    free(state->ends);
    *state = (struct colony_restart_state){0};
}
