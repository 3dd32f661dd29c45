/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cron.h"
#include "core/error.h"
#include "core/zone.h"

enum {
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400,
};

static struct colony_zone *load(const char *name)
{
    struct colony_zone *zone = NULL;
    struct colony_error err = {0};

    if (colony_zone_load(&zone, name, &err) < 0)
        fail_msg("%s", err.message);
    return zone;
}

static struct colony_cron parse(const char *text)
{
    struct colony_cron cron = {0};
    struct colony_error err = {0};

    if (colony_cron_parse(&cron, text, &err) < 0)
        fail_msg("%s", err.message);
    return cron;
}

/* "2026-03-29 01:30:00" as UTC. */
static int64_t utc(const char *text)
{
    struct tm parts = {0};

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &parts));
    return timegm(&parts);
}

/* What its clocks show, as "29 01:30". */
static void show(const struct colony_zone *zone, int64_t at, char text[32])
{
    time_t local = (time_t)(at + colony_zone_offset(zone, at));
    struct tm parts;

    assert_non_null(gmtime_r(&local, &parts));
    assert_int_equal(parts.tm_sec, 0);
    assert_true(strftime(text, 32, "%m-%d %H:%M", &parts) > 0);
}

/* The times of @text after @after in @name are @expected, parted by commas, on its clocks. */
static void assert_times(const char *text, const char *name, const char *after,
                         const char *expected)
{
    const struct colony_cron cron = parse(text);
    struct colony_zone *zone = load(name);
    char found[512] = "";
    int64_t at = utc(after);
    size_t used = 0;

    while (used < strlen(expected)) {
        char one[32];

        at = colony_cron_next(&cron, zone, at);
        show(zone, at, one);
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%s", used ? "," : "", one);
    }
    assert_string_equal(found, expected);
    colony_zone_free(zone);
}

