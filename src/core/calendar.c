/* SPDX-License-Identifier: Apache-2.0 */
/* calendar.c - years that begin in March: a leap day is then a year's last. */
#include "core/calendar.h"

enum {
    ERA_YEARS = 400,
    ERA_DAYS = 146097,
    EPOCH = 719468, /* 1 January 1970 from 1 March of the year 0 */
};

int64_t colony_calendar_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

struct colony_date colony_calendar_date(int64_t day)
{
    int64_t shifted = day + EPOCH;
    int64_t era = colony_calendar_divide(shifted, ERA_DAYS);
    int64_t of_era = shifted - era * ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0: March */
    int64_t weekday = (day + 4) % 7;         /* it was a Thursday */

    return (struct colony_date){
        .year = year + era * ERA_YEARS + (month >= 10),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
        .weekday = (unsigned)(weekday < 0 ? weekday + 7 : weekday),
    };
}

int64_t colony_calendar_day(int64_t year, unsigned month, unsigned day)
{
    int64_t shifted = year - (month <= 2);
    int64_t era = colony_calendar_divide(shifted, ERA_YEARS);
    int64_t of_era = shifted - era * ERA_YEARS;
    int64_t of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH;
}

unsigned colony_calendar_month_days(int64_t year, unsigned month)
{
    int64_t next =
        month == 12 ? colony_calendar_day(year + 1, 1, 1) : colony_calendar_day(year, month + 1, 1);

    return (unsigned)(next - colony_calendar_day(year, month, 1));
}
