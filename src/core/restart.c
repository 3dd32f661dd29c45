/* SPDX-License-Identifier: Apache-2.0 */
#include "core/restart.h"

#include <math.h>
#include <stdlib.h>

/* When the last policy->attempts ends were. */
struct colony_restart_ring {
    uint32_t room; /* a reload may bring a policy with other attempts */
    uint32_t count;
    uint32_t next;
    uint64_t at_ms[];
};

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

static bool has_ring(const struct colony_restart_policy *policy, struct colony_restart_state *state)
{
    if (state->ends && state->ends->room == policy->attempts)
        return true;
    free(state->ends);
    state->ends = calloc(1, sizeof *state->ends + policy->attempts * sizeof state->ends->at_ms[0]);
    if (state->ends)
        state->ends->room = policy->attempts;
    return state->ends != NULL;
}

/* Notes an end; true when the last `attempts` of them are within the window. */
static bool is_too_often(const struct colony_restart_policy *policy,
                         struct colony_restart_state *state, const struct colony_restart_end *end)
{
    struct colony_restart_ring *ends;
    uint64_t oldest;

    if (policy->attempts == 0 || !has_ring(policy, state))
        return false;
    if (end->ran_ms > policy->window_ms)
        state->retries = 0; /* it held out: what comes now is another trouble */
    ends = state->ends;
    ends->at_ms[ends->next] = end->at_ms;
    ends->next = (ends->next + 1) % ends->room;
    if (ends->count < ends->room)
        ends->count++;
    if (ends->count < ends->room)
        return false;
    oldest = ends->at_ms[ends->next];
    if (end->at_ms - oldest <= policy->window_ms)
        return true;
    state->retries = 0;
    return false;
}

struct colony_restart_policy colony_restart_ncolony(uint64_t threshold_ms, uint64_t min_delay_ms,
                                                    uint64_t max_delay_ms)
{
    return (struct colony_restart_policy){
        .when = RESTART_ALWAYS,
        .expected = {1},
        .first_ms = min_delay_ms < max_delay_ms ? min_delay_ms : max_delay_ms,
        .base_ms = min_delay_ms > UINT64_MAX / 2 ? UINT64_MAX : min_delay_ms * 2,
        .cap_ms = max_delay_ms,
        .reset_ms = threshold_ms,
        .factor = 2,
        .max_retries = COLONY_RESTART_NO_LIMIT,
    };
}

uint64_t colony_restart_least_ms(const struct colony_restart_policy *policy)
{
    uint64_t sum_ms = 0;

    for (uint32_t attempt = 1; attempt < policy->attempts; attempt++)
        sum_ms += jittered(grown_delay(policy, attempt), policy->jitter_percent, 0);
    return sum_ms;
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
    if (!is_too_often(policy, state, end))
        return (struct colony_restart_decision){RESTART_START,
                                                next_delay(policy, state, end->ran_ms, random)};
    state->ends->count = 0; /* each retry has all its attempts, and its delays from the first on */
    state->ends->next = 0;
    state->attempt = 0;
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
