/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_run.c - what a living process is watched for, beside its end: whether it is ready and well
 * (engine_health.c), its watchdog, its age, and what it uses. Most templates ask for none of it and
 * have no slot_run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/log.h"
#include "core/ready.h"
#include "core/stats.h"

enum {
    STATUS_SIZE = 257,
    AWAY_MS = 50,    /* a deadline that is found to be over by more than this */
    LOOK_EVERY = 10, /* samples of COLONY_STATS_MS between two looks at what it uses, at most */
};

struct slot_run {
    struct slot *slot;
    struct colony_ready *ready; /* NULL: nothing tells */
    struct slot_health *health; /* engine_health.c; NULL: nobody looks */
    struct colony_stats_watch *watch;
    uint64_t start_deadline_ms; /* CLOCK_BOOTTIME, as all here; 0: none */
    uint64_t watchdog_deadline_ms;
    bool is_put_off; /* once, because colony itself was away */
    uint64_t age_deadline_ms;
    uint64_t timeout_deadline_ms; /* of a run by schedule */
    uint64_t above_since_ms;      /* 0: it is not above its limits */
    char status[STATUS_SIZE];
    char tried[CAUSE_SIZE / 2]; /* how the last try to find it ready failed */
};

/* 0: none. */
static uint64_t timeout_of(const struct colony_template *template)
{
    return template->schedule ? template->schedule->timeout_ms : 0;
}

static bool is_watched(const struct colony_template *template)
{
    return template->ready->kind != READY_NONE || template->watchdog_ms > 0 ||
           template->health->kind != HEALTH_NONE || template->max_age_ms > 0 ||
           timeout_of(template) > 0 || template->restart_above->memory_bytes > 0 ||
           template->restart_above->cpu_percent > 0;
}

static bool needs_ready(const struct colony_template *template)
{
    return template->ready->kind != READY_NONE || template->watchdog_ms > 0;
}

const struct slot_health *engine_run_health(const struct slot *slot)
{
    return slot->run ? slot->run->health : NULL;
}

const char *engine_run_status(const struct slot *slot)
{
    return slot->run ? slot->run->status : "";
}

/* Then the slot's timer is that of the deadlines here. */
static bool lives(const struct slot *slot)
{
    return slot->state == SLOT_RUNNING || slot->state == SLOT_READY;
}

/* Deadlines. */

static uint64_t nearest(const struct slot_run *run)
{
    const uint64_t deadlines[] = {run->start_deadline_ms, run->watchdog_deadline_ms,
                                  run->age_deadline_ms, run->timeout_deadline_ms,
                                  engine_health_due(run->health)};
    uint64_t first = 0;

    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++)
        if (deadlines[i] != 0 && (first == 0 || deadlines[i] < first))
            first = deadlines[i];
    return first;
}

static bool is_over(uint64_t deadline_ms, uint64_t now)
{
    return deadline_ms != 0 && deadline_ms <= now;
}

/*
 * Who looks this late (stopped, suspended, starved) did not listen meanwhile, and what it waits for
 * may have been away with it: it gets its time again, once.
 */
static bool put_off(struct slot *slot, uint64_t now)
{
    struct slot_run *run = slot->run;

    if (run->is_put_off || (!is_over(run->start_deadline_ms, now - AWAY_MS) &&
                            !is_over(run->watchdog_deadline_ms, now - AWAY_MS)))
        return false;
    run->is_put_off = true;
    run->start_deadline_ms = 0;
    run->watchdog_deadline_ms = 0;
    engine_run_arm(slot);
    return true;
}

