/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include "core/restart.h"

enum {
    ROUNDS = 2000, /* random policies that each property is tried with */
};

static const struct colony_restart_policy exact = {
    .base_ms = 100, .cap_ms = 60000, .reset_ms = 10000, .factor = 2, .jitter_percent = 0};

static uint64_t restart_delay(const struct colony_restart_policy *policy,
                              struct colony_restart_state *restart, uint64_t ran_ms,
                              uint32_t random)
{
    const struct colony_restart_end end = {.ran_ms = ran_ms};

    return colony_restart_decide(policy, restart, &end, random).delay_ms;
}

/* Numerical Recipes' generator: the same numbers in each run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed ^ *seed >> 16;
}

static struct colony_restart_policy random_policy(uint32_t *seed)
{
    struct colony_restart_policy policy = {
        .base_ms = 1 + next_random(seed) % 5000,
        .reset_ms = 1 + next_random(seed) % 100000,
        .factor = 2,
        .jitter_percent = next_random(seed) % 101,
    };

    policy.cap_ms = policy.base_ms + next_random(seed) % 1000000;
    return policy;
}

/* base × 2^(attempt − 2), at most the cap: written down apart from the code that is tested. */
static uint64_t plain_delay(const struct colony_restart_policy *policy, unsigned attempt)
{
    unsigned doublings = attempt - 2;
    uint64_t delay_ms;

    if (attempt == 1)
        return 0;
    if (doublings > 40)
        return policy->cap_ms;
    delay_ms = policy->base_ms << doublings;
    return delay_ms < policy->cap_ms ? delay_ms : policy->cap_ms;
}

TEST(test_the_first_restart_comes_at_once)
{
    uint32_t seed = 1;

    for (int i = 0; i < ROUNDS; i++) {
        struct colony_restart_policy policy = random_policy(&seed);
        struct colony_restart_state past = {0};

        assert_int_equal(restart_delay(&policy, &past, 0, next_random(&seed)), 0);
    }
}

TEST(test_delays_double_up_to_the_cap)
{
    static const uint64_t wanted[] = {0,    100,   200,   400,   800,   1600,  3200,
                                      6400, 12800, 25600, 51200, 60000, 60000, 60000};
    struct colony_restart_state past = {0};

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        assert_int_equal(restart_delay(&exact, &past, 0, 12345), wanted[i]);
}

TEST(test_without_jitter_every_schedule_is_exact)
{
    uint32_t seed = 2;

    for (int i = 0; i < ROUNDS; i++) {
        struct colony_restart_policy policy = random_policy(&seed);
        struct colony_restart_state past = {0};

        policy.jitter_percent = 0;
        for (unsigned attempt = 1; attempt < 64; attempt++)
            assert_int_equal(restart_delay(&policy, &past, policy.reset_ms - 1, next_random(&seed)),
                             plain_delay(&policy, attempt));
    }
}

TEST(test_jitter_stays_within_its_share_of_the_delay)
{
    uint32_t seed = 3;

    for (int i = 0; i < ROUNDS; i++) {
        struct colony_restart_policy policy = random_policy(&seed);
        struct colony_restart_state past = {0};

        for (unsigned attempt = 1; attempt < 40; attempt++) {
            uint64_t plain_ms = plain_delay(&policy, attempt);
            uint64_t span_ms = plain_ms * policy.jitter_percent / 100;
            uint64_t delay_ms = restart_delay(&policy, &past, 0, next_random(&seed));

            assert_in_range(delay_ms, plain_ms - span_ms, plain_ms + span_ms);
        }
    }
}

TEST(test_jitter_reaches_both_ends_of_its_share)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;

    for (uint32_t random = 0; random < 1000; random++) {
        struct colony_restart_state past = {.attempt = 1};
        uint64_t delay_ms = restart_delay(&colony_restart_default, &past, 0, random);

        least = delay_ms < least ? delay_ms : least;
        most = delay_ms > most ? delay_ms : most;
    }
    assert_int_equal(least, 90);
    assert_int_equal(most, 110);
}

TEST(test_any_random_number_will_do)
{
    static const uint32_t numbers[] = {0, 1, UINT32_MAX - 1, UINT32_MAX};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct colony_restart_state past = {.attempt = 20};

        assert_in_range(restart_delay(&colony_restart_default, &past, 0, numbers[i]), 54000, 66000);
    }
}

