/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cron.h - the times that a cron expression stands for, as in cron(5).
 *
 * Five fields: minute, hour, day of the month, month, day of the week; each `*`, a value, a range
 * `A-B`, with a step `/N` behind `*` or a range, or a list of these; months and days of the week
 * have names, too; or one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly.
 * When neither day begins with `*`, one of the two is enough. Pure.
 *
 * Where clocks are changed: what they skip runs once, at the moment of the change; what comes twice
 * runs the first time only, unless the expression allows every hour, which then means each minute
 * that the clock shows.
 */
#ifndef COLONY_CORE_CRON_H
#define COLONY_CORE_CRON_H

#include <stdbool.h>
#include <stdint.h>

struct colony_error;
struct colony_zone;

enum {
    COLONY_CRON_NEVER = -1,
};

/* One bit a value. */
struct colony_cron {
    uint64_t minutes;
    uint32_t hours;
    uint32_t days;        /* of the month, 1 to 31 */
    uint16_t months;      /* 1 to 12 */
    uint8_t weekdays;     /* 0, Sunday, to 6 */
    bool has_any_day;     /* the field begins with `*` */
    bool has_any_weekday; /* the same */
};

/*
 * Reads @text. -EINVAL with a message that names the field, also when no day is ever meant
 * (`0 0 30 2 *`).
 */
int colony_cron_parse(struct colony_cron *cron, const char *text, struct colony_error *err);

/*
 * The first of its times after @after, both in seconds of the wall clock (UTC). Borrows @zone,
 * NULL: the process's own. COLONY_CRON_NEVER: none that can be told, far beyond all calendars.
 */
int64_t colony_cron_next(const struct colony_cron *cron, const struct colony_zone *zone,
                         int64_t after);

#endif