static void on_deadline(struct colony_timer *timer)
{
    struct slot *slot = engine_timed_slot(timer);
    const struct colony_template *template = slot->entry->template;
    const struct slot_run *run = slot->run;
    uint64_t now = engine_boot_ms();

    if (put_off(slot, now))
        return;
    if (is_over(run->start_deadline_ms, now)) {
        engine_slot_because(slot, "was not ready within %.1f s%s%s",
                            (double)template->start_timeout_ms / 1000, run->tried[0] ? ": " : "",
                            run->tried);
        engine_slot_fail(slot);
    } else if (is_over(run->watchdog_deadline_ms, now)) {
        engine_slot_because(slot, "did not tell its watchdog for %.1f s",
                            (double)template->watchdog_ms / 1000);
        engine_slot_fail(slot);
    } else if (is_over(run->age_deadline_ms, now)) {
        engine_slot_because(slot, "has run for max_age");
        slot->restarts++;
        engine_slot_handle(slot, SLOT_EVENT_STOP);
    } else if (is_over(run->timeout_deadline_ms, now)) {
        engine_slot_because(slot, "took longer than its timeout of %.1f s",
                            (double)timeout_of(template) / 1000);
        engine_slot_fail(slot);
    } else if (is_over(engine_health_due(run->health), now)) {
        engine_health_check(run->health);
    } else { /* one was put off */
        engine_run_arm(slot);
    }
}

/* Sets the deadlines that its state and settings ask for, and the timer to the nearest. */
void engine_run_arm(struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;
    struct slot_run *run = slot->run;
    uint64_t now = engine_boot_ms();
    bool is_starting = slot->state == SLOT_RUNNING && template->ready->kind != READY_NONE;
    uint64_t first;

    if (!run || !lives(slot))
        return;
    if (!is_starting || template->start_timeout_ms == 0)
        run->start_deadline_ms = 0;
    else if (run->start_deadline_ms == 0)
        run->start_deadline_ms = now + template->start_timeout_ms;
    if (is_starting || template->watchdog_ms == 0)
        run->watchdog_deadline_ms = 0;
    else if (run->watchdog_deadline_ms == 0)
        run->watchdog_deadline_ms = now + template->watchdog_ms;
    run->age_deadline_ms =
        template->max_age_ms > 0 ? slot->started_boot_ms + template->max_age_ms : 0;
    run->timeout_deadline_ms =
        timeout_of(template) > 0 ? slot->started_boot_ms + timeout_of(template) : 0;
    if (!is_starting)
        engine_health_begin(run->health, now);
    first = nearest(run);
    if (first != 0)
        engine_slot_time(slot, on_deadline, first > now ? first - now : 0);
    else
        engine_slot_stop_timer(slot);
}

/* What it says. */

static void on_extended(struct slot *slot, uint64_t ms)
{
    uint64_t deadline_ms = engine_boot_ms() + ms;

    if (slot->run->start_deadline_ms != 0)
        slot->run->start_deadline_ms = deadline_ms;
    if (slot->run->watchdog_deadline_ms != 0)
        slot->run->watchdog_deadline_ms = deadline_ms;
    engine_run_arm(slot);
}

static void on_news(enum colony_ready_news news, const char *text, uint64_t ms, void *data)
{
    struct slot *slot = data;
    struct slot_run *run = slot->run;

    switch (news) {
    case READY_NEWS_READY:
        if (slot->entry->template->ready->kind == READY_NONE)
            return; /* nobody asked */
        engine_slot_because(slot, "is ready");
        engine_slot_handle(slot, SLOT_EVENT_READY);
        break;
    case READY_NEWS_STATUS:
        (void)snprintf(run->status, sizeof run->status, "%s", text);
        break;
    case READY_NEWS_EXTEND:
        on_extended(slot, ms);
        break;
    case READY_NEWS_ALIVE: /* the timer finds out when it is due */
        run->is_put_off = false;
        if (run->watchdog_deadline_ms != 0)
            run->watchdog_deadline_ms = engine_boot_ms() + slot->entry->template->watchdog_ms;
        break;
    case READY_NEWS_TRIGGER:
        engine_slot_because(slot, "called its own watchdog");
        engine_slot_fail(slot);
        break;
    case READY_NEWS_TRIED:
        (void)snprintf(run->tried, sizeof run->tried, "%s", text);
        break;
    }
}

/* What it uses. */

struct usage {
    uint64_t rss_bytes;
    double cpu_percent;
};