TEST(test_a_long_run_forgets_all_before_it)
{
    uint32_t seed = 4;

    for (int i = 0; i < ROUNDS; i++) {
        struct colony_restart_policy policy = random_policy(&seed);
        struct colony_restart_state past = {.attempt = next_random(&seed) % 1000};

        policy.jitter_percent = 0;
        assert_int_equal(restart_delay(&policy, &past, policy.reset_ms, 7), 0);
        assert_int_equal(restart_delay(&policy, &past, 0, 7), policy.base_ms);
    }
}

TEST(test_a_run_just_too_short_forgets_nothing)
{
    struct colony_restart_state past = {.attempt = 3};

    assert_int_equal(restart_delay(&exact, &past, exact.reset_ms - 1, 7), 400);
}

TEST(test_it_never_gives_up)
{
    struct colony_restart_state past = {0};

    for (int i = 0; i < 100000; i++)
        (void)restart_delay(&exact, &past, 0, 7);
    assert_int_equal(restart_delay(&exact, &past, 0, 7), exact.cap_ms);
}

TEST(test_a_cap_below_the_first_delay_is_kept)
{
    struct colony_restart_policy policy = {.base_ms = 500, .cap_ms = 20, .reset_ms = 1000};
    struct colony_restart_state past = {0};

    assert_int_equal(restart_delay(&policy, &past, 0, 7), 0);
    assert_int_equal(restart_delay(&policy, &past, 0, 7), 20);
}

TEST(test_the_default_is_what_the_design_says)
{
    assert_int_equal(colony_restart_default.base_ms, 100);
    assert_int_equal(colony_restart_default.cap_ms, 60000);
    assert_int_equal(colony_restart_default.reset_ms, 10000);
    assert_int_equal(colony_restart_default.jitter_percent, 10);
}

enum {
    HISTORY = 60, /* ends of one random history */
};

static uint32_t below(uint32_t *seed, uint32_t limit)
{
    return next_random(seed) % limit;
}

/* Any policy there can be: with times of one size, so that all of its rules meet. */
static struct colony_restart_policy any_policy(uint32_t *seed)
{
    struct colony_restart_policy policy = {
        .when = below(seed, 8) == 0 ? 1 + below(seed, 2) : RESTART_ALWAYS,
        .expected = {1 | (uint64_t)next_random(seed) << 8, 0, 0, (uint64_t)next_random(seed) << 32},
        .first_ms = below(seed, 2) ? 0 : below(seed, 300),
        .base_ms = below(seed, 4) ? 1 + below(seed, 500) : 0,
        .reset_ms = 1 + below(seed, 2000),
        .factor = 1 + below(seed, 300) / 100.0,
        .jitter_percent = below(seed, 2) ? 0 : below(seed, 101),
        .attempts = below(seed, 2) ? 0 : 1 + below(seed, 6),
        .window_ms = 1 + below(seed, 3000),
        .retry_in_ms = below(seed, 4) ? 1 + below(seed, 5000) : 0,
        .max_retries = below(seed, 4) ? below(seed, 4) : COLONY_RESTART_NO_LIMIT,
        .is_shared = below(seed, 2),
    };

    policy.cap_ms = policy.base_ms + policy.first_ms + below(seed, 5000);
    return policy;
}

/* The schedule written down once more, plainly: it keeps every end there was. */
struct model {
    uint64_t ends[HISTORY];
    unsigned end_count; /* since it was last down */
    unsigned retries;
    unsigned in_a_row;
};

static bool is_model_success(const struct colony_restart_policy *policy,
                             const struct colony_restart_end *end)
{
    for (int code = 0; code < 256; code++)
        if ((policy->expected[code >> 6] & UINT64_C(1) << (code & 63)) && end->has_status &&
            end->exit_status == code)
            return true;
    return false;
}

static bool is_model_too_often(const struct colony_restart_policy *policy, struct model *model,
                               const struct colony_restart_end *end)
{
    if (policy->attempts == 0)
        return false;
    if (end->ran_ms > policy->window_ms)
        model->retries = 0;
    model->ends[model->end_count++] = end->at_ms;
    if (model->end_count < policy->attempts)
        return false;
    if (end->at_ms - model->ends[model->end_count - policy->attempts] <= policy->window_ms)
        return true;
    model->retries = 0;
    return false;
}

