/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_schedule.c - templates that are run again and again (`schedule`): each of their slots
 * waits until it is time, runs, and waits again.
 *
 * When that is has one plan and one timer a template, for all of its slots. An engine that takes
 * over makes the plan anew from the last start that the table knows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock_watch.h"
#include "core/engine_internal.h"
#include "core/log.h"
#include "core/schedule.h"
#include "core/zone.h"

enum {
    TIME_SIZE = 64,
    AWAY_MS_MAX = 5000, /* what it takes to begin anew is far less */
};

struct entry_schedule {
    struct template_entry *entry;
    struct colony_timer timer;
    struct colony_schedule_plan plan;
    bool is_planned;
};

static struct entry_schedule *of_timer(struct colony_timer *timer)
{
    return (struct entry_schedule *)((char *)timer - offsetof(struct entry_schedule, timer));
}

static uint32_t some_number(void)
{
    uint32_t number = 0;

    if (uv_random(NULL, NULL, &number, sizeof number, 0, NULL) < 0)
        return (uint32_t)uv_hrtime();
    return number;
}

static const struct colony_schedule *settings_of(const struct entry_schedule *own)
{
    return own->entry->template->schedule;
}

/* One that is to run once is not run again, whatever the schedule says. */
bool engine_schedule_has(const struct slot *slot)
{
    return slot->entry->schedule && !slot->is_once;
}

/* --- the plan -------------------------------------------------------------------------------- */

static void on_time(struct colony_timer *timer);

static void arm(struct entry_schedule *own)
{
    struct colony_engine *engine = own->entry->engine;
    const struct colony_moment now = colony_moment_now();
    uint64_t left_ms;

    if (!own->is_planned || !own->entry->is_wanted || engine->is_stopping) {
        colony_timer_stop(engine->timers, &own->timer);
        return;
    }
    left_ms = colony_schedule_left_ms(settings_of(own), &own->plan, &now);
    /* The loop's clock has other milliseconds: one more, or it could wake too early. */
    colony_timer_start(engine->timers, &own->timer, on_time, left_ms > 0 ? left_ms + 1 : 0);
}

/* When its slots were started last, by the clocks of now. False: never, as far as is known. */
static bool find_last(const struct template_entry *entry, const struct colony_moment *now,
                      struct colony_moment *last)
{
    uint64_t last_ms = 0;

    for (uint32_t i = 0; i < entry->slot_count; i++) {
        const struct colony_record *record = engine_slot_record(entry->slots[i]);

        if (record && record->claimed_boot_ns / 1000000 > last_ms)
            last_ms = record->claimed_boot_ns / 1000000;
    }
    if (last_ms == 0 || last_ms > now->boot_ms)
        return false;
    last->boot_ms = last_ms;
    last->wall_ms = now->wall_ms - (int64_t)(now->boot_ms - last_ms);
    return true;
}

/* As soon as somebody asks, so that all that is known of its slots is known. */
static void make_plan(struct entry_schedule *own)
{
    const struct colony_moment now = colony_moment_now();
    struct colony_moment last;

    if (own->is_planned)
        return;
    own->is_planned = true;
    if (find_last(own->entry, &now, &last)) {
        colony_schedule_resume(settings_of(own), &own->plan, &last, some_number());
        return;
    }
    last = now;
    last.wall_ms -= (int64_t)own->entry->engine->away_ms;
    colony_schedule_begin(settings_of(own), &own->plan, &last, some_number());
}

/* The table tells nothing of what has never run. The keeper was there before: so long, and not
 * more, there may have been no engine. */
void engine_schedule_look_back(struct colony_engine *engine)
{
    uint64_t ticks = colony_proc_start_ticks(engine->keeper->keeper_pid);
    uint64_t started_ms = ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t now_ms = engine_boot_ms();
    uint64_t age_ms = ticks > 0 && now_ms > started_ms ? now_ms - started_ms : 0;

    engine->away_ms = age_ms < AWAY_MS_MAX ? age_ms : AWAY_MS_MAX;
}

/* --- when it is time ------------------------------------------------------------------------- */