static void add_usage(struct usage *usage, const struct colony_process_stats *stats)
{
    usage->rss_bytes += stats->rss_bytes;
    usage->cpu_percent += stats->cpu_percent;
    for (size_t i = 0; i < stats->child_count; i++)
        add_usage(usage, &stats->children[i]);
}

/* True, with the cause in @text, when it uses more than it may. */
static bool is_above(const struct slot *slot, const struct usage *usage, char text[CAUSE_SIZE])
{
    const struct colony_restart_above *above = slot->entry->template->restart_above;

    if (above->memory_bytes > 0 && usage->rss_bytes > above->memory_bytes)
        (void)snprintf(text, CAUSE_SIZE, "used more than %.1f MiB of memory for %.1f s",
                       (double)above->memory_bytes / (1 << 20), (double)above->for_ms / 1000);
    else if (above->cpu_percent > 0 && usage->cpu_percent > above->cpu_percent)
        (void)snprintf(text, CAUSE_SIZE, "used more than %u %% of a CPU for %.1f s",
                       above->cpu_percent, (double)above->for_ms / 1000);
    else
        return false;
    return true;
}

static void on_stats(const struct colony_process_stats *stats, void *data)
{
    struct slot *slot = data;
    struct slot_run *run = slot->run;
    char cause[CAUSE_SIZE];
    struct usage usage = {0};
    uint64_t now = engine_boot_ms();

    if (!stats) {
        run->watch = NULL; /* its end is told by the keeper */
        return;
    }
    add_usage(&usage, stats);
    if (!is_above(slot, &usage, cause)) {
        run->above_since_ms = 0;
        return;
    }
    if (run->above_since_ms == 0)
        run->above_since_ms = now;
    if (now - run->above_since_ms < slot->entry->template->restart_above->for_ms)
        return;
    engine_slot_because(slot, "%s", cause);
    engine_slot_fail(slot);
}

/* Begins or ends that, as the settings say. */
static void watch_usage(struct slot *slot)
{
    const struct colony_restart_above *above = slot->entry->template->restart_above;
    const struct colony_record *record = engine_slot_record(slot);
    uint64_t every = above->for_ms / COLONY_STATS_MS / 4;
    struct colony_stats_wish wish = {
        .pid = slot->os_pid,
        .start_ticks = record->start_ticks,
        .cb = on_stats,
        .data = slot,
    };
    int rc;

    colony_stats_unwatch(slot->entry->engine->stats, slot->run->watch);
    slot->run->watch = NULL;
    slot->run->above_since_ms = 0;
    if (above->memory_bytes == 0 && above->cpu_percent == 0)
        return;
    wish.every = every < 1 ? 1 : every > LOOK_EVERY ? LOOK_EVERY : (uint32_t)every;
    rc = colony_stats_watch(slot->entry->engine->stats, &wish, &slot->run->watch);
    if (rc < 0 && rc != -ESRCH)
        colony_log(SEVERITY_ERROR, "cannot watch what %s.%u uses: %s", slot->entry->template->name,
                   slot->number, strerror(-rc));
}

/* Making, using and ending. */

/* Before a process: what will watch it is there. */
int engine_run_prepare(struct slot *slot)
{
    static const struct colony_ready_runner runner = {
        .run = engine_check_run, .cancel = engine_check_cancel, .http = engine_http};
    const struct colony_template *template = slot->entry->template;
    struct colony_ready_runner own = runner;
    struct colony_ready_options options = {
        .loop = slot->entry->engine->loop,
        .template = template,
        .runner = &own,
        .cb = on_news,
        .data = slot,
    };
    int rc = 0;

    if (slot->run || !is_watched(template))
        return 0;
    slot->run = calloc(1, sizeof *slot->run);
    if (!slot->run)
        return -ENOMEM;
    slot->run->slot = slot;
    own.slot = slot;
    if (template->health->kind != HEALTH_NONE)
        rc = engine_health_new(&slot->run->health, slot);
    if (rc == 0 && needs_ready(template))
        rc = colony_ready_new(&slot->run->ready, &options);
    if (rc < 0) {
        engine_health_free(slot->run->health);
        free(slot->run);
        slot->run = NULL;
    }
    return rc;
}

