/* SPDX-License-Identifier: Apache-2.0 */
/* zone_rule.c - `CET-1CEST,M3.5.0,M10.5.0/3`: what follows the last change that a file tells. */
#include <errno.h>
#include <string.h>

#include "core/calendar.h"
#include "core/zone_internal.h"

enum {
    HOUR = 3600,
    OFFSET_HOURS_MAX = 24,
    TIME_HOURS_MAX = 167, /* RFC 8536, 3.3.1 */
    NAME_MIN = 3,
    YEAR_DAYS_MAX = 365,
};

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Each reader gives what follows, or NULL. */

static const char *read_number(const char *at, unsigned min, unsigned max, unsigned *out)
{
    unsigned number = 0;
    const char *start = at;

    for (; *at >= '0' && *at <= '9' && number <= max; at++)
        number = number * 10 + (unsigned)(*at - '0');
    if (at == start || number < min || number > max)
        return NULL;
    *out = number;
    return at;
}

/* CET or <+0530>. */
static const char *read_name(const char *at)
{
    const char *start = at;

    if (*at == '<') {
        at = strchr(at, '>');
        return at ? at + 1 : NULL;
    }
    while (is_letter(*at))
        at++;
    return at - start >= NAME_MIN ? at : NULL;
}

/* [+-]hh[:mm[:ss]] */
static const char *read_time(const char *at, unsigned hours_max, int32_t *out)
{
    unsigned parts[3] = {0};
    bool is_negative = *at == '-';

    if (*at == '-' || *at == '+')
        at++;
    for (size_t i = 0; i < 3; i++) {
        if (i > 0 && *at != ':')
            break;
        at = read_number(i > 0 ? at + 1 : at, 0, i > 0 ? 59 : hours_max, &parts[i]);
        if (!at)
            return NULL;
    }
    *out = (int32_t)(parts[0] * HOUR + parts[1] * 60 + parts[2]);
    if (is_negative)
        *out = -*out;
    return at;
}

static const char *read_day(const char *at, struct colony__zone_change *change)
{
    if (*at == 'J') {
        change->kind = ZONE_DAY_JULIAN;
        return read_number(at + 1, 1, YEAR_DAYS_MAX, &change->day);
    }
    if (*at != 'M') {
        change->kind = ZONE_DAY_OF_YEAR;
        return read_number(at, 0, YEAR_DAYS_MAX, &change->day);
    }
    change->kind = ZONE_DAY_OF_MONTH;
    at = read_number(at + 1, 1, 12, &change->month);
    at = at && *at == '.' ? read_number(at + 1, 1, 5, &change->week) : NULL;
    return at && *at == '.' ? read_number(at + 1, 0, 6, &change->day) : NULL;
}

/* ,DAY[/TIME] */
static const char *read_change(const char *at, struct colony__zone_change *change)
{
    if (*at != ',')
        return NULL;
    change->time = 2 * HOUR;
    at = read_day(at + 1, change);
    return at && *at == '/' ? read_time(at + 1, TIME_HOURS_MAX, &change->time) : at;
}

int colony__zone_rule_parse(struct colony__zone_rule *rule, const char *text)
{
    struct colony__zone_rule read = {0};
    const char *at = read_name(text);

    at = at ? read_time(at, OFFSET_HOURS_MAX, &read.standard) : NULL;
    if (!at)
        return -EINVAL;
    read.standard = -read.standard; /* there it is what leads to UTC */
    read.has_summer = *at != '\0';
    if (read.has_summer) {
        at = read_name(at);
        if (!at)
            return -EINVAL;
        read.summer = read.standard + HOUR;
        if (*at != ',') {
            at = read_time(at, OFFSET_HOURS_MAX, &read.summer);
            read.summer = -read.summer;
        }
        at = at ? read_change(at, &read.begin) : NULL;
        at = at ? read_change(at, &read.end) : NULL;
        if (!at || *at != '\0')
            return -EINVAL;
    }
    *rule = read;
    return 0;
}

static int64_t day_of(const struct colony__zone_change *change, int64_t year)
{
    int64_t first = colony_calendar_day(year, 1, 1);
    unsigned weekday;
    unsigned day;

    switch (change->kind) {
    case ZONE_DAY_JULIAN:
        return first + change->day - 1 +
               (change->day >= 60 && colony_calendar_month_days(year, 2) == 29);
    case ZONE_DAY_OF_YEAR:
        return first + change->day;
    case ZONE_DAY_OF_MONTH:
        break;
    }
    first = colony_calendar_day(year, change->month, 1);
    weekday = colony_calendar_date(first).weekday;
    day = (change->day + 7 - weekday) % 7 + (change->week - 1) * 7;
    if (day >= colony_calendar_month_days(year, change->month))
        day -= 7;
    return first + day;
}

int64_t colony__zone_rule_offset(const struct colony__zone_rule *rule, int64_t at)
{
    int64_t begin;
    int64_t end;
    int64_t year;
    bool is_summer;

    if (!rule->has_summer)
        return rule->standard;
    year =
        colony_calendar_date(colony_calendar_divide(at + rule->standard, COLONY_DAY_SECONDS)).year;
    begin = day_of(&rule->begin, year) * COLONY_DAY_SECONDS + rule->begin.time - rule->standard;
    end = day_of(&rule->end, year) * COLONY_DAY_SECONDS + rule->end.time - rule->summer;
    is_summer = begin < end ? at >= begin && at < end : at >= begin || at < end;
    return is_summer ? rule->summer : rule->standard;
}
