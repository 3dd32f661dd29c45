/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <string.h>

#include "core/schedule.h"
#include "core/zone.h"

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
};

/* 2026-01-01 00:00:00 UTC */
#define NEW_YEAR INT64_C(1767225600000)

static struct colony_schedule cron(const char *text)
{
    struct colony_schedule schedule = {0};

    assert_int_equal(colony_cron_parse(&schedule.cron, text, NULL), 0);
    assert_int_equal(colony_zone_load(&schedule.zone, "UTC", NULL), 0);
    return schedule;
}

static uint64_t left(const struct colony_schedule *schedule,
                     const struct colony_schedule_plan *plan, uint64_t boot_ms, int64_t wall_ms)
{
    const struct colony_moment now = {boot_ms, wall_ms};

    return colony_schedule_left_ms(schedule, plan, &now);
}

TEST(test_each_so_long_begins_at_once_and_keeps_its_beat)
{
    const struct colony_schedule schedule = {.every_ms = 10 * SECOND};
    struct colony_schedule_plan plan;
    struct colony_moment now = {5000, 0};

    colony_schedule_begin(&schedule, &plan, &now, 7);
    assert_int_equal(left(&schedule, &plan, 5000, 0), 0);
    now.boot_ms = 5003; /* a little late, as timers are */
    colony_schedule_advance(&schedule, &plan, &now, 7);
    assert_int_equal(left(&schedule, &plan, 5003, 0), 9997);
    now.boot_ms = 15001;
    colony_schedule_advance(&schedule, &plan, &now, 7);
    assert_int_equal(left(&schedule, &plan, 15001, 0), 9999);
}

TEST(test_what_was_missed_is_made_up_for_once)
{
    const struct colony_schedule schedule = {.every_ms = 10 * SECOND};
    struct colony_schedule_plan plan;
    const struct colony_moment last = {1000, 0};
    const struct colony_moment now = {48000, 0};

    colony_schedule_resume(&schedule, &plan, &last, 0);
    assert_int_equal(left(&schedule, &plan, 9000, 0), 2000);
    assert_int_equal(left(&schedule, &plan, 48000, 0), 0);
    colony_schedule_advance(&schedule, &plan, &now, 0);
    assert_int_equal(left(&schedule, &plan, 48000, 0), 3000); /* 51000: in the beat */
}

TEST(test_each_so_long_does_not_care_what_the_wall_clock_shows)
{
    const struct colony_schedule schedule = {.every_ms = 10 * SECOND};
    struct colony_schedule_plan plan;
    struct colony_moment now = {0, NEW_YEAR};

    colony_schedule_begin(&schedule, &plan, &now, 0);
    colony_schedule_advance(&schedule, &plan, &now, 0);
    now = (struct colony_moment){1000, NEW_YEAR - 1000 * (int64_t)HOUR};
    colony_schedule_replan(&schedule, &plan, &now);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 9000);
}

TEST(test_an_expression_waits_for_its_first_time)
{
    struct colony_schedule schedule = cron("*/5 * * * *");
    struct colony_schedule_plan plan;
    struct colony_moment now = {0, NEW_YEAR + MINUTE + 250};

    colony_schedule_begin(&schedule, &plan, &now, 0);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 4 * MINUTE - 250);
    now.wall_ms = NEW_YEAR + 5 * MINUTE;
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 0);
    colony_schedule_advance(&schedule, &plan, &now, 0);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 5 * MINUTE);
    colony_schedule_clear(&schedule);
}

TEST(test_a_clock_set_forward_makes_it_due_once)
{
    struct colony_schedule schedule = cron("*/5 * * * *");
    struct colony_schedule_plan plan;
    struct colony_moment now = {0, NEW_YEAR + MINUTE};

    colony_schedule_begin(&schedule, &plan, &now, 0);
    now.wall_ms += 2 * (int64_t)HOUR;
    colony_schedule_replan(&schedule, &plan, &now);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 0);
    colony_schedule_advance(&schedule, &plan, &now, 0);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 4 * MINUTE);
    colony_schedule_clear(&schedule);
}

TEST(test_a_clock_set_back_a_little_runs_nothing_again)
{
    struct colony_schedule schedule = cron("*/5 * * * *");
    struct colony_schedule_plan plan;
    struct colony_moment now = {0, NEW_YEAR + 4 * MINUTE};

    colony_schedule_begin(&schedule, &plan, &now, 0);
    now.wall_ms = NEW_YEAR + 5 * MINUTE;
    colony_schedule_advance(&schedule, &plan, &now, 0);
    now.wall_ms = NEW_YEAR + 5 * MINUTE - 300; /* a clock that was ahead */
    colony_schedule_replan(&schedule, &plan, &now);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 5 * MINUTE + 300);
    now.wall_ms -= 2 * (int64_t)HOUR;
    colony_schedule_replan(&schedule, &plan, &now);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 2 * HOUR + 5 * MINUTE + 300);
    colony_schedule_clear(&schedule);
}

