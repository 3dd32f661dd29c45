/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calendar.h - days and dates, in the calendar of today, also before it was in use. Pure.
 *
 * Days are counted from 1 January 1970.
 */
#ifndef COLONY_CORE_CALENDAR_H
#define COLONY_CORE_CALENDAR_H

#include <stdint.h>

enum {
    COLONY_DAY_SECONDS = 86400,
};

struct colony_date {
    int64_t year;
    unsigned month;   /* 1 to 12 */
    unsigned day;     /* 1 to 31 */
    unsigned weekday; /* 0, Sunday, to 6 */
};

struct colony_date colony_calendar_date(int64_t day);

/* The day of a date; its weekday is not looked at. */
int64_t colony_calendar_day(int64_t year, unsigned month, unsigned day);

/* 28 to 31. */
unsigned colony_calendar_month_days(int64_t year, unsigned month);

/* Divides and rounds towards the past, as C does for what is not negative only. */
int64_t colony_calendar_divide(int64_t value, int64_t by);

#endif
