/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_health.c - whether a process that is ready is well: `health:` of a template.
 *
 * A check by http, tcp or exec is one try of what `ready:` has for it; hearts are in
 * engine_heart.c. When the next one is due is a deadline of the run's (engine_run.c): there is no
 * timer more. What goes on is never begun again beside itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_health_internal.h"
#include "core/engine_internal.h"
#include "core/log.h"
#include "core/ready.h"

/* --- what is seen of it ----------------------------------------------------------------------- */

static const char *const state_names[] = {
    [HEALTH_UNKNOWN] = "unknown", [HEALTH_GOOD] = "healthy", [HEALTH_BAD] = "unhealthy"};

const char *engine_health_state(const struct slot *slot)
{
    const struct slot_health *health = engine_run_health(slot);

    if (slot->entry->template->health->kind == HEALTH_NONE)
        return NULL;
    return state_names[health ? health->state : HEALTH_UNKNOWN];
}

const char *engine_health_note(const struct slot_health *health)
{
    return health ? health->note : "";
}

bool engine_health_is_good(const struct slot_health *health)
{
    return health && health->state == HEALTH_GOOD;
}

uint64_t engine_health_due(const struct slot_health *health)
{
    return health ? health->due_boot_ms : 0;
}

/* --- what is made of a check ------------------------------------------------------------------ */

/* False: the slot has been moved on meanwhile, and @health may be gone. */
static bool tell(struct slot_health *health, enum health_state state, const char *text)
{
    struct slot *slot = health->slot;
    uint32_t moves = slot->moves;

    if (health->state == state)
        return true;
    health->state = state;
    if (state == HEALTH_GOOD ||
        engine_health_settings(health)->then == HEALTH_REPORT) /* else its stop says */
        colony_log(state == HEALTH_GOOD ? SEVERITY_INFO : SEVERITY_WARNING, "%s.%u is %s%s%s",
                   slot->entry->template->name, slot->number, state_names[state],
                   text[0] != '\0' ? ": " : "", text);
    engine_publish_process(slot, state == HEALTH_GOOD ? EVENT_HEALTHY : EVENT_UNHEALTHY, text);
    if (slot->moves == moves && state == HEALTH_GOOD)
        engine_gates_on_healthy(slot->entry);
    return slot->moves == moves;
}

static void on_good(struct slot_health *health)
{
    char text[CAUSE_SIZE] = "";

    if (health->state == HEALTH_BAD)
        (void)snprintf(text, sizeof text, "after %u checks that failed", health->bad);
    health->bad = 0;
    health->note[0] = '\0';
    (void)tell(health, HEALTH_GOOD, text);
}

static void on_bad(struct slot_health *health, const char *why)
{
    struct slot *slot = health->slot;
    char text[CAUSE_SIZE];

    (void)snprintf(health->note, sizeof health->note, "%s", why);
    if (health->bad < UINT32_MAX)
        health->bad++;
    if (health->bad <= engine_health_settings(health)->max_bad)
        return;
    (void)snprintf(text, sizeof text, "%s", why);
    if (!tell(health, HEALTH_BAD, text) || engine_health_settings(health)->then != HEALTH_RESTART)
        return;
    engine_slot_because(slot, "is unhealthy: %s", text);
    engine_slot_fail(slot);
}

/* The next one is due a period after this one was begun. */
void engine_health_conclude(struct slot_health *health, bool is_good, const char *why)
{
    struct slot *slot = health->slot;
    uint32_t moves = slot->moves;

    health->is_checking = false;
    health->due_boot_ms = health->begun_boot_ms + engine_health_settings(health)->period_ms;
    if (is_good)
        on_good(health);
    else
        on_bad(health, why);
    if (slot->moves == moves)
        engine_run_arm(slot);
}

/* --- a try of what `ready` has ---------------------------------------------------------------- */