static void assert_refused(const char *text, const char *reason)
{
    struct colony_cron cron;
    struct colony_error err = {0};

    assert_int_equal(colony_cron_parse(&cron, text, &err), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    if (strncmp(err.message, "cannot use", 10) != 0 || !strstr(err.message, reason))
        fail_msg("`%s`: %s", text, err.message);
}

TEST(test_fields_are_values_ranges_steps_lists_and_names)
{
    assert_times("*/15 * * * *", "UTC", "2026-01-01 00:00:00",
                 "01-01 00:15,01-01 00:30,01-01 00:45");
    assert_times("5-20/10,59 3 * * *", "UTC", "2026-01-01 00:00:00",
                 "01-01 03:05,01-01 03:15,01-01 03:59,01-02 03:05");
    assert_times("0 0 1 JAN-mar,dec *", "UTC", "2026-01-01 00:00:00",
                 "02-01 00:00,03-01 00:00,12-01 00:00,01-01 00:00");
    assert_times("30 4 * * Mon-wed,7", "UTC", "2026-01-01 00:00:00", /* a Thursday */
                 "01-04 04:30,01-05 04:30,01-06 04:30,01-07 04:30,01-11 04:30");
    assert_times("0 0 * * 5-7", "UTC", "2026-01-01 00:00:00",
                 "01-02 00:00,01-03 00:00,01-04 00:00,01-09 00:00");
    assert_times("\t0   12\t*  * * ", "UTC", "2026-01-01 00:00:00", "01-01 12:00,01-02 12:00");
}

TEST(test_nicknames_stand_for_their_fields)
{
    assert_times("@hourly", "UTC", "2026-01-01 00:00:00", "01-01 01:00,01-01 02:00");
    assert_times("@daily", "UTC", "2026-01-01 00:00:00", "01-02 00:00,01-03 00:00");
    assert_times("@midnight", "UTC", "2026-01-01 00:00:00", "01-02 00:00");
    assert_times("@Weekly ", "UTC", "2026-01-01 00:00:00", "01-04 00:00,01-11 00:00");
    assert_times("@monthly", "UTC", "2026-01-01 00:00:00", "02-01 00:00,03-01 00:00");
    assert_times(" @yearly", "UTC", "2026-06-01 00:00:00", "01-01 00:00");
    assert_times("@annually", "UTC", "2026-06-01 00:00:00", "01-01 00:00");
}

TEST(test_one_of_two_days_is_enough_unless_one_begins_with_a_star)
{
    assert_times("0 0 13 * fri", "UTC", "2026-01-01 00:00:00",
                 "01-02 00:00,01-09 00:00,01-13 00:00,01-16 00:00");
    assert_times("0 0 13 * *", "UTC", "2026-01-01 00:00:00", "01-13 00:00,02-13 00:00");
    assert_times("0 0 * * fri", "UTC", "2026-01-01 00:00:00", "01-02 00:00,01-09 00:00");
    /* as in cron(5): both must be so */
    assert_times("0 0 */2 * fri", "UTC", "2026-01-01 00:00:00", "01-09 00:00,01-23 00:00");
}

TEST(test_leap_days_come_when_they_do)
{
    assert_times("0 0 29 2 *", "UTC", "2026-01-01 00:00:00", "02-29 00:00,02-29 00:00");
    assert_int_equal(colony_cron_next(&(struct colony_cron){0}, NULL, 0), COLONY_CRON_NEVER);
    {
        const struct colony_cron cron = parse("0 0 29 2 *");

        assert_int_equal(colony_cron_next(&cron, NULL, INT64_MAX), COLONY_CRON_NEVER);
        assert_int_equal(colony_cron_next(&cron, NULL, INT64_MIN), COLONY_CRON_NEVER);
    }
    {
        struct colony_zone *zone = load("UTC");
        const struct colony_cron cron = parse("0 0 29 2 *");

        /* 2100 has none */
        assert_int_equal(colony_cron_next(&cron, zone, utc("2096-03-01 00:00:00")),
                         utc("2104-02-29 00:00:00"));
        colony_zone_free(zone);
    }
}

TEST(test_what_berlin_skips_runs_once_right_after_it)
{
    assert_times("30 2 * * *", "Europe/Berlin", "2026-03-27 22:00:00",
                 "03-28 02:30,03-29 03:00,03-30 02:30");
    assert_times("0,30 2 * * *", "Europe/Berlin", "2026-03-28 22:00:00",
                 "03-29 03:00,03-30 02:00,03-30 02:30");
    assert_times("0 3 * * *", "Europe/Berlin", "2026-03-28 22:00:00", "03-29 03:00,03-30 03:00");
    assert_times("*/30 * * * *", "Europe/Berlin", "2026-03-29 00:00:00",
                 "03-29 01:30,03-29 03:00,03-29 03:30");
}

TEST(test_what_comes_twice_in_berlin_runs_the_first_time)
{
    assert_times("30 2 * * *", "Europe/Berlin", "2026-10-24 22:00:00", "10-25 02:30,10-26 02:30");
    assert_times("*/20 2 * * *", "Europe/Berlin", "2026-10-24 22:00:00",
                 "10-25 02:00,10-25 02:20,10-25 02:40,10-26 02:00");
    assert_times("0 3 * * *", "Europe/Berlin", "2026-10-24 22:00:00", "10-25 03:00,10-26 03:00");
    /* asked while it comes again */
    assert_times("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00", "10-26 02:30");
}

TEST(test_each_minute_of_every_hour_goes_by_what_the_clock_shows)
{
    assert_times("*/30 * * * *", "Europe/Berlin", "2026-10-24 23:30:00",
                 "10-25 02:00,10-25 02:30,10-25 02:00,10-25 02:30,10-25 03:00");
    assert_times("@hourly", "America/New_York", "2026-11-01 04:30:00",
                 "11-01 01:00,11-01 01:00,11-01 02:00");
    assert_times("*/30 * * * *", "Europe/Berlin", "2026-10-25 01:10:00", "10-25 02:30,10-25 03:00");
}

TEST(test_new_york_changes_at_two)
{
    assert_times("15 2 * * *", "America/New_York", "2026-03-07 12:00:00",
                 "03-08 03:00,03-09 02:15");
    assert_times("15 1 * * *", "America/New_York", "2026-10-31 12:00:00",
                 "11-01 01:15,11-02 01:15");
}

TEST(test_lord_howe_changes_by_half_an_hour)
{
    /* on 4 October 2026 2:00 is followed by 2:30; on 5 April 2:00 by 1:30 */
    assert_times("15 2 * * *", "Australia/Lord_Howe", "2026-10-02 20:00:00",
                 "10-04 02:30,10-05 02:15");
    assert_times("45 2 * * *", "Australia/Lord_Howe", "2026-10-02 20:00:00",
                 "10-04 02:45,10-05 02:45");
    assert_times("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 00:00:00",
                 "04-05 01:45,04-06 01:45");
    assert_times("15 1,2 * * *", "Australia/Lord_Howe", "2026-04-04 06:00:00",
                 "04-05 01:15,04-05 02:15,04-06 01:15");
}

TEST(test_what_is_wrong_is_told_with_its_field)
{
    assert_refused("", "empty");
    assert_refused("   ", "empty");
    assert_refused("* * * *", "4 fields instead of five");
    assert_refused("*", "1 field instead");
    assert_refused("0 * * * * *", "6 fields instead");
    assert_refused("60 * * * *", "the minute `60` of `60 * * * *`: it goes from 0 to 59");
    assert_refused("99999999999999999999 * * * *", "it goes from 0 to 59");
    assert_refused("* 24 * * *", "the hour `24`");
    assert_refused("* * 0 * *", "the day of the month `0`");
    assert_refused("* * 32 * *", "the day of the month `32`");
    assert_refused("* * * 13 *", "the month `13`");
    assert_refused("* * * * 8", "the day of the week `8`");
    assert_refused("* * * janu *", "the month `janu`");
    assert_refused("* * * * mo", "neither a number nor a name");
    assert_refused("mon * * * *", "it is not a number");
    assert_refused("-5 * * * *", "it is not a number");
    assert_refused("1,,2 * * * *", "beside a comma");
    assert_refused(",1 * * * *", "beside a comma");
    assert_refused("1, * * * *", "beside a comma");
    assert_refused("*/0 * * * *", "1 or more");
    assert_refused("*/60 * * * *", "leads out");
    assert_refused("*/x * * * *", "the step is not a number");
    assert_refused("5/15 * * * *", "behind `*` or a range");
    assert_refused("1-2-3 * * * *", "neither *");
    assert_refused("*-5 * * * *", "neither *");
    assert_refused("** * * * *", "neither *");
    assert_refused("10-5 * * * *", "backwards");
    assert_refused("* * * * fri-mon", "backwards");
    assert_refused("1- * * * *", "it is not a number");
    assert_refused("? * * * *", "it is not a number");
    assert_refused("@reboot", "it is no time");
    assert_refused("@often", "@hourly");
}

TEST(test_what_never_comes_is_refused)
{
    assert_refused("0 0 30 2 *", "it never comes");
    assert_refused("0 0 31 4,6,9,11 *", "it never comes");
    (void)parse("0 0 30 2 1"); /* on Mondays */
    (void)parse("0 0 29 2 *");
}

/* --- against each minute, one by one --------------------------------------------------------- */

/* An expression, and what it means without the parser. */
struct sample {
    char text[256];
    bool allows[5][60];
    bool is_any[5];
};

static uint64_t seed = 88172645463325252U;

static unsigned pick(unsigned count)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % count);
}

