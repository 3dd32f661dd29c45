/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdlib.h>

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
