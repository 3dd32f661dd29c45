/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_gates.c - what depends on what: who has to wait for a start, and who has to be stopped
 * before a stop (DESIGN §4, Gates).
 *
 * Each dependency of a template is a gate, which hangs in a list of the template it leads to. A
 * move of a slot costs something only where gates lead to its template, or it comes up or goes
 * down.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "core/engine_internal.h"
#include "core/gates.h"
#include "core/log.h"

struct gate {
    const struct colony_dependency *dependency; /* of entry's template */
    struct template_entry *entry;
    struct template_entry *target; /* NULL: there is none of that name */
    struct gate *prev;             /* in target->dependents */
    struct gate *next;
};

/* True when @entry must not run without the target: a job that was done stays done. */
static bool is_held(const struct gate *gate)
{
    return gate->dependency->when_down != WHEN_DOWN_KEEP &&
           gate->dependency->condition != CONDITION_COMPLETED;
}

/* Its stop is looked at when the present move is done. */
static void enqueue(struct template_entry *entry)
{
    struct colony_engine *engine = entry->engine;

    if (entry->is_queued || !entry->stop_is_due)
        return;
    entry->is_queued = true;
    entry->next_due = NULL;
    if (engine->due_tail)
        engine->due_tail->next_due = entry;
    else
        engine->due_head = entry;
    engine->due_tail = entry;
}

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-core.NullDereference): the macro of utlist is counted as if written here */
static void count_dependent(struct template_entry *target, const struct gate *gate, bool is_up)
{
    target->dependents_up += is_up ? 1U : -1U;
    if (is_held(gate))
        target->dependents_held += is_up ? 1U : -1U;
}

static void attach(struct gate *gate, struct template_entry *target)
{
    gate->target = target;
    DL_APPEND(target->dependents, gate);
    if (gate->entry->up_count > 0)
        count_dependent(target, gate, true);
}

static void detach(struct gate *gate)
{
    struct template_entry *target = gate->target;

    DL_DELETE(target->dependents, gate);
    gate->target = NULL;
    if (gate->entry->up_count == 0)
        return;
    count_dependent(target, gate, false);
    enqueue(target); /* its stop may have waited for this one */
}
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-core.NullDereference) */

/* For a template that comes later: gates that were there before what they lead to. */
void engine_gates_attach_missing(struct template_entry *target)
{
    struct colony_engine *engine = target->engine;
    struct template_entry *entry = engine->entries;

    for (; entry && engine->missing_gates > 0; entry = entry->hh.next)
        for (size_t i = 0; i < entry->gate_count; i++) {
            struct gate *gate = &entry->gates[i];

            if (gate->target || strcmp(gate->dependency->name, target->template->name) != 0)
                continue;
            attach(gate, target);
            engine->missing_gates--;
        }
}

int engine_gates_link(struct template_entry *entry)
{
    const struct colony_template *template = entry->template;

    if (template->dependency_count > 0) {
        entry->gates = calloc(template->dependency_count, sizeof *entry->gates);
        if (!entry->gates)
            return -ENOMEM;
    }
    entry->gate_count = template->dependency_count;
    for (size_t i = 0; i < entry->gate_count; i++) {
        struct gate *gate = &entry->gates[i];
        struct template_entry *target;

        *gate = (struct gate){.dependency = &template->dependencies[i], .entry = entry};
        target = engine_visible_entry(entry->engine, gate->dependency->name);
        if (target)
            attach(gate, target);
        else
            entry->engine->missing_gates++;
    }
    return 0;
}

void engine_gates_unlink(struct template_entry *entry)
{
    for (size_t i = 0; i < entry->gate_count; i++)
        if (entry->gates[i].target)
            detach(&entry->gates[i]);
        else
            entry->engine->missing_gates--;
    free(entry->gates);
    entry->gates = NULL;
    entry->gate_count = 0;
}

/* The last of @entry is gone: gates that lead to it lead nowhere. */
void engine_gates_leave(struct template_entry *entry)
{
    entry->stop_is_due = false;
    engine_gates_unlink(entry);
    while (entry->dependents) {
        detach(entry->dependents);
        entry->engine->missing_gates++;
    }
}