static void on_news(enum colony_ready_news news, const char *text, uint64_t ms, void *data)
{
    struct slot_health *health = data;

    (void)ms;
    if (!health->is_checking || (news != READY_NEWS_READY && news != READY_NEWS_TRIED))
        return;
    colony_ready_end(health->probe); /* one try only */
    engine_health_conclude(health, news == READY_NEWS_READY, text);
}

static void begin_try(struct slot_health *health)
{
    int rc = colony_ready_begin(health->probe, 0, NULL, true);

    if (rc < 0)
        engine_health_conclude(health, false, strerror(-rc));
}

static int make_probe(struct slot_health *health)
{
    static const enum colony_ready_kind kinds[] = {
        [HEALTH_HTTP] = READY_HTTP, [HEALTH_TCP] = READY_TCP, [HEALTH_EXEC] = READY_EXEC};
    const struct colony_health_settings *settings = engine_health_settings(health);
    const struct colony_ready_runner runner = {.run = engine_check_run,
                                               .cancel = engine_check_cancel,
                                               .slot = health->slot,
                                               .http = engine_http};
    const struct colony_ready_options options = {
        .loop = health->slot->entry->engine->loop,
        .template = &health->template,
        .runner = &runner,
        .cb = on_news,
        .data = health,
    };

    if (settings->kind == HEALTH_HEARTBEAT)
        return 0;
    health->settings = (struct colony_ready_settings){
        .kind = kinds[settings->kind],
        .text = settings->text,
        .interval_ms = settings->period_ms,
        .try_ms = settings->timeout_ms,
    };
    health->template.name = health->slot->entry->template->name;
    health->template.ready = &health->settings;
    return colony_ready_new(&health->probe, &options);
}

/* --- what the run asks of it ------------------------------------------------------------------ */

/* When it is due. */
void engine_health_check(struct slot_health *health)
{
    health->due_boot_ms = 0;
    health->is_checking = true;
    health->begun_boot_ms = engine_boot_ms();
    if (health->probe)
        begin_try(health);
    else
        engine_heart_begin(health);
}

/* It is ready, or has been: the grace begins the first time. */
void engine_health_begin(struct slot_health *health, uint64_t now)
{
    if (!health || health->has_begun)
        return;
    health->has_begun = true;
    health->due_boot_ms = now + engine_health_settings(health)->grace_ms;
}

/* Its process has ended, or is being stopped. */
void engine_health_end(struct slot_health *health)
{
    if (!health)
        return;
    engine_heart_end(health);
    health->is_checking = false; /* first: what the end of a try tells is not heard */
    if (health->probe)
        colony_ready_end(health->probe);
    health->state = HEALTH_UNKNOWN;
    health->has_begun = false;
    health->due_boot_ms = 0;
    health->bad = 0;
    health->heart = (struct colony_heartbeat){0};
    health->note[0] = '\0';
}

/* Before the order to spawn. */
int engine_health_expect(const struct slot *slot, struct colony_error *err)
{
    return engine_heart_make(slot, err);
}

/* Another template with the same checks. */
void engine_health_set_template(struct slot_health *health)
{
    if (!health)
        return;
    health->settings.text = engine_health_settings(health)->text;
    health->template.name = health->slot->entry->template->name;
}

int engine_health_new(struct slot_health **out, struct slot *slot)
{
    struct slot_health *health = calloc(1, sizeof *health);
    int rc;

    if (!health)
        return -ENOMEM;
    health->slot = slot;
    health->engine = slot->entry->engine;
    rc = make_probe(health);
    if (rc < 0) {
        free(health);
        return rc;
    }
    *out = health;
    return 0;
}

static void on_probe_closed(void *data)
{
    struct slot_health *health = data;
    struct colony_engine *engine = health->engine;

    free(health);
    engine_on_part_closed(engine);
}

void engine_health_free(struct slot_health *health)
{
    if (!health)
        return;
    engine_health_end(health);
    if (!health->probe) {
        free(health);
        return;
    }
    health->engine->open_handles++;
    colony_ready_close(health->probe, on_probe_closed, health); /* which still knows its settings */
}
