/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.h - when something that is run again and again is to run: each so long, or by a cron
 * expression. Pure: what time it is is the caller's.
 *
 * What is due each so long follows the clock that never goes back and counts sleep; what is due by
 * an expression follows the wall clock. When that is set, colony_schedule_replan must be called
 * (clock_watch.h tells). Times that were missed are made up for once.
 */
#ifndef COLONY_CORE_SCHEDULE_H
#define COLONY_CORE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cron.h"

struct colony_error;
struct colony_zone;

enum colony_overlap {
    OVERLAP_SKIP,  /* what is due while the last run goes on is left out */
    OVERLAP_QUEUE, /* it comes right after that, once */
    OVERLAP_KILL,  /* the last run is ended for it */
};

struct colony_schedule {
    uint64_t every_ms; /* 0: by `cron` */
    struct colony_cron cron;
    struct colony_zone *zone; /* owned; NULL: the process's own */
    uint64_t timeout_ms;      /* a run is ended after so long; 0: never */
    uint64_t jitter_ms;       /* each wait is longer by up to so much, at random */
    enum colony_overlap overlap;
};

/* One moment on both clocks. */
struct colony_moment {
    uint64_t boot_ms;
    int64_t wall_ms;
};

/* What comes next. All zero: nothing yet. */
struct colony_schedule_plan {
    uint64_t boot_ms;   /* `every`: when it is due */
    int64_t wall_ms;    /* `cron`: the same */
    int64_t last_ms;    /* `cron`: what was due last, 0 at first */
    uint64_t jitter_ms; /* after that */
};

/* "skip", "queue", "kill", NULL. */
extern const char *const colony_overlap_names[];

/* What time it is. */
struct colony_moment colony_moment_now(void);

/* The first run: `every` at once, `cron` at its next time. @random is any number. */
void colony_schedule_begin(const struct colony_schedule *schedule,
                           struct colony_schedule_plan *plan, const struct colony_moment *now,
                           uint32_t random);

/* The same where the last run began at @last: what has come since then is due at once. */
void colony_schedule_resume(const struct colony_schedule *schedule,
                            struct colony_schedule_plan *plan, const struct colony_moment *last,
                            uint32_t random);

/* What was planned is due, and is done: plans the one after it. */
void colony_schedule_advance(const struct colony_schedule *schedule,
                             struct colony_schedule_plan *plan, const struct colony_moment *now,
                             uint32_t random);

/*
 * The wall clock was set. What it has jumped over is due; when it was set back by up to three
 * hours, what has run does not run again, and beyond that it is a new day. What counts on the other
 * clock stays as it is.
 */
void colony_schedule_replan(const struct colony_schedule *schedule,
                            struct colony_schedule_plan *plan, const struct colony_moment *now);

/* How long until it is due; 0: it is. */
uint64_t colony_schedule_left_ms(const struct colony_schedule *schedule,
                                 const struct colony_schedule_plan *plan,
                                 const struct colony_moment *now);

/* For people: "2026-03-29 03:00:00 +02:00", as the clocks of its zone show @at, seconds in UTC. */
void colony_schedule_format(const struct colony_schedule *schedule, int64_t at, char *text,
                            size_t size);

/* Frees what it owns. */
void colony_schedule_clear(struct colony_schedule *schedule);

#endif