/* A circle, of which the check tells the template to blame: it waits for nobody. */
static bool break_circle(struct colony_engine *engine, const struct colony_template **all)
{
    struct colony_error err;
    struct template_entry *entry;
    size_t culprit = 0;
    size_t count = 0;

    for (entry = engine->entries; entry; entry = entry->hh.next)
        if (!entry->is_removed && entry->gate_count == entry->template->dependency_count)
            all[count++] = entry->template; /* else it has been broken there */
    if (colony_gates_check_new(all, count, 0, &culprit, &err) != -ELOOP)
        return false;
    colony_log(SEVERITY_ERROR, "%s: %s waits for nobody until that is mended", err.message,
               all[culprit]->name);
    engine_gates_unlink(engine_find_entry(engine, all[culprit]->name));
    return true;
}

/* What was added while colony ran may make a circle with a settings file that was changed since. */
void engine_gates_break_circles(struct colony_engine *engine)
{
    const struct colony_template **all =
        calloc(HASH_COUNT(engine->entries) + 1, sizeof(const struct colony_template *));

    if (!all) {
        colony_log(SEVERITY_ERROR, "cannot look for circles of dependencies: out of memory");
        return;
    }
    while (break_circle(engine, all))
        ; /* there may be another one */
    free(all);
}

/* Starting. */

static uint32_t count_completed(const struct template_entry *entry)
{
    uint32_t count = entry->counts[SLOT_COMPLETED];

    for (uint32_t i = 0; entry->schedule && i < entry->slot_count; i++)
        count += engine_schedule_is_done(entry->slots[i]) && !entry->slots[i]->is_leaving;
    return count;
}

static uint32_t count_started(const struct template_entry *entry)
{
    return entry->counts[SLOT_RUNNING] + entry->counts[SLOT_READY] + count_completed(entry);
}

static uint32_t count_ready(const struct template_entry *entry)
{
    if (entry->template->ready->kind == READY_NONE)
        return count_started(entry);
    return entry->counts[SLOT_READY] + count_completed(entry);
}

/* A job that is done was well enough. */
static bool is_healthy(const struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        const struct slot *slot = entry->slots[i];

        if (!slot->is_leaving && slot->state != SLOT_COMPLETED &&
            !engine_health_is_good(engine_run_health(slot)))
            return false;
    }
    return true;
}

static bool has_condition(const struct template_entry *entry,
                          const struct colony_dependency *dependency)
{
    uint32_t slots = engine_count_slots(entry);

    if (slots == 0)
        return false;
    switch (dependency->condition) {
    case CONDITION_STARTED:
        return count_started(entry) == slots;
    case CONDITION_READY:
        return count_ready(entry) == slots;
    case CONDITION_COMPLETED:
        return count_completed(entry) == slots;
    case CONDITION_HEALTHY:
        return count_ready(entry) == slots &&
               (entry->template->health->kind == HEALTH_NONE || is_healthy(entry));
    case CONDITION_STATE:
        return count_started(entry) == slots && engine_state_meets(dependency, entry->state);
    }
    return false;
}

/* Nothing of it moves any more: to wait for it is to wait for ever. */
static bool is_at_rest(const struct template_entry *entry)
{
    uint32_t resting = entry->counts[SLOT_FAILED] + entry->counts[SLOT_COMPLETED];

    if (!entry->is_wanted) /* else those that are stopped are about to be started */
        resting += entry->counts[SLOT_STOPPED];
    return resting == engine_count_slots(entry);
}

static bool is_open(const struct gate *gate)
{
    if (!gate->target || gate->target->is_removed)
        return !gate->dependency->is_needed;
    if (gate->target->stop_is_due && is_held(gate))
        return false;
    if (has_condition(gate->target, gate->dependency))
        return true;
    return !gate->dependency->is_needed && is_at_rest(gate->target);
}

bool engine_gates_are_open(const struct template_entry *entry)
{
    for (size_t i = 0; i < entry->gate_count; i++)
        if (!is_open(&entry->gates[i]))
            return false;
    return true;
}

/* What most of the slots of @entry are doing. */
static const char *describe_state(const struct template_entry *entry)
{
    static const enum colony_slot_state order[] = {
        SLOT_FAILED,  SLOT_BACKOFF, SLOT_WAITING, SLOT_STARTING,  SLOT_STOPPING,
        SLOT_STOPPED, SLOT_RUNNING, SLOT_READY,   SLOT_COMPLETED,
    };

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        if (entry->counts[order[i]] > 0)
            return colony_slot_state_name(order[i]);
    return "without processes";
}

