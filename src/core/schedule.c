/* SPDX-License-Identifier: Apache-2.0 */
#include "core/schedule.h"

#include <stdio.h>
#include <time.h>

#include "core/calendar.h"
#include "core/zone.h"

enum {
    SECOND_MS = 1000,
};

#define AGAIN_MS INT64_C(10800000) /* as cron(8): set back by up to so much, nothing runs again */
#define LEFT_MS_MAX UINT64_C(3153600000000) /* a hundred years */

const char *const colony_overlap_names[] = {
    [OVERLAP_SKIP] = "skip", [OVERLAP_QUEUE] = "queue", [OVERLAP_KILL] = "kill", NULL};

struct colony_moment colony_moment_now(void)
{
    struct timespec boot;
    struct timespec wall;

    (void)clock_gettime(CLOCK_BOOTTIME, &boot);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    return (struct colony_moment){
        .boot_ms = (uint64_t)boot.tv_sec * SECOND_MS + (uint64_t)boot.tv_nsec / 1000000,
        .wall_ms = (int64_t)wall.tv_sec * SECOND_MS + wall.tv_nsec / 1000000,
    };
}

/* In milliseconds; what never comes is as far away as can be. */
static int64_t next_time(const struct colony_schedule *schedule, int64_t after_ms)
{
    int64_t next = colony_cron_next(&schedule->cron, schedule->zone,
                                    colony_calendar_divide(after_ms, SECOND_MS));

    return next == COLONY_CRON_NEVER ? INT64_MAX : next * SECOND_MS;
}

static void draw_jitter(const struct colony_schedule *schedule, struct colony_schedule_plan *plan,
                        uint32_t random)
{
    plan->jitter_ms = schedule->jitter_ms > 0 ? random % (schedule->jitter_ms + 1) : 0;
}

void colony_schedule_begin(const struct colony_schedule *schedule,
                           struct colony_schedule_plan *plan, const struct colony_moment *now,
                           uint32_t random)
{
    *plan = (struct colony_schedule_plan){.boot_ms = now->boot_ms};
    if (schedule->every_ms > 0)
        return; /* at once */
    plan->wall_ms = next_time(schedule, now->wall_ms);
    draw_jitter(schedule, plan, random);
}

void colony_schedule_resume(const struct colony_schedule *schedule,
                            struct colony_schedule_plan *plan, const struct colony_moment *last,
                            uint32_t random)
{
    *plan = (struct colony_schedule_plan){.boot_ms = last->boot_ms + schedule->every_ms};
    if (schedule->every_ms == 0)
        plan->wall_ms = next_time(schedule, last->wall_ms);
    draw_jitter(schedule, plan, random);
}

void colony_schedule_advance(const struct colony_schedule *schedule,
                             struct colony_schedule_plan *plan, const struct colony_moment *now,
                             uint32_t random)
{
    draw_jitter(schedule, plan, random);
    if (schedule->every_ms > 0) {
        uint64_t late_ms = now->boot_ms > plan->boot_ms ? now->boot_ms - plan->boot_ms : 0;

        plan->boot_ms += (late_ms / schedule->every_ms + 1) * schedule->every_ms;
        return;
    }
    plan->last_ms = plan->wall_ms;
    plan->wall_ms =
        next_time(schedule, now->wall_ms > plan->last_ms ? now->wall_ms : plan->last_ms);
}

void colony_schedule_replan(const struct colony_schedule *schedule,
                            struct colony_schedule_plan *plan, const struct colony_moment *now)
{
    int64_t after_ms = now->wall_ms;
    int64_t next_ms;

    if (schedule->every_ms > 0 || plan->wall_ms <= now->wall_ms)
        return; /* it is due: that comes first */
    if (plan->last_ms > after_ms && plan->last_ms - after_ms <= AGAIN_MS)
        after_ms = plan->last_ms;
    next_ms = next_time(schedule, after_ms);
    if (next_ms < plan->wall_ms)
        plan->wall_ms = next_ms;
}

uint64_t colony_schedule_left_ms(const struct colony_schedule *schedule,
                                 const struct colony_schedule_plan *plan,
                                 const struct colony_moment *now)
{
    uint64_t left_ms = 0;

    if (schedule->every_ms > 0) {
        uint64_t due_ms = plan->boot_ms + plan->jitter_ms;

        left_ms = due_ms > now->boot_ms ? due_ms - now->boot_ms : 0;
    } else if (plan->wall_ms > now->wall_ms) {
        left_ms = (uint64_t)plan->wall_ms - (uint64_t)now->wall_ms + plan->jitter_ms;
    } else if ((uint64_t)(now->wall_ms - plan->wall_ms) < plan->jitter_ms) {
        left_ms = plan->jitter_ms - (uint64_t)(now->wall_ms - plan->wall_ms);
    }
    return left_ms < LEFT_MS_MAX ? left_ms : LEFT_MS_MAX;
}

void colony_schedule_format(const struct colony_schedule *schedule, int64_t at, char *text,
                            size_t size)
{
    int64_t offset = colony_zone_offset(schedule->zone, at);
    int64_t local = at + offset;
    int64_t day = colony_calendar_divide(local, COLONY_DAY_SECONDS);
    struct colony_date date = colony_calendar_date(day);
    unsigned second = (unsigned)(local - day * COLONY_DAY_SECONDS);
    unsigned ahead = (unsigned)(offset < 0 ? -offset : offset) / 60;

    (void)snprintf(text, size, "%04lld-%02u-%02u %02u:%02u:%02u %c%02u:%02u", (long long)date.year,
                   date.month, date.day, second / 3600, second / 60 % 60, second % 60,
                   offset < 0 ? '-' : '+', ahead / 60, ahead % 60);
}

void colony_schedule_clear(struct colony_schedule *schedule)
{
    colony_zone_free(schedule->zone);
    *schedule = (struct colony_schedule){0};
}