/* Without the jitter. */
static double model_delay(const struct colony_restart_policy *policy, struct model *model,
                          uint64_t ran_ms)
{
    double delay_ms = (double)policy->base_ms;

    if (ran_ms >= policy->reset_ms) {
        model->in_a_row = policy->first_ms > 0 ? 0 : 1;
        return 0;
    }
    if (++model->in_a_row == 1)
        return (double)policy->first_ms;
    for (unsigned i = 2; i < model->in_a_row && delay_ms < 1e9; i++)
        delay_ms *= policy->factor;
    return delay_ms < (double)policy->cap_ms ? delay_ms : (double)policy->cap_ms;
}

static enum colony_restart_verdict model_decide(const struct colony_restart_policy *policy,
                                                struct model *model,
                                                const struct colony_restart_end *end,
                                                double *delay_ms)
{
    bool is_success = is_model_success(policy, end);

    *delay_ms = 0;
    if (policy->when == RESTART_NEVER || (is_success && policy->when == RESTART_ON_FAILURE))
        return is_success ? RESTART_COMPLETE : RESTART_FAIL;
    if (!is_model_too_often(policy, model, end)) {
        *delay_ms = model_delay(policy, model, end->ran_ms);
        return RESTART_START;
    }
    model->end_count = 0;
    model->in_a_row = 0;
    if (policy->retry_in_ms == 0 || model->retries == policy->max_retries)
        return RESTART_GIVE_UP;
    model->retries++;
    *delay_ms = (double)policy->retry_in_ms;
    return RESTART_FLAPS;
}

static struct colony_restart_end random_end(uint32_t *seed, uint64_t now_ms)
{
    struct colony_restart_end end = {.at_ms = now_ms,
                                     .ran_ms = below(seed, 3) ? below(seed, 50) : below(seed, 4000),
                                     .has_status = below(seed, 4) > 0,
                                     .exit_status = below(seed, 2) ? 0 : (int)below(seed, 256)};

    end.at_ms += end.ran_ms;
    return end;
}

/* One history under @policy; what verdicts there were is counted in @seen. */
static void follow(const struct colony_restart_policy *policy, uint32_t *seed, unsigned seen[5])
{
    struct colony_restart_state past = {0};
    struct model model = {0};
    uint64_t now_ms = below(seed, 1000);

    for (int i = 0; i < HISTORY; i++) {
        struct colony_restart_end end = random_end(seed, now_ms);
        struct colony_restart_decision decision =
            colony_restart_decide(policy, &past, &end, next_random(seed));
        double wanted_ms;
        enum colony_restart_verdict verdict = model_decide(policy, &model, &end, &wanted_ms);
        double span_ms =
            verdict == RESTART_START ? wanted_ms * policy->jitter_percent / 100 + 1.001 : 0;

        assert_int_equal(decision.verdict, verdict);
        assert_true((double)decision.delay_ms >= wanted_ms - span_ms);
        assert_true((double)decision.delay_ms <= wanted_ms + span_ms);
        assert_true(wanted_ms > 0 || decision.delay_ms == 0);
        assert_true(decision.delay_ms <= policy->cap_ms * 2 + policy->retry_in_ms);
        now_ms = end.at_ms + decision.delay_ms;
        seen[verdict]++;
        if (verdict > RESTART_FLAPS) { /* a user starts it again */
            colony_restart_clear(&past);
            model = (struct model){0};
        }
    }
    colony_restart_clear(&past);
}

TEST(test_every_policy_decides_as_the_plain_model)
{
    unsigned seen[5] = {0};
    uint32_t seed = 5;

    for (int i = 0; i < ROUNDS; i++) {
        struct colony_restart_policy policy = any_policy(&seed);

        follow(&policy, &seed, seen);
    }
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        assert_in_range(seen[i], 1000, ROUNDS * HISTORY); /* each verdict was tried */
}

/* gaffer's documented numbers: 2, 1., 7., 5 */
static const struct colony_restart_policy gaffer = {.when = RESTART_ALWAYS,
                                                    .expected = {1},
                                                    .reset_ms = 1,
                                                    .factor = 1,
                                                    .attempts = 2,
                                                    .window_ms = 1000,
                                                    .retry_in_ms = 7000,
                                                    .max_retries = 5,
                                                    .is_shared = true};

static struct colony_restart_decision end_at(const struct colony_restart_policy *policy,
                                             struct colony_restart_state *past, uint64_t at_ms,
                                             uint64_t ran_ms)
{
    const struct colony_restart_end end = {.at_ms = at_ms, .ran_ms = ran_ms};

    return colony_restart_decide(policy, past, &end, 7);
}