/* The last run still goes on. */
static void overlap(struct slot *slot)
{
    switch (slot->entry->template->schedule->overlap) {
    case OVERLAP_SKIP:
        if (!slot->is_overdue)
            colony_log(SEVERITY_WARNING, "%s.%u still runs: what is due meanwhile is left out",
                       slot->entry->template->name, slot->number);
        slot->is_overdue = true; /* once a run is enough */
        break;
    case OVERLAP_QUEUE:
        slot->is_due = true;
        break;
    case OVERLAP_KILL:
        slot->is_due = true;
        if (slot->state == SLOT_STOPPING)
            break;
        engine_slot_because(slot, "it is time for its next run");
        slot->stop_is_due = true;
        break;
    }
}

static void run(struct slot *slot)
{
    if (!slot->is_wanted || slot->is_leaving || slot->is_once || slot->stop_is_due)
        return;
    if (engine_state_is_up(slot->state)) {
        overlap(slot);
        return;
    }
    slot->is_due = true;
    engine_slot_because(slot, "it was time by its schedule");
    engine_slot_begin(slot);
}

static void run_all(struct template_entry *entry)
{
    bool is_any_due = false; /* of those that are ended for it */

    for (uint32_t i = 0; i < entry->slot_count;) {
        struct slot *slot = entry->slots[i];

        run(slot);
        is_any_due |= slot->stop_is_due;
        if (i < entry->slot_count && entry->slots[i] == slot)
            i++; /* it has not been retired */
    }
    if (is_any_due)
        engine_gates_stop(entry);
}

static void on_time(struct colony_timer *timer)
{
    struct entry_schedule *own = of_timer(timer);
    const struct colony_schedule *schedule = settings_of(own);
    const struct colony_moment now = colony_moment_now();
    bool is_time = colony_schedule_left_ms(schedule, &own->plan, &now) == 0;

    if (is_time)
        colony_schedule_advance(schedule, &own->plan, &now, some_number());
    arm(own);
    if (is_time)
        run_all(own->entry);
}

/* The wall clock was set, or the machine has slept. */
static void on_clock_set(void *data)
{
    struct colony_engine *engine = data;
    const struct colony_moment now = colony_moment_now();

    tzset();
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next) {
        struct entry_schedule *own = entry->schedule;

        if (!own || !own->is_planned)
            continue;
        colony_schedule_replan(settings_of(own), &own->plan, &now);
        arm(own);
    }
}

/* --- what slots ask -------------------------------------------------------------------------- */

/* True when it is not time yet, and so it waits. */
bool engine_schedule_holds(struct slot *slot)
{
    struct entry_schedule *own = slot->entry->schedule;
    char text[CAUSE_SIZE];

    if (!engine_schedule_has(slot))
        return false;
    make_plan(own);
    arm(own);
    if (slot->is_due)
        return false;
    (void)engine_schedule_describe(slot, text, sizeof text);
    engine_slot_because(slot, "%s", text);
    engine_slot_handle(slot, SLOT_EVENT_WAIT);
    return true;
}

/* It has come up: what is due meanwhile is noticed, too. */
void engine_schedule_on_up(struct slot *slot)
{
    slot->is_overdue = false;
    if (!engine_schedule_has(slot))
        return;
    make_plan(slot->entry->schedule);
    arm(slot->entry->schedule);
}

/* After an end: a success is told as one, and either way it waits for its next time. */
void engine_schedule_follow(struct slot *slot, bool is_success)
{
    if (is_success)
        engine_slot_handle(slot, SLOT_EVENT_COMPLETE); /* which leads on */
    else
        engine_slot_begin(slot);
}

bool engine_schedule_describe(const struct slot *slot, char *text, size_t size)
{
    const struct entry_schedule *own = slot->entry->schedule;
    const struct colony_moment now = colony_moment_now();
    char time_text[TIME_SIZE];
    int64_t at_ms;

    if (!own || !own->is_planned || slot->is_due || slot->is_once)
        return false;
    at_ms = now.wall_ms + (int64_t)colony_schedule_left_ms(settings_of(own), &own->plan, &now);
    colony_schedule_format(settings_of(own), (at_ms + 500) / 1000, time_text, sizeof time_text);
    (void)snprintf(text, size, "waits until %s", time_text);
    return true;
}

