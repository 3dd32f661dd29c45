/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller_apply.c - what the workspace says becomes what runs: settings first, parents before
 * children; then what runs already is taken over; then what is to run is started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/events.h"
#include "core/log.h"
#include "session/controller_internal.h"
#include "session/held_internal.h"

static const char why[] = "session";

/* --- what people are told ----------------------------------------------------------------------
 */

void controller_free_told(struct controller *controller)
{
    for (size_t i = 0; i < controller->told_count; i++)
        free(controller->told[i]);
    free(controller->told);
    controller->told = NULL;
    controller->told_count = 0;
}

static bool was_told(const struct controller *controller, const char *line)
{
    for (size_t i = 0; i < controller->told_count; i++)
        if (strcmp(controller->told[i], line) == 0)
            return true;
    return false;
}

/* Each as long as it lasts once. */
static void tell_problems(struct controller *controller, struct session_look *look)
{
    for (size_t i = 0; i < look->problem_count; i++)
        if (!was_told(controller, look->problems[i]))
            colony_log(SEVERITY_ERROR, "%s", look->problems[i]);
    controller_free_told(controller);
    controller->told = look->problems;
    controller->told_count = look->problem_count;
    look->problems = NULL;
    look->problem_count = 0;
}

void controller_tell_error(struct controller *controller, const char *text)
{
    if (text && strcmp(controller->told_error, text) != 0)
        colony_log(SEVERITY_ERROR, "%s", text);
    (void)snprintf(controller->told_error, sizeof controller->told_error, "%s", text ? text : "");
}

/* --- templates ---------------------------------------------------------------------------------
 */

static const struct colony_session_process *process_of(const struct session_look *look,
                                                       const struct look_item *item)
{
    return &look->list.items[item->index];
}

struct own_slot {
    pid_t pid;
};

static void note_slot(const struct colony_slot_info *info, void *data)
{
    if (info->slot == 1)
        ((struct own_slot *)data)->pid = info->os_pid;
}

/* Of an engine before this one; or it has ended while nobody looked. */
static void note_beginning(struct controller *controller, struct member *member,
                           const struct look_item *item,
                           const struct colony_session_process *process)
{
    bool is_said_to_run =
        process->pid > 0 || (process->state && strcmp(process->state, COLONY_STATE_STOPPED) != 0);
    struct own_slot own = {0};

    (void)colony_engine_each_slot(controller->engine, member->name, note_slot, &own);
    if (own.pid > 0)
        controller_take_over(controller, member, own.pid,
                             own.pid == process->pid ? process->state : NULL);
    else if (item->pid == 0 && is_said_to_run)
        controller_mark_dirty(controller, member);
}

static void set_alias(struct member *member, const char *alias)
{
    char *copy = alias ? strdup(alias) : NULL;

    if (alias && !copy)
        return; /* the next look has it */
    free(member->alias);
    member->alias = copy;
}

/* What cannot be used leaves what there was. -ENOMEM: it could be. */
static int put_template(struct controller *controller, struct session_look *look,
                        struct look_item *item, struct member *member)
{
    struct colony_template *template = item->template;
    struct colony_error err;
    int rc;

    item->template = NULL;
    if (!template) {
        colony_engine_keep_owned(controller->engine, COLONY_ORIGIN_SESSION, member->name);
        return 0;
    }
    rc = colony_engine_put_owned(controller->engine, COLONY_ORIGIN_SESSION, template, why, &err);
    if (rc == 0)
        member->is_template = true;
    else if (rc != -ESHUTDOWN)
        session_look_tell(look, err.message);
    return colony_is_shortage(rc) ? -ENOMEM : 0;
}

static void put(struct controller *controller, struct session_look *look, struct look_item *item)
{
    const struct colony_session_process *process = process_of(look, item);
    struct member *member = controller_find(controller, process->name);
    bool is_new = !member;

    if (is_new)
        member = controller_add(controller, process->name);
    controller->is_short |= !member;
    if (!member)
        return;
    member->is_seen = true;
    if (is_new && !controller->is_complete)
        member->is_held = session_held_has(look->held, process->name);
    member->wants_start = item->template && process->restart && !(is_new && member->is_held) &&
                          (is_new || !member->restart);
    if (item->template)
        member->restart = process->restart;
    set_alias(member, process->alias);
    if (put_template(controller, look, item, member) < 0) {
        controller->is_short = true;
        if (is_new)
            controller_remove(controller, member); /* as new again at the next look */
        return;
    }
    if (is_new)
        note_beginning(controller, member, item, process);
}