TEST(test_gaffers_flapping_retries_five_times_and_gives_up)
{
    struct colony_restart_state past = {0};
    struct colony_restart_decision decision;
    uint64_t now_ms = 0;

    for (int retry = 0; retry < 5; retry++) {
        decision = end_at(&gaffer, &past, now_ms, 0);
        assert_int_equal(decision.verdict, RESTART_START);
        assert_int_equal(decision.delay_ms, 0);
        now_ms += 1000; /* the window's last moment */
        decision = end_at(&gaffer, &past, now_ms, 1000);
        assert_int_equal(decision.verdict, RESTART_FLAPS);
        assert_int_equal(decision.delay_ms, 7000);
        now_ms += 7000;
    }
    assert_int_equal(end_at(&gaffer, &past, now_ms, 0).verdict, RESTART_START);
    assert_int_equal(end_at(&gaffer, &past, now_ms, 0).verdict, RESTART_GIVE_UP);
    colony_restart_clear(&past);
    assert_int_equal(end_at(&gaffer, &past, now_ms, 0).verdict, RESTART_START);
    colony_restart_clear(&past);
}

TEST(test_gaffers_flapping_forgets_when_ends_are_wider_apart_than_the_window)
{
    struct colony_restart_state past = {0};

    for (uint64_t now_ms = 0; now_ms < 1000000; now_ms += 1001) {
        struct colony_restart_decision decision = end_at(&gaffer, &past, now_ms, 1001);

        assert_int_equal(decision.verdict, RESTART_START);
        assert_int_equal(decision.delay_ms, 0);
    }
    colony_restart_clear(&past);
}

TEST(test_a_run_longer_than_the_window_gives_all_retries_back)
{
    struct colony_restart_state past = {0};
    uint64_t now_ms = 0;

    for (int round = 0; round < 20; round++) {
        now_ms += 1001;
        assert_int_equal(end_at(&gaffer, &past, now_ms, 1001).verdict, RESTART_START);
        assert_int_equal(end_at(&gaffer, &past, now_ms, 0).verdict, RESTART_FLAPS);
        assert_int_equal(past.retries, 1);
        now_ms += 7000;
    }
    colony_restart_clear(&past);
}

TEST(test_after_being_down_the_delays_begin_anew)
{
    struct colony_restart_policy policy = exact;
    struct colony_restart_state past = {0};

    policy.attempts = 4;
    policy.window_ms = 1000;
    policy.retry_in_ms = 5000;
    policy.max_retries = COLONY_RESTART_NO_LIMIT;
    for (uint64_t now_ms = 0; now_ms < 100 * 10000; now_ms += 10000) {
        assert_int_equal(end_at(&policy, &past, now_ms, 0).delay_ms, 0);
        assert_int_equal(end_at(&policy, &past, now_ms, 0).delay_ms, 100);
        assert_int_equal(end_at(&policy, &past, now_ms + 100, 0).delay_ms, 200);
        assert_int_equal(end_at(&policy, &past, now_ms + 300, 0).verdict, RESTART_FLAPS);
    }
    colony_restart_clear(&past);
}

/* As when settings are loaded again while it runs. */
TEST(test_the_policy_may_change_at_any_time)
{
    struct colony_restart_state past = {0};
    struct colony_restart_policy policy = gaffer;

    for (uint32_t attempts = 1; attempts < 50; attempts++) {
        policy.attempts = attempts * 37 % 50;
        for (unsigned i = 1; i < policy.attempts; i++)
            assert_int_equal(end_at(&policy, &past, 0, 0).verdict, RESTART_START);
        if (policy.attempts > 0)
            assert_int_not_equal(end_at(&policy, &past, 0, 0).verdict, RESTART_START);
    }
    colony_restart_clear(&past);
}

/* Twisted's process monitor, as it is written there. */
static uint64_t twisted_delay(uint64_t *delay_ms, uint64_t ran_ms, const uint64_t times[3])
{
    uint64_t next_ms = 0;

    if (ran_ms < times[0]) {
        next_ms = *delay_ms;
        *delay_ms = *delay_ms * 2 < times[2] ? *delay_ms * 2 : times[2];
    } else {
        *delay_ms = times[1];
    }
    return next_ms;
}

TEST(test_ncolonys_rule_is_that_of_twisted)
{
    uint32_t seed = 6;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t min_ms = below(&seed, 5) ? below(&seed, 3000) : 0;
        const uint64_t times[3] = {below(&seed, 3000), min_ms, min_ms + below(&seed, 1000000)};
        struct colony_restart_policy policy = colony_restart_ncolony(times[0], times[1], times[2]);
        struct colony_restart_state past = {0};
        uint64_t delay_ms = min_ms;

        for (int j = 0; j < HISTORY; j++) {
            uint64_t ran_ms = below(&seed, 10) ? below(&seed, 500) : below(&seed, 6000);

            assert_int_equal(restart_delay(&policy, &past, ran_ms, next_random(&seed)),
                             twisted_delay(&delay_ms, ran_ms, times));
        }
    }
}

