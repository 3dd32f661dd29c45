/* SPDX-License-Identifier: Apache-2.0 */
#include "core/restart.h"

const struct colony_restart_policy colony_restart_default = {
    .base_ms = 100,
    .cap_ms = 60000,
    .reset_ms = 10000,
    .jitter_percent = 10,
};

/* @delay plus or minus a share of it, so that what died together does not come back together. */
static uint64_t jittered(uint64_t delay_ms, uint32_t percent, uint32_t random)
{
    uint64_t span = delay_ms * percent / 100;

    return span == 0 ? delay_ms : delay_ms - span + random % (2 * span + 1);
}

uint64_t colony_restart_delay(const struct colony_restart_policy *policy,
                              struct colony_restart_state *state, uint64_t ran_ms, uint32_t random)
{
    uint64_t delay_ms = policy->base_ms;

    if (ran_ms >= policy->reset_ms)
        state->attempt = 0;
    if (state->attempt++ == 0)
        return 0;
    for (uint32_t i = 2; i < state->attempt && delay_ms < policy->cap_ms; i++)
        delay_ms *= 2;
    if (delay_ms > policy->cap_ms)
        delay_ms = policy->cap_ms;
    return jittered(delay_ms, policy->jitter_percent, random);
}