/* Before the order goes out: what the process says may come before the news that it runs. */
int engine_run_expect(struct slot *slot, struct colony_error *err)
{
    int rc = engine_run_prepare(slot);

    if (rc == 0 && slot->run && slot->run->ready)
        rc = colony_ready_expect(slot->run->ready, slot->log);
    if (rc < 0)
        return colony_fail(err, rc, "cannot watch it: out of memory or descriptors");
    return engine_health_expect(slot, err);
}

/* The keeper's end of what the process tells by; taken over. */
int engine_run_take_fd(struct slot *slot, int fd)
{
    int rc = engine_run_prepare(slot);

    if (rc == 0 && slot->run && slot->run->ready)
        return colony_ready_take_fd(slot->run->ready, fd);
    (void)close(fd); /* settings no longer ask for it */
    return rc;
}

/* A log that is new, and held. */
int engine_run_take_log(struct slot *slot)
{
    int rc = engine_run_prepare(slot);

    if (rc == 0 && slot->run && slot->run->ready)
        rc = colony_ready_take_log(slot->run->ready, slot->log);
    return rc;
}

/* Its template was replaced by one that makes the same processes. */
void engine_run_set_template(struct slot *slot)
{
    if (slot->run && slot->run->ready)
        colony_ready_set_template(slot->run->ready, slot->entry->template);
    if (slot->run)
        engine_health_set_template(slot->run->health);
    if (!lives(slot))
        return;
    if (engine_run_prepare(slot) < 0)
        colony_log(SEVERITY_ERROR, "cannot watch %s.%u: out of memory or descriptors",
                   slot->entry->template->name, slot->number);
    if (!slot->run)
        return; /* there is nothing to look for */
    watch_usage(slot);
    engine_run_arm(slot);
}

uid_t engine_run_uid(const struct slot *slot)
{
    const struct colony_identity *identity = slot->entry->template->identity;
    const struct colony_keeper_options *keeper = slot->entry->engine->keeper;

    if (identity)
        return identity->uid;
    return keeper->has_user ? keeper->identities[0].uid : geteuid();
}

void engine_run_begin(struct slot *slot, bool is_adopted)
{
    int rc = engine_run_prepare(slot);

    if (rc == 0 && slot->run && slot->run->ready)
        rc = colony_ready_begin(slot->run->ready, engine_run_uid(slot), slot->log, is_adopted);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot find out when %s.%u is ready: %s",
                   slot->entry->template->name, slot->number, strerror(-rc));
    if (!slot->run || !lives(slot))
        return;
    watch_usage(slot);
    engine_run_arm(slot);
}

void engine_run_each_fd(const struct slot *slot, void (*cb)(int fd, void *data), void *data)
{
    if (slot->run && slot->run->ready)
        colony_ready_each_fd(slot->run->ready, cb, data);
}

void engine_run_end(struct slot *slot)
{
    struct slot_run *run = slot->run;

    if (!run)
        return;
    if (run->ready)
        colony_ready_end(run->ready);
    engine_health_end(run->health);
    engine_check_drop(slot);
    colony_stats_unwatch(slot->entry->engine->stats, run->watch);
    if (lives(slot))
        engine_slot_stop_timer(slot); /* of its deadlines */
    *run = (struct slot_run){.slot = slot, .ready = run->ready, .health = run->health};
}

static void on_ready_closed(void *data)
{
    engine_on_part_closed(data);
}

void engine_run_free(struct slot *slot)
{
    struct colony_engine *engine = slot->entry->engine;
    struct slot_run *run = slot->run;

    if (!run)
        return;
    engine_run_end(slot);
    slot->run = NULL;
    if (run->ready) {
        engine->open_handles++;
        colony_ready_close(run->ready, on_ready_closed, engine);
    }
    engine_health_free(run->health);
    free(run);
}