bool engine_schedule_next(const struct slot *slot, uint64_t *left_ms)
{
    const struct entry_schedule *own = slot->entry->schedule;
    const struct colony_moment now = colony_moment_now();

    if (!own || !own->is_planned || !slot->is_wanted || slot->is_once)
        return false;
    *left_ms = slot->is_due ? 0 : colony_schedule_left_ms(settings_of(own), &own->plan, &now);
    return true;
}

/* A job that was done stays done while it waits for its next run. */
bool engine_schedule_is_done(const struct slot *slot)
{
    const struct colony_restart_end end = {
        .has_status = slot->has_exit && slot->exit_known && WIFEXITED(slot->wait_status),
        .exit_status = WEXITSTATUS(slot->wait_status),
    };

    return slot->state == SLOT_WAITING && engine_schedule_has(slot) && !slot->failure &&
           colony_restart_is_expected(slot->entry->template->restart, &end);
}

/* --- what users ask -------------------------------------------------------------------------- */

/* Those that do not run, or are to be restarted, run now; `every` counts from now on. */
void engine_schedule_want_now(struct template_entry *entry, bool is_restart)
{
    struct entry_schedule *own = entry->schedule;
    const struct colony_moment now = colony_moment_now();

    if (!own)
        return;
    colony_schedule_begin(settings_of(own), &own->plan, &now, some_number());
    if (settings_of(own)->every_ms > 0)
        colony_schedule_advance(settings_of(own), &own->plan, &now, some_number());
    own->is_planned = true;
    arm(own);
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        if (is_restart || slot->stop_is_due || slot->state == SLOT_STOPPING ||
            !engine_state_is_up(slot->state))
            slot->is_due = true;
    }
}

/* It is stopped: nothing is due until somebody starts it. */
void engine_schedule_forget(struct template_entry *entry)
{
    if (!entry->schedule)
        return;
    entry->schedule->is_planned = false;
    colony_timer_stop(entry->engine->timers, &entry->schedule->timer);
    for (uint32_t i = 0; i < entry->slot_count; i++)
        entry->slots[i]->is_due = false;
}

/* --- making and ending ----------------------------------------------------------------------- */

static void on_watch_closed(void *data)
{
    engine_on_part_closed(data);
}

/* Not before somebody needs it. */
static void watch_clock(struct colony_engine *engine)
{
    struct colony_error err;

    if (engine->clock_watch)
        return;
    if (colony_clock_watch_new(&engine->clock_watch, engine->loop, on_clock_set, engine, &err) < 0)
        colony_log(SEVERITY_ERROR, "%s: schedules are late when it is set", err.message);
    else
        engine->open_handles++;
}

static void drop(struct template_entry *entry)
{
    colony_timer_stop(entry->engine->timers, &entry->schedule->timer);
    colony_timers_remove(entry->engine->timers);
    free(entry->schedule);
    entry->schedule = NULL;
    for (uint32_t i = 0; i < entry->slot_count; i++)
        entry->slots[i]->is_due = false;
}

/* As its template says, which is another one now. -ENOMEM. */
int engine_schedule_link(struct template_entry *entry)
{
    struct entry_schedule *own = entry->schedule;

    if (!entry->template->schedule) {
        if (own)
            drop(entry);
        return 0;
    }
    watch_clock(entry->engine);
    if (own) { /* the plan is made anew from the last start */
        own->is_planned = false;
        colony_timer_stop(entry->engine->timers, &own->timer);
        return 0;
    }
    own = calloc(1, sizeof *own);
    if (!own || colony_timers_add(entry->engine->timers) < 0) {
        free(own);
        return -ENOMEM;
    }
    own->entry = entry;
    entry->schedule = own;
    return 0;
}

/* Its settings were changed while it ran or waited. */
void engine_schedule_look(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        if (entry->schedule && engine_state_is_up(slot->state))
            engine_schedule_on_up(slot);
        else if (slot->state == SLOT_WAITING && slot->is_wanted)
            engine_slot_begin(slot); /* now, when it has no schedule any more */
    }
}

void engine_schedule_unlink(struct template_entry *entry)
{
    if (entry->schedule)
        drop(entry);
}

void engine_schedule_close(struct colony_engine *engine)
{
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        engine_schedule_unlink(entry);
    colony_clock_watch_close(engine->clock_watch, on_watch_closed);
    engine->clock_watch = NULL;
}
