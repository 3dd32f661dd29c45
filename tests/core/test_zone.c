/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/calendar.h"
#include "core/error.h"
#include "core/zone.h"
#include "core/zone_internal.h"

/* libc's word on it. */
static int64_t offset_of_libc(int64_t at)
{
    time_t time = (time_t)at;
    struct tm parts;

    assert_non_null(localtime_r(&time, &parts));
    return parts.tm_gmtoff;
}

TEST(test_offsets_are_those_of_libc)
{
    static const char *const names[] = {
        "UTC",          "Europe/Berlin",     "America/New_York",  "Australia/Lord_Howe",
        "Asia/Kolkata", "Africa/Casablanca", "Europe/Dublin",     "America/Nuuk",
        "Asia/Gaza",    "Pacific/Apia",      "America/Sao_Paulo", "Asia/Tehran"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct colony_zone *zone = NULL;
        struct colony_error err = {0};

        assert_int_equal(setenv("TZ", names[i], 1), 0);
        tzset();
        if (colony_zone_load(&zone, names[i], &err) < 0)
            fail_msg("%s", err.message);
        for (int64_t at = -86400LL * 365; at < 86400LL * 365 * 110; at += 5 * 3600 + 7)
            if (colony_zone_offset(zone, at) != offset_of_libc(at))
                fail_msg("%s at %lld: %lld and %lld", names[i], (long long)at,
                         (long long)colony_zone_offset(zone, at), (long long)offset_of_libc(at));
        assert_int_equal(colony_zone_offset(NULL, 1780000000), offset_of_libc(1780000000));
        colony_zone_free(zone);
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void assert_refused(const char *name, int code, const char *reason)
{
    struct colony_zone *zone = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony_zone_load(&zone, name, &err), code);
    assert_non_null(strstr(err.message, "cannot use the time zone"));
    if (!strstr(err.message, reason))
        fail_msg("%s", err.message);
    assert_null(zone);
}

TEST(test_what_is_no_zone_is_refused)
{
    assert_refused("", -EINVAL, "a name such as");
    assert_refused("/etc/localtime", -EINVAL, "a name such as");
    assert_refused("../../../etc/localtime", -EINVAL, "a name such as");
    assert_refused("Europe/", -EINVAL, "a name such as");
    assert_refused("Europe/Atlantis", -ENOENT, "none of that name");
    assert_refused("Europe", -EINVAL, "no file of a zone");
    assert_refused("zone1970.tab", -EINVAL, "a name such as");
}

TEST(test_damaged_files_are_refused)
{
    char bytes[200] = "TZif2";
    struct colony_zone *zone = NULL;

    for (size_t size = 0; size < sizeof bytes; size++)
        assert_int_equal(colony_zone_parse(&zone, "X", bytes, size, NULL), -EINVAL);
    memset(bytes + 5, 0xff, sizeof bytes - 5);
    assert_int_equal(colony_zone_parse(&zone, "X", bytes, sizeof bytes, NULL), -EINVAL);
}

TEST(test_rules_of_posix_are_read)
{
    static const char *const good[] = {"UTC0",
                                       "CET-1CEST,M3.5.0,M10.5.0/3",
                                       "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                       "IST-1GMT0,M10.5.0,M3.5.0/1",
                                       "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                       "EST5EDT,0/0,J365/25"};
    static const char *const bad[] = {"",
                                      "C-1",
                                      "CET",
                                      "CET-1CEST",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.0.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1CEST,M3.5.0,M10.5.0/168",
                                      "CET-1CEST,M3.5.0,M10.5.0 ",
                                      "CET-25",
                                      "<CET-1",
                                      "CET-1:60"};
    struct colony__zone_rule rule;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(colony__zone_rule_parse(&rule, good[i]), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (colony__zone_rule_parse(&rule, bad[i]) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
}

TEST(test_dates_are_those_of_libc)
{
    for (int64_t day = -40000; day < 80000; day++) {
        time_t time = (time_t)(day * COLONY_DAY_SECONDS);
        struct colony_date date = colony_calendar_date(day);
        struct tm parts;

        assert_non_null(gmtime_r(&time, &parts));
        assert_int_equal(date.year, parts.tm_year + 1900);
        assert_int_equal(date.month, parts.tm_mon + 1);
        assert_int_equal(date.day, parts.tm_mday);
        assert_int_equal(date.weekday, parts.tm_wday);
        assert_int_equal(colony_calendar_day(date.year, date.month, date.day), day);
    }
    assert_int_equal(colony_calendar_month_days(2028, 2), 29);
    assert_int_equal(colony_calendar_month_days(2100, 2), 28);
    assert_int_equal(colony_calendar_month_days(2026, 12), 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_are_those_of_libc),
        cmocka_unit_test(test_what_is_no_zone_is_refused),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test(test_rules_of_posix_are_read),
        cmocka_unit_test(test_dates_are_those_of_libc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