static void make_field(struct sample *sample, unsigned index)
{
    static const unsigned least[] = {0, 0, 1, 1, 0};
    static const unsigned most[] = {59, 23, 31, 12, 7};
    unsigned min = least[index];
    unsigned max = most[index];
    size_t used = strlen(sample->text);
    unsigned items = 1 + pick(3);

    if (pick(3) == 0) { /* a star, perhaps with a step */
        unsigned step = pick(2) ? 1 : 1 + pick(max == 7 ? 6 : max - min);

        sample->is_any[index] = true;
        (void)snprintf(sample->text + used, sizeof sample->text - used, "*/%u ", step);
        for (unsigned i = min; i <= (max == 7 ? 6 : max); i += step)
            sample->allows[index][i] = true;
        return;
    }
    for (unsigned item = 0; item < items; item++) {
        unsigned from = min + pick(max - min + 1);
        unsigned to = pick(2) ? from : from + pick(max - from + 1);
        unsigned step = to > from ? 1 + pick(5) : 1;

        used += (size_t)snprintf(sample->text + used, sizeof sample->text - used,
                                 to > from ? "%u-%u/%u" : "%u", from, to, step);
        used += (size_t)snprintf(sample->text + used, sizeof sample->text - used, "%s",
                                 item + 1 < items ? "," : " ");
        for (unsigned i = from; i <= to; i += step)
            sample->allows[index][max == 7 && i == 7 ? 0 : i] = true;
    }
}

static bool is_meant(const struct sample *sample, int64_t local)
{
    time_t time = (time_t)local;
    struct tm parts;
    bool has_day;
    bool has_weekday;

    assert_non_null(gmtime_r(&time, &parts));
    has_day = sample->allows[2][parts.tm_mday];
    has_weekday = sample->allows[4][parts.tm_wday];
    return sample->allows[0][parts.tm_min] && sample->allows[1][parts.tm_hour] &&
           sample->allows[3][parts.tm_mon + 1] &&
           (sample->is_any[2] || sample->is_any[4] ? has_day && has_weekday
                                                   : has_day || has_weekday);
}

static bool has_every_hour(const struct sample *sample)
{
    for (unsigned hour = 0; hour < 24; hour++)
        if (!sample->allows[1][hour])
            return false;
    return true;
}

/* Whether it runs at @at, where clocks have shown everything up to @shown before. */
static bool runs_at(const struct sample *sample, int64_t local, int64_t shown)
{
    if (local <= shown && !has_every_hour(sample))
        return false; /* again */
    for (int64_t skipped = shown + MINUTE; skipped < local; skipped += MINUTE)
        if (is_meant(sample, skipped))
            return true;
    return is_meant(sample, local);
}