/* --- processes ---------------------------------------------------------------------------------
 */

static bool is_somebodys(const struct controller *controller, pid_t pid)
{
    for (const struct member *member = controller->members; member; member = member->hh.next)
        if (member->pid == pid || member->adopting == pid)
            return true;
    return false;
}

/*
 * What the database notes is taken over once: it may be about what has ended since it was read.
 * What was only found, at the first look: later it may be somebody's who is just being started.
 */
static void take_over(struct controller *controller, const struct session_look *look,
                      const struct look_item *item)
{
    const struct colony_session_process *process = process_of(look, item);
    struct member *member = controller_find(controller, process->name);
    bool is_news = member && item->pid > 0 &&
                   (item->is_noted ? item->pid != member->seen_pid : !controller->is_complete);
    struct colony_error err;
    int rc;

    if (member && item->is_noted)
        member->seen_pid = item->pid;
    if (!is_news || !member->is_template || member->pid > 0 || is_somebodys(controller, item->pid))
        return;
    rc = colony_engine_adopt(controller->engine, member->name, 1, item->pid, item->start_ticks, why,
                             &err);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "%s", err.message);
    if (colony_is_shortage(rc)) { /* it lives: no second one is started beside it */
        controller->is_short = true;
        member->seen_pid = 0;
        member->wants_start = member->restart = false;
    }
    if (rc < 0)
        return;
    free(member->adopted_state);
    member->adopted_state = process->state ? strdup(process->state) : NULL;
    member->adopting = item->pid;
}

static void start(struct controller *controller, struct member *member)
{
    struct colony_error err;

    member->wants_start = false;
    if (member->pid > 0 || member->adopting > 0 || !member->is_template)
        return;
    if (colony_engine_start_template(controller->engine, member->name, why, &err) < 0 &&
        err.code != -ESHUTDOWN)
        colony_log(SEVERITY_ERROR, "%s", err.message);
}

/* It is the session's no more, and runs on. */
static void let_go(struct controller *controller, struct member *member)
{
    struct colony_error err;

    if (member->is_template &&
        colony_engine_let_go(controller->engine, member->name, why, &err) < 0) {
        controller->wants_again |= err.code == -EBUSY; /* it is being started or stopped */
        if (err.code == -EBUSY)
            return;
        if (err.code != -ENOENT && err.code != -ESHUTDOWN)
            colony_log(SEVERITY_ERROR, "%s", err.message);
    }
    controller_remove(controller, member);
}

static void let_go_of_unseen(struct controller *controller)
{
    struct member *next;

    for (struct member *member = controller->members; member; member = next) {
        next = member->hh.next;
        if (!member->is_seen)
            let_go(controller, member);
    }
}

/* What was saved of states may have changed, too. */
static void make_due(struct controller *controller)
{
    controller->states_at_ms = 0;
    controller->has_due = true;
}

void controller_apply(struct controller *controller, struct session_look *look)
{
    controller->period_ms = look->config.period_ms;
    controller->wants_again = controller->is_short = false;
    for (struct member *member = controller->members; member; member = member->hh.next)
        member->is_seen = false;
    for (size_t i = 0; i < look->count; i++)
        put(controller, look, &look->items[i]);
    let_go_of_unseen(controller);
    for (size_t i = 0; i < look->count; i++)
        take_over(controller, look, &look->items[i]);
    for (size_t i = 0; i < look->count; i++) {
        struct member *member =
            controller_find(controller, process_of(look, &look->items[i])->name);

        if (member && member->wants_start)
            start(controller, member);
    }
    if (!controller->is_complete && !controller->is_short)
        colony_engine_let_go_unclaimed(controller->engine, why); /* it was taken out meanwhile */
    if (controller->is_short)
        controller_look_again(controller);
    else
        controller_complete(controller);
    tell_problems(controller, look);
    session_look_free(look);
    make_due(controller);
}