/* What the target of a gate is doing instead. */
static const char *describe_target(const struct gate *gate)
{
    const struct template_entry *target = gate->target;

    if (target->stop_is_due)
        return "to be stopped";
    if (gate->dependency->condition == CONDITION_HEALTHY &&
        target->template->health->kind != HEALTH_NONE &&
        count_ready(target) == engine_count_slots(target))
        return "not found so";
    if (gate->dependency->condition == CONDITION_STATE &&
        count_started(target) == engine_count_slots(target))
        return target->state ? target->state : "in none that is known";
    return describe_state(target);
}

static void describe_gate(const struct gate *gate, char *text, size_t size)
{
    static const char *const conditions[] = {
        [CONDITION_STARTED] = "be started", [CONDITION_READY] = "be ready",
        [CONDITION_COMPLETED] = "complete", [CONDITION_HEALTHY] = "be healthy",
        [CONDITION_STATE] = "be in state ",
    };
    const struct colony_dependency *dependency = gate->dependency;
    const char *name = dependency->name;
    bool is_any = dependency->state && strcmp(dependency->state, COLONY_ANY_STATE) == 0;

    if (!gate->target || gate->target->is_removed)
        (void)snprintf(text, size, "waits for %.60s, which does not exist", name);
    else
        (void)snprintf(text, size, "waits for %.60s to %s%.40s: it is %.40s", name,
                       is_any ? "be in any state" : conditions[dependency->condition],
                       dependency->state && !is_any ? dependency->state : "",
                       describe_target(gate));
}

/* The first reason; "" when there is none. */
void engine_gates_describe(const struct template_entry *entry, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < entry->gate_count; i++)
        if (!is_open(&entry->gates[i])) {
            describe_gate(&entry->gates[i], text, size);
            return;
        }
}

int colony_engine_each_wait(struct colony_engine *engine, const char *name, colony_line_cb cb,
                            void *data)
{
    const struct template_entry *entry = engine_visible_entry(engine, name);

    if (!entry)
        return -ENOENT;
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        char line[CAUSE_SIZE];

        if (entry->slots[i]->state != SLOT_WAITING ||
            !engine_schedule_describe(entry->slots[i], line, sizeof line))
            continue;
        cb(line, data); /* until then nobody asks what it depends on */
        return 0;
    }
    for (size_t i = 0; i < entry->gate_count; i++) {
        char line[CAUSE_SIZE];

        if (is_open(&entry->gates[i]))
            continue;
        describe_gate(&entry->gates[i], line, sizeof line);
        cb(line, data);
    }
    return 0;
}

/* Starts what waits if its gates are open now. */
static void start_waiting(struct template_entry *entry, const char *cause)
{
    if (entry->counts[SLOT_WAITING] == 0 || !engine_gates_are_open(entry))
        return;
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        if (slot->state != SLOT_WAITING || slot->stop_is_due)
            continue;
        engine_slot_because(slot, "%s", cause);
        engine_slot_begin(slot);
    }
}

static void open_gates(const struct template_entry *target)
{
    char cause[CAUSE_SIZE];
    const struct gate *gate;
    const struct gate *next;

    if (!target->dependents)
        return;
    (void)snprintf(cause, sizeof cause, "%.100s, which it waited for, is %s",
                   target->template->name, target->is_removed ? "removed" : describe_state(target));
    DL_FOREACH_SAFE(target->dependents, gate, next)
    {
        start_waiting(gate->entry, cause);
    }
}

/* Stopping. */

static bool is_needed_still(const struct template_entry *entry)
{
    return entry->engine->is_stopping ? entry->dependents_up > 0 : entry->dependents_held > 0;
}

static struct template_entry *dequeue(struct colony_engine *engine)
{
    struct template_entry *entry = engine->due_head;

    if (!entry)
        return NULL;
    engine->due_head = entry->next_due;
    if (!engine->due_head)
        engine->due_tail = NULL;
    entry->is_queued = false;
    return entry;
}

/* What runs of @entry is to be stopped, and comes back when its gates are open again. */
static void hold(struct template_entry *entry, const struct template_entry *because,
                 const char *what)
{
    bool is_any = false;

    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        if (!engine_state_is_up(slot->state) || slot->state == SLOT_STOPPING || slot->stop_is_due)
            continue;
        engine_slot_because(slot, "%.100s, which it needs, %s", because->template->name, what);
        slot->stop_is_due = true;
        is_any = true;
    }
    if (!is_any)
        return;
    entry->stop_is_due = true;
    enqueue(entry);
}

