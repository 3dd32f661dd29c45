/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cron.h"

#include "core/calendar.h"
#include "core/cron_internal.h"
#include "core/zone.h"

enum {
    MINUTE = 60,
    DAY = COLONY_DAY_SECONDS,
    EVERY_HOUR = 0xffffff,
    YEARS_MAX = 41, /* from one 29 February that is a Monday to the next, over 2100 */
    DAYS_MAX = YEARS_MAX * 366,
};

/* A time beyond this is a mistake of the caller's, and could overflow. */
#define TIME_MAX (INT64_C(1) << 40)

/* --- times on a clock ------------------------------------------------------------------------ */

static bool is_day(const struct colony_cron *cron, int64_t day)
{
    struct colony_date date = colony_calendar_date(day);
    bool has_day = cron->days >> date.day & 1;
    bool has_weekday = cron->weekdays >> date.weekday & 1;

    if (!(cron->months >> date.month & 1))
        return false;
    return cron->has_any_day || cron->has_any_weekday ? has_day && has_weekday
                                                      : has_day || has_weekday;
}

/* The first minute of a day that is not before @from; -1: none. */
static int minute_of_day(const struct colony_cron *cron, unsigned from)
{
    for (unsigned hour = from / 60; hour < 24; hour++) {
        uint64_t minutes = cron->minutes;

        if (!(cron->hours >> hour & 1))
            continue;
        if (hour == from / 60)
            minutes &= ~UINT64_C(0) << from % 60;
        if (minutes)
            return (int)(hour * 60) + __builtin_ctzll(minutes);
    }
    return -1;
}

bool colony__cron_next_local(const struct colony_cron *cron, int64_t *local)
{
    int64_t minute = colony_calendar_divide(*local + MINUTE - 1, MINUTE);
    int64_t day = colony_calendar_divide(minute, DAY / MINUTE);
    unsigned from = (unsigned)(minute - day * (DAY / MINUTE));

    for (int64_t last = day + DAYS_MAX; day <= last; day++) {
        int found = is_day(cron, day) ? minute_of_day(cron, from) : -1;

        if (found >= 0) {
            *local = day * DAY + (int64_t)found * MINUTE;
            return true;
        }
        from = 0;
    }
    return false;
}

/* --- clocks that are changed ----------------------------------------------------------------- */

/* The moment after @from, and not after @to, at which the offset @before ends; it has at @to. */
static int64_t bisect(const struct colony_zone *zone, int64_t before, int64_t from, int64_t to)
{
    while (to - from > 1) {
        int64_t middle = from + (to - from) / 2;

        if (colony_zone_offset(zone, middle) == before)
            from = middle;
        else
            to = middle;
    }
    return to;
}

/* The first moment after @from, and not after @to, at which clocks are changed. False: none. */
static bool find_change(const struct colony_zone *zone, int64_t from, int64_t to, int64_t *change)
{
    int64_t before = colony_zone_offset(zone, from);

    while (from < to) {
        int64_t until = to - from > DAY ? from + DAY : to;

        if (colony_zone_offset(zone, until) != before) {
            *change = bisect(zone, before, from, until);
            return true;
        }
        from = until;
    }
    return false;
}

/* From when on, on the clock, a time after the change from @before to @offset counts. */
static int64_t floor_after(const struct colony_cron *cron, int64_t change, int64_t before,
                           int64_t offset)
{
    bool repeats = offset < before && cron->hours != EVERY_HOUR;

    return change + (repeats ? before : offset);
}

/* The same right after @after, which may be in the hour that comes again. */
static int64_t floor_at(const struct colony_cron *cron, const struct colony_zone *zone,
                        int64_t after)
{
    int64_t offset = colony_zone_offset(zone, after);
    int64_t local = after + 1 + offset;
    int64_t change = 0;
    int64_t least;

    if (!find_change(zone, after - DAY, after, &change))
        return local;
    least = floor_after(cron, change, colony_zone_offset(zone, change - 1), offset);
    return least > local ? least : local;
}

int64_t colony_cron_next(const struct colony_cron *cron, const struct colony_zone *zone,
                         int64_t after)
{
    int64_t local;
    int64_t offset;

    if (after > TIME_MAX || after < -TIME_MAX)
        return COLONY_CRON_NEVER;
    offset = colony_zone_offset(zone, after);
    local = floor_at(cron, zone, after);
    while (colony__cron_next_local(cron, &local)) {
        int64_t change = 0;
        int64_t before = offset;

        if (!find_change(zone, after, local - offset, &change))
            return local - offset;
        offset = colony_zone_offset(zone, change);
        if (local < change + offset)
            return change; /* skipped */
        local = floor_after(cron, change, before, offset);
        after = change;
    }
    return COLONY_CRON_NEVER;
}