TEST(test_a_clock_set_back_by_days_begins_anew)
{
    struct colony_schedule schedule = cron("*/5 * * * *");
    struct colony_schedule_plan plan;
    struct colony_moment now = {0, NEW_YEAR + 5 * MINUTE};

    colony_schedule_begin(&schedule, &plan, &now, 0);
    colony_schedule_advance(&schedule, &plan, &now, 0);
    now.wall_ms -= 48 * (int64_t)HOUR;
    colony_schedule_replan(&schedule, &plan, &now);
    assert_int_equal(colony_schedule_left_ms(&schedule, &plan, &now), 5 * MINUTE);
    colony_schedule_clear(&schedule);
}

TEST(test_a_run_before_a_restart_is_not_repeated_and_the_next_not_missed)
{
    struct colony_schedule schedule = cron("0 * * * *");
    struct colony_schedule_plan plan;
    const struct colony_moment last = {0, NEW_YEAR + 20}; /* it ran at 0:00 */

    colony_schedule_resume(&schedule, &plan, &last, 0);
    assert_int_equal(left(&schedule, &plan, 0, NEW_YEAR + SECOND), HOUR - SECOND);
    assert_int_equal(left(&schedule, &plan, 0, NEW_YEAR + HOUR + SECOND),
                     0); /* while it was down */
    colony_schedule_clear(&schedule);
}

TEST(test_jitter_makes_waits_longer_and_does_not_add_up)
{
    struct colony_schedule schedule = {.every_ms = 10 * SECOND, .jitter_ms = 100};
    struct colony_schedule_plan plan;
    struct colony_moment now = {0, 0};

    colony_schedule_begin(&schedule, &plan, &now, 50);
    assert_int_equal(left(&schedule, &plan, 0, 0), 0); /* at once is at once */
    for (unsigned i = 1; i < 100; i++) {
        colony_schedule_advance(&schedule, &plan, &now, i * 2654435761U);
        now.boot_ms += left(&schedule, &plan, now.boot_ms, 0);
        assert_in_range(now.boot_ms, i * 10000, i * 10000 + 100);
    }
    schedule = cron("* * * * *");
    schedule.jitter_ms = 100;
    now = (struct colony_moment){0, NEW_YEAR};
    colony_schedule_begin(&schedule, &plan, &now, 60);
    assert_int_equal(left(&schedule, &plan, 0, NEW_YEAR), MINUTE + 60);
    assert_int_equal(left(&schedule, &plan, 0, NEW_YEAR + MINUTE + 59), 1);
    assert_int_equal(left(&schedule, &plan, 0, NEW_YEAR + MINUTE + 60), 0);
    colony_schedule_clear(&schedule);
}

TEST(test_times_are_shown_as_the_clocks_of_the_zone_do)
{
    struct colony_schedule schedule = {0};
    char text[64];

    assert_int_equal(colony_zone_load(&schedule.zone, "America/New_York", NULL), 0);
    colony_schedule_format(&schedule, NEW_YEAR / 1000, text, sizeof text);
    assert_string_equal(text, "2025-12-31 19:00:00 -05:00");
    colony_schedule_clear(&schedule);
    assert_int_equal(colony_zone_load(&schedule.zone, "Asia/Kolkata", NULL), 0);
    colony_schedule_format(&schedule, NEW_YEAR / 1000, text, sizeof text);
    assert_string_equal(text, "2026-01-01 05:30:00 +05:30");
    colony_schedule_clear(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_so_long_begins_at_once_and_keeps_its_beat),
        cmocka_unit_test(test_what_was_missed_is_made_up_for_once),
        cmocka_unit_test(test_each_so_long_does_not_care_what_the_wall_clock_shows),
        cmocka_unit_test(test_an_expression_waits_for_its_first_time),
        cmocka_unit_test(test_a_clock_set_forward_makes_it_due_once),
        cmocka_unit_test(test_a_clock_set_back_a_little_runs_nothing_again),
        cmocka_unit_test(test_a_clock_set_back_by_days_begins_anew),
        cmocka_unit_test(test_a_run_before_a_restart_is_not_repeated_and_the_next_not_missed),
        cmocka_unit_test(test_jitter_makes_waits_longer_and_does_not_add_up),
        cmocka_unit_test(test_times_are_shown_as_the_clocks_of_the_zone_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