static void hold_dependents(struct template_entry *target, bool is_restart, const char *what)
{
    struct gate *gate;

    DL_FOREACH(target->dependents, gate)
    {
        if (is_held(gate) && !is_open(gate) &&
            (!is_restart || gate->dependency->when_down == WHEN_DOWN_RESTART ||
             gate->dependency->condition == CONDITION_STATE)) /* which ends with its process */
            hold(gate->entry, target, what);
    }
}

void colony_engine_each_held(struct colony_engine *engine, const char *name, colony_name_cb cb,
                             void *data)
{
    const struct template_entry *target = engine_find_entry(engine, name);
    const struct gate *gate;

    if (!target)
        return;
    DL_FOREACH(target->dependents, gate)
    {
        const struct template_entry *entry = gate->entry;

        if (is_held(gate) && !is_open(gate) && entry->is_wanted && entry->up_count > 0)
            cb(entry->template->name, data);
    }
}

static void hold_leavers(struct template_entry *target, const char *was)
{
    char what[CAUSE_SIZE];
    struct gate *gate;

    (void)snprintf(what, sizeof what, "is not in state %.60s any more", was);
    DL_FOREACH(target->dependents, gate)
    {
        if (gate->dependency->condition == CONDITION_STATE && is_held(gate) && !is_open(gate) &&
            engine_state_meets(gate->dependency, was))
            hold(gate->entry, target, what);
    }
}

static void stop_now(struct template_entry *entry)
{
    entry->stop_is_due = false;
    for (uint32_t i = entry->slot_count; i-- > 0;) { /* backwards: it may be retired */
        struct slot *slot = entry->slots[i];

        if (!slot->stop_is_due)
            continue;
        slot->stop_is_due = false;
        engine_slot_handle(slot, SLOT_EVENT_STOP);
    }
    open_gates(entry); /* closed by the stop that was due, also when there was nothing to stop */
}

/* Each turn stops a template that nobody needs, or asks those who need it to go first. */
static void stop_due(struct colony_engine *engine)
{
    struct template_entry *entry;

    if (engine->is_stopping_due)
        return; /* further up the stack */
    engine->is_stopping_due = true;
    while ((entry = dequeue(engine)) != NULL) {
        if (!entry->stop_is_due)
            continue;
        if (is_needed_still(entry))
            hold_dependents(entry, false, "is to be stopped");
        else
            stop_now(entry);
    }
    engine->is_stopping_due = false;
}

/* Stops the slots whose stop_is_due, once nobody needs them. */
void engine_gates_stop(struct template_entry *entry)
{
    entry->stop_is_due = true;
    enqueue(entry);
    stop_due(entry->engine);
}

/* Something else than a move has changed of @entry: what it waits for, or others may wait for. */
void engine_gates_look(struct template_entry *entry)
{
    start_waiting(entry, entry->why);
    open_gates(entry);
    stop_due(entry->engine);
}

/* A process of it was found well. */
void engine_gates_on_healthy(struct template_entry *entry)
{
    open_gates(entry);
    stop_due(entry->engine);
}

/* Only who has left a state is held to it: one that was taken over may be in none that is known. */
void engine_gates_on_state(struct template_entry *entry, const char *was)
{
    if (was)
        hold_leavers(entry, was);
    open_gates(entry);
    stop_due(entry->engine);
}

static void tell_up(struct template_entry *entry, bool is_up)
{
    for (size_t i = 0; i < entry->gate_count; i++) {
        const struct gate *gate = &entry->gates[i];

        if (!gate->target)
            continue;
        count_dependent(gate->target, gate, is_up);
        if (!is_up)
            enqueue(gate->target);
    }
}

void engine_gates_on_move(struct slot *slot, enum colony_slot_state from)
{
    struct template_entry *entry = slot->entry;
    bool is_up = engine_state_is_up(slot->state);

    if (is_up != engine_state_is_up(from)) {
        entry->up_count += is_up ? 1U : -1U;
        if (entry->up_count == (is_up ? 1U : 0U))
            tell_up(entry, is_up);
    }
    if (entry->dependents && !slot->is_let_go) { /* which stops nobody */
        if (slot->state == SLOT_FAILED)
            hold_dependents(entry, false, "has failed");
        else if (slot->state == SLOT_STOPPED)
            hold_dependents(entry, slot->is_wanted,
                            slot->is_wanted ? "is restarted" : "is stopped");
        else if (slot->state == SLOT_EXITED)
            hold_dependents(entry, true, "has ended");
        open_gates(entry);
    }
    if (entry->engine->due_head)
        stop_due(entry->engine);
}