/* Steps through @days from @from: at each minute it runs or not, as colony_cron_next says. */
static void walk(const struct sample *sample, const struct colony_zone *zone, int64_t from,
                 unsigned days)
{
    const struct colony_cron cron = parse(sample->text);
    int64_t next = colony_cron_next(&cron, zone, from);
    int64_t shown = from + colony_zone_offset(zone, from);

    for (int64_t at = from + MINUTE; at <= from + (int64_t)days * DAY; at += MINUTE) {
        int64_t local = at + colony_zone_offset(zone, at);

        if (runs_at(sample, local, shown) != (at == next))
            fail_msg("`%s` at %lld: next is %lld", sample->text, (long long)at, (long long)next);
        if (at == next)
            next = colony_cron_next(&cron, zone, at);
        if (local > shown)
            shown = local;
    }
    assert_true(next > from + (int64_t)days * DAY || next == COLONY_CRON_NEVER);
}

static void make_sample(struct sample *sample)
{
    struct colony_cron cron;

    do {
        memset(sample, 0, sizeof *sample);
        for (unsigned i = 0; i < 5; i++)
            make_field(sample, i);
    } while (colony_cron_parse(&cron, sample->text, NULL) < 0);
}

TEST(test_random_expressions_run_as_minute_stepping_says)
{
    static const char *const names[] = {"UTC",          "Europe/Berlin",       "America/New_York",
                                        "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca"};
    const int64_t first = 1767225600; /* 2026 */

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct colony_zone *zone = load(names[i]);

        for (unsigned round = 0; round < 40; round++) {
            struct sample sample;

            make_sample(&sample);
            walk(&sample, zone, first + (int64_t)pick(3000) * DAY, 40);
        }
        colony_zone_free(zone);
    }
}

TEST(test_random_expressions_hold_around_changes_of_clocks)
{
    static const struct {
        const char *name;
        const char *changes[2];
    } zones[] = {
        {"Europe/Berlin", {"2026-03-29 01:00:00", "2026-10-25 01:00:00"}},
        {"America/New_York", {"2026-03-08 07:00:00", "2026-11-01 06:00:00"}},
        {"Australia/Lord_Howe", {"2026-04-04 15:00:00", "2026-10-03 15:30:00"}},
        {"Europe/Berlin", {"2060-03-28 01:00:00", "2060-10-31 01:00:00"}}, /* by its rule */
    };

    for (unsigned i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct colony_zone *zone = load(zones[i].name);

        for (unsigned round = 0; round < 400; round++) {
            int64_t change = utc(zones[i].changes[round % 2]);
            struct sample sample;

            assert_int_not_equal(colony_zone_offset(zone, change),
                                 colony_zone_offset(zone, change - 1));
            make_sample(&sample);
            walk(&sample, zone, change - DAY - (int64_t)pick(HOUR) / MINUTE * MINUTE, 2);
        }
        colony_zone_free(zone);
    }
}

TEST(test_asked_at_any_second_the_same_comes_next)
{
    struct colony_zone *zone = load("Europe/Berlin");
    const int64_t change = utc("2026-10-25 01:00:00");

    for (unsigned round = 0; round < 300; round++) {
        int64_t at = change - 2 * HOUR + (int64_t)pick(4 * HOUR);
        struct sample sample;
        struct colony_cron cron;
        int64_t next;

        make_sample(&sample);
        cron = parse(sample.text);
        next = colony_cron_next(&cron, zone, at);
        assert_true(next > at);
        assert_int_equal(colony_cron_next(&cron, zone, at + (next - at) / 2), next);
        assert_int_equal(colony_cron_next(&cron, zone, next - 1), next);
    }
    colony_zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_values_ranges_steps_lists_and_names),
        cmocka_unit_test(test_nicknames_stand_for_their_fields),
        cmocka_unit_test(test_one_of_two_days_is_enough_unless_one_begins_with_a_star),
        cmocka_unit_test(test_leap_days_come_when_they_do),
        cmocka_unit_test(test_what_berlin_skips_runs_once_right_after_it),
        cmocka_unit_test(test_what_comes_twice_in_berlin_runs_the_first_time),
        cmocka_unit_test(test_each_minute_of_every_hour_goes_by_what_the_clock_shows),
        cmocka_unit_test(test_new_york_changes_at_two),
        cmocka_unit_test(test_lord_howe_changes_by_half_an_hour),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_field),
        cmocka_unit_test(test_what_never_comes_is_refused),
        cmocka_unit_test(test_random_expressions_run_as_minute_stepping_says),
        cmocka_unit_test(test_random_expressions_hold_around_changes_of_clocks),
        cmocka_unit_test(test_asked_at_any_second_the_same_comes_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
