/* SPDX-License-Identifier: Apache-2.0 */
/* zone_internal.h - the rule that a zone goes on by after the last change its file tells. */
#ifndef COLONY_CORE_ZONE_INTERNAL_H
#define COLONY_CORE_ZONE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum colony__zone_day {
    ZONE_DAY_JULIAN,   /* Jn: 1 to 365, a leap day is not counted */
    ZONE_DAY_OF_YEAR,  /* n: 0 to 365 */
    ZONE_DAY_OF_MONTH, /* Mm.w.d */
};

/* When clocks are changed, each year. */
struct colony__zone_change {
    enum colony__zone_day kind;
    unsigned month;
    unsigned week; /* 1 to 5, 5: the last */
    unsigned day;  /* of the week or of the year */
    int32_t time;  /* seconds of the day, as the clocks show before it */
};

/* A text such as CET-1CEST,M3.5.0,M10.5.0/3. Offsets are what is added to UTC. */
struct colony__zone_rule {
    int32_t standard;
    int32_t summer;
    bool has_summer;
    struct colony__zone_change begin;
    struct colony__zone_change end;
};

/* Reads a rule of POSIX (TZ without a file) as RFC 8536 extends it. -EINVAL. */
int colony__zone_rule_parse(struct colony__zone_rule *rule, const char *text);

int64_t colony__zone_rule_offset(const struct colony__zone_rule *rule, int64_t at);

#endif