TEST(test_ncolonys_defaults_double_from_a_second_to_an_hour)
{
    struct colony_restart_policy policy = colony_restart_ncolony(1000, 1000, 3600000);
    struct colony_restart_state past = {0};

    for (uint64_t wanted_ms = 1000; wanted_ms < 3600000; wanted_ms *= 2)
        assert_int_equal(restart_delay(&policy, &past, 999, 7), wanted_ms);
    assert_int_equal(restart_delay(&policy, &past, 0, 7), 3600000);
    assert_int_equal(restart_delay(&policy, &past, 1000, 7), 0);
    assert_int_equal(restart_delay(&policy, &past, 0, 7), 1000);
    policy = colony_restart_ncolony(1000, 5000, 500);
    colony_restart_clear(&past);
    assert_int_equal(restart_delay(&policy, &past, 0, 7), 500);
    assert_int_equal(restart_delay(&policy, &past, 0, 7), 500);
    policy = colony_restart_ncolony(UINT64_MAX, UINT64_MAX, UINT64_MAX);
    colony_restart_clear(&past);
    assert_true(restart_delay(&policy, &past, 0, 7) == UINT64_MAX);
    assert_true(restart_delay(&policy, &past, 0, 7) == UINT64_MAX);
}

TEST(test_only_expected_codes_are_a_success)
{
    struct colony_restart_policy policy = {.expected = {0, 2, 0, UINT64_C(1) << 63}};
    struct colony_restart_end end = {.has_status = true};

    for (end.exit_status = -1; end.exit_status < 300; end.exit_status++)
        assert_int_equal(colony_restart_is_expected(&policy, &end),
                         end.exit_status == 65 || end.exit_status == 255);
    end = (struct colony_restart_end){.exit_status = 65}; /* a signal, or it never ran */
    assert_false(colony_restart_is_expected(&policy, &end));
}

TEST(test_the_least_time_of_flapping_is_what_the_delays_add_up_to)
{
    struct colony_restart_policy policy = exact;

    assert_int_equal(colony_restart_least_ms(&policy), 0);
    policy.attempts = 1;
    assert_int_equal(colony_restart_least_ms(&policy), 0);
    policy.attempts = 5;
    assert_int_equal(colony_restart_least_ms(&policy), 0 + 100 + 200 + 400);
    policy.jitter_percent = 10;
    assert_int_equal(colony_restart_least_ms(&policy), 90 + 180 + 360);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_restart_comes_at_once),
        cmocka_unit_test(test_delays_double_up_to_the_cap),
        cmocka_unit_test(test_without_jitter_every_schedule_is_exact),
        cmocka_unit_test(test_jitter_stays_within_its_share_of_the_delay),
        cmocka_unit_test(test_jitter_reaches_both_ends_of_its_share),
        cmocka_unit_test(test_any_random_number_will_do),
        cmocka_unit_test(test_a_long_run_forgets_all_before_it),
        cmocka_unit_test(test_a_run_just_too_short_forgets_nothing),
        cmocka_unit_test(test_it_never_gives_up),
        cmocka_unit_test(test_a_cap_below_the_first_delay_is_kept),
        cmocka_unit_test(test_the_default_is_what_the_design_says),
        cmocka_unit_test(test_every_policy_decides_as_the_plain_model),
        cmocka_unit_test(test_gaffers_flapping_retries_five_times_and_gives_up),
        cmocka_unit_test(test_gaffers_flapping_forgets_when_ends_are_wider_apart_than_the_window),
        cmocka_unit_test(test_a_run_longer_than_the_window_gives_all_retries_back),
        cmocka_unit_test(test_after_being_down_the_delays_begin_anew),
        cmocka_unit_test(test_the_policy_may_change_at_any_time),
        cmocka_unit_test(test_ncolonys_rule_is_that_of_twisted),
        cmocka_unit_test(test_ncolonys_defaults_double_from_a_second_to_an_hour),
        cmocka_unit_test(test_only_expected_codes_are_a_success),
        cmocka_unit_test(test_the_least_time_of_flapping_is_what_the_delays_add_up_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
