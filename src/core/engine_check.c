/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_check.c - commands run on a slot's behalf, such as `ready: {exec: …}`.
 *
 * A check is a process like any other, so that it is spawned, killed and cleaned up after by the
 * keeper, as the user and in the folder of the slot it is for. It has a slot of its own in a
 * template that nobody sees, whose name no template may have; both last as long as the process
 * that is checked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/engine_internal.h"

struct check {
    struct colony_engine *engine;
    struct slot *slot; /* its own */
    uv_timer_t timer;
    bool is_late;
    void (*cb)(int exit_status, const char *why, void *data); /* NULL: nobody waits for it */
    void *data;
};

/* The whole of the slot's template, but for what would make a service of it. */
static struct colony_template *make_template(const struct slot *slot)
{
    static const struct colony_restart_policy once = {.when = RESTART_NEVER, .expected = {1}};
    struct colony_template changed = *slot->entry->template;
    struct colony_template *template = NULL;
    char name[COLONY_NAME_MAX];
    /* One of an engine before this may still go for the same process. */
    unsigned long long now = engine_boot_ms();

    (void)snprintf(name, sizeof name, ENGINE_CHECK_MARK "check %llu %llu",
                   (unsigned long long)slot->id, now);
    changed.name = name;
    changed.numprocesses = 1;
    changed.start = true;
    changed.detach = false;
    changed.grace_ms = 0;
    changed.log.mode = LOG_NONE;
    changed.log.forward = LOG_FORWARD_NO;
    changed.custom_streams = NULL;
    changed.restart = &once;
    changed.dependency_count = 0;
    changed.ready = &colony_ready_none;
    changed.health = &colony_health_none;
    changed.watchdog_ms = 0;
    changed.max_age_ms = 0;
    changed.essential = false;
    changed.schedule = NULL;
    changed.restart_above = &colony_restart_above_none;
    return colony_template_copy(&template, &changed) == 0 ? template : NULL;
}

static int make_slot(struct slot *owner, struct slot **out)
{
    struct colony_engine *engine = owner->entry->engine;
    struct colony_template *template = make_template(owner);
    struct template_entry *entry;
    int rc = template ? engine_add_entry(engine, template, "", &entry) : -ENOMEM;

    if (rc < 0) {
        colony_template_free(template);
        return rc;
    }
    entry->is_check = true;
    entry->is_removed = true; /* nobody sees it */
    entry->check_of = owner;
    rc = engine_slot_new(out, entry, 1);
    if (rc < 0)
        engine_free_entry(entry);
    return rc;
}

static int make_check(struct slot *owner)
{
    struct check *check = calloc(1, sizeof *check);
    int rc = check ? make_slot(owner, &check->slot) : -ENOMEM;

    if (rc < 0) {
        free(check);
        return rc;
    }
    (void)uv_timer_init(owner->entry->engine->loop, &check->timer);
    check->timer.data = check;
    check->engine = owner->entry->engine;
    owner->check = check;
    return 0;
}

static int set_command(struct template_entry *entry, char *const *argv)
{
    struct colony_template changed = *entry->template;
    struct colony_template *template;
    int rc;

    changed.argv = (char **)argv;
    rc = colony_template_copy(&template, &changed);
    if (rc == 0)
        engine_swap_template(entry, template);
    return rc;
}

static void on_late(uv_timer_t *timer)
{
    struct check *check = timer->data;

    check->is_late = true;
    engine_slot_stop(check->slot);
}

int engine_check_run(void *slot, char *const *argv, uint64_t timeout_ms,
                     void (*cb)(int exit_status, const char *why, void *data), void *data)
{
    struct slot *owner = slot;
    int rc = owner->check ? 0 : make_check(owner);
    struct check *check = owner->check;

    if (rc < 0)
        return rc;
    if (engine_state_is_up(check->slot->state))
        return -EBUSY; /* the last one still goes */
    rc = set_command(check->slot->entry, argv);
    if (rc < 0)
        return rc;
    check->cb = cb;
    check->data = data;
    check->is_late = false;
    (void)uv_timer_start(&check->timer, on_late, timeout_ms, 0);
    engine_slot_start(check->slot);
    return 0;
}

static int exit_status_of(const struct check *check)
{
    const struct slot *slot = check->slot;

    if (check->is_late || slot->failure || !slot->has_exit || !slot->exit_known)
        return -1;
    return WIFSIGNALED(slot->wait_status) ? 128 + WTERMSIG(slot->wait_status)
                                          : WEXITSTATUS(slot->wait_status);
}

/* A check's own slot has moved: tells when it is over. */
void engine_check_on_move(struct slot *slot)
{
    struct slot *owner = slot->entry->check_of;
    struct check *check = owner ? owner->check : NULL;
    void (*cb)(int exit_status, const char *why, void *data) = check ? check->cb : NULL;

    if (!cb || (slot->state != SLOT_COMPLETED && slot->state != SLOT_FAILED &&
                slot->state != SLOT_STOPPED))
        return;
    (void)uv_timer_stop(&check->timer);
    check->cb = NULL;
    cb(exit_status_of(check), check->is_late ? "took too long" : slot->cause, check->data);
}

void engine_check_cancel(void *slot)
{
    struct slot *owner = slot;
    struct check *check = owner->check;

    if (!check || !check->cb)
        return;
    check->cb = NULL;
    (void)uv_timer_stop(&check->timer);
    engine_slot_stop(check->slot);
}

static void on_check_closed(uv_handle_t *handle)
{
    struct check *check = handle->data;
    struct colony_engine *engine = check->engine;

    free(check);
    engine_on_part_closed(engine);
}

/* The process that it was about has ended. */
void engine_check_drop(struct slot *owner)
{
    struct check *check = owner->check;

    if (!check)
        return;
    engine_check_cancel(owner);
    owner->check = NULL;
    check->slot->entry->check_of = NULL;
    check->engine->open_handles++;
    engine_slot_leave(check->slot, false);
    uv_close((uv_handle_t *)&check->timer, on_check_closed);
}
