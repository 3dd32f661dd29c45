/* SPDX-License-Identifier: Apache-2.0 */
/* engine_adopt.c - how an engine carries on where another ended. */
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/log.h"

/* State that a slot rests in; what it did before its engine died is done. */
static enum colony_slot_event resting_event(enum colony_slot_state state)
{
    switch (state) {
    case SLOT_BACKOFF:
        return SLOT_EVENT_DELAY;
    case SLOT_FAILED:
        return SLOT_EVENT_GIVE_UP;
    case SLOT_COMPLETED:
        return SLOT_EVENT_COMPLETE;
    case SLOT_NONE:
    case SLOT_STOPPED:
    case SLOT_WAITING:
    case SLOT_STARTING:
    case SLOT_RUNNING:
    case SLOT_READY:
    case SLOT_STOPPING:
    case SLOT_EXITED:
    case SLOT_STATE_COUNT:
        break;
    }
    return SLOT_EVENT_COUNT;
}

static void adopt_living(struct slot *slot, const struct colony_record *record,
                         const struct slot_note *note)
{
    slot->os_pid = record->pid;
    slot->started_boot_ms = record->claimed_boot_ns / 1000000;
    slot->started_at_ms = record->spawned_at_ms;
    engine_add_living(slot);
    engine_slot_because(slot, "was taken over");
    if (engine_slot_is_detached(slot)) {
        engine_slot_handle(slot, SLOT_EVENT_COMPLETE);
        return;
    }
    engine_slot_handle(slot, SLOT_EVENT_SPAWNED);
    if (note->state == SLOT_READY && slot->entry->template->ready->kind != READY_NONE)
        engine_slot_handle(slot, SLOT_EVENT_READY);
    else if (slot->entry->template->ready->kind == READY_NOTIFY &&
             record->flags & RECORD_NOTICE_LOST)
        colony_log(SEVERITY_WARNING,
                   "%s.%u may have said that it is ready while nobody could hear it: pid %d; "
                   "restart it if it is",
                   record->name, record->slot, (int)record->pid);
}

static bool rests_for_a_start(enum colony_slot_state state)
{
    return state == SLOT_STOPPED || state == SLOT_WAITING;
}

static void adopt_ended(struct slot *slot, const struct colony_record *record,
                        const struct slot_note *note)
{
    enum colony_slot_event event = resting_event((enum colony_slot_state)note->state);

    engine_custom_close(slot, "it has ended");
    if (colony_record_state(record) == RECORD_EXITED) {
        slot->has_exit = true;
        slot->exit_known = record->flags & RECORD_STATUS_KNOWN;
        slot->wait_status = record->wait_status;
    } else {
        engine_describe_failure(slot, record->failed_step, record->failed_errno);
    }
    if (event != SLOT_EVENT_COUNT) {
        engine_slot_because(slot, "as it was before colony's engine was replaced");
        engine_slot_handle(slot, event);
        return;
    }
    if (rests_for_a_start((enum colony_slot_state)note->state)) {
        if (slot->is_wanted && !slot->entry->engine->is_stopping)
            engine_slot_start(slot);
        return;
    }
    if (colony_record_state(record) == RECORD_FAILED) {
        slot->is_spawning = true;
        engine_slot_handle(slot, SLOT_EVENT_START);
        engine_slot_on_failed(slot, record->failed_step, record->failed_errno);
    } else if (note->exit_is_told) { /* what it left behind was being stopped */
        slot->exit_is_told = true;
        engine_slot_handle(slot, SLOT_EVENT_WAIT);
        slot->stop_is_due = true;
    } else { /* it ended while no engine looked: that is told and decided now */
        adopt_living(slot, record, note);
        engine_remove_living(slot);
        if (note->state == SLOT_STOPPING && !engine_slot_is_detached(slot))
            engine_slot_handle(slot, SLOT_EVENT_STOP); /* as it was asked to */
        engine_slot_on_exited(slot);
    }
}

static bool settings_changed(const struct slot *slot)
{
    return slot->entry->template->process_hash != slot->process_hash;
}

/* What becomes of a process that no settings know. */
static void look_at_stranger(struct slot *slot, const struct slot_note *note)
{
    const struct colony_engine *engine = slot->entry->engine;
    bool is_alive = slot->adopted_state == RECORD_ALIVE;

    if (!slot->is_leaving || slot->entry->is_check)
        return;
    if (engine->leaves) { /* its owner has not come yet, and may want what an ended one left */
        is_alive |= slot->adopted_state == RECORD_CLAIMED;
        slot->is_left_alone = is_alive && note->state != SLOT_STOPPING;
        slot->is_let_go = !is_alive;
        return;
    }
    /* Where templates were lost with the database, processes of theirs are not to be. */
    slot->is_left_alone = is_alive && note->state != SLOT_STOPPING &&
                          ((engine->has_forgotten && note->is_wanted) || note->is_left_alone);
}

static void read_note(struct slot *slot, const struct colony_record *record, struct slot_note *note)
{
    struct template_entry *entry = slot->entry;
    const struct slot_note unknown = {.state = SLOT_RUNNING,
                                      .process_hash = entry->template->process_hash};
    uint8_t bytes[COLONY_NOTE_SIZE];
    int rc;

    memcpy(bytes, record->note, sizeof bytes);
    rc = colony_notes_get(&entry->engine->notes, slot->index, record, bytes);
    memcpy(note, bytes, sizeof *note);
    if (note->version != NOTE_VERSION) { /* found by its mark: all that is known is that it runs */
        *note = unknown;
        note->is_wanted = 1;
    } else if (rc < 0 && rc != -ENOENT) { /* what was true when it was ordered may not be now */
        colony_log(SEVERITY_ERROR, "cannot read what was noted about %s.%u: %s",
                   entry->template->name, slot->number, strerror(-rc));
        *note = unknown;
        note->is_wanted = entry->is_wanted;
    }
    slot->is_once = note->is_wanted == NOTE_ONCE;
    slot->is_wanted = (note->is_wanted || note->is_left_alone) && !slot->is_leaving;
    look_at_stranger(slot, note);
    slot->restart.attempt = note->attempt;
    slot->restart.retries = note->retries;
    slot->restarts = note->restarts;
    slot->retry_boot_ms = note->retry_boot_ms;
    slot->process_hash = note->process_hash;
}

static void adopt_state(struct slot *slot, const struct slot_note *note)
{
    const struct colony_record *record = engine_slot_record(slot);
    enum colony_record_state state = (enum colony_record_state)slot->adopted_state;

    if (state == RECORD_CLAIMED) {
        slot->is_spawning = true;
        engine_slot_handle(slot, SLOT_EVENT_START);
    } else if (state == RECORD_ALIVE) {
        adopt_living(slot, record, note);
    } else {
        adopt_ended(slot, record, note);
    }
}

/* Why it is to be stopped; NULL: it is not. */
static const char *reason_to_stop(const struct slot *slot, const struct slot_note *note)
{
    if (slot->is_left_alone)
        return NULL;
    if (slot->is_leaving)
        return "no settings know it any more";
    if (!slot->is_wanted || note->state == SLOT_STOPPING)
        return "its stop was under way when colony's engine was replaced";
    return settings_changed(slot) ? "its settings have changed" : NULL;
}

static void adopt(struct slot *slot)
{
    struct slot_note note;
    const char *reason;

    read_note(slot, engine_slot_record(slot), &note);
    adopt_state(slot, &note);
    if (slot->is_retired)
        return; /* nothing of it was left: it is gone already */
    slot->adopted_state = 0;
    if (settings_changed(slot))
        engine_slot_outdate(slot);
    if (slot->is_left_alone && slot->entry->engine->leaves) {
        engine_save_note(slot); /* its owner puts it in a moment */
    } else if (slot->is_left_alone) {
        colony_log(SEVERITY_WARNING,
                   "%s.%u is left alone: its template was lost with the database; add it again, or "
                   "stop the process by its id, %llu",
                   slot->entry->template->name, slot->number, (unsigned long long)slot->id);
        engine_save_note(slot);
    }
    reason = reason_to_stop(slot, &note);
    if (!reason || slot->state == SLOT_STOPPING)
        return;
    if (slot->state == SLOT_STOPPED && slot->is_leaving) {
        engine_slot_retire(slot);
    } else if (slot->state != SLOT_STOPPED) {
        engine_set_why(slot->entry, reason);
        engine_slot_because(slot, "%s", reason);
        slot->stop_is_due = true;
    }
}

/* Once all that lives is known: those first who cannot do without it. */
static void stop_if_due(struct slot *slot)
{
    if (slot->stop_is_due)
        engine_gates_stop(slot->entry);
}

static int by_priority(const void *left, const void *right)
{
    const struct template_entry *a = *(struct template_entry *const *)left;
    const struct template_entry *b = *(struct template_entry *const *)right;

    if (a->template->priority != b->template->priority)
        return a->template->priority < b->template->priority ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

static void each_slot(struct template_entry *entry, void (*fn)(struct slot *slot))
{
    for (uint32_t i = 0; i < entry->slot_count;) {
        struct slot *slot = entry->slots[i];

        fn(slot);
        if (i < entry->slot_count && entry->slots[i] == slot)
            i++; /* it has not been retired */
    }
}

/*
 * Calls @fn for all slots, templates in the order of their priority, then as they were added.
 * Without memory to order them, only as they were added: all of them matter more than who is first.
 */
static void in_order(struct colony_engine *engine, void (*fn)(struct slot *slot))
{
    size_t count = HASH_COUNT(engine->entries);
    struct template_entry **order = calloc(count + 1, sizeof(struct template_entry *));
    struct template_entry *next;
    size_t used = 0;

    for (struct template_entry *entry = engine->entries; entry; entry = next) {
        next = entry->hh.next;
        if (order)
            order[used++] = entry;
        else
            each_slot(entry, fn);
    }
    if (order)
        qsort(order, used, sizeof(struct template_entry *), by_priority);
    for (size_t i = 0; i < used; i++)
        each_slot(order[i], fn);
    free(order);
}

static void adopt_if_recorded(struct slot *slot)
{
    if (slot->has_record)
        adopt(slot);
}

static void start_if_wanted(struct slot *slot)
{
    if (!slot->has_record && !slot->is_spawning && slot->state == SLOT_STOPPED &&
        slot->entry->is_wanted && !slot->entry->is_unconfirmed && !slot->is_leaving &&
        !slot->entry->engine->is_stopping)
        engine_slot_start(slot);
}

/* As gaffer, whose templates come and start while somebody listens. */
static void tell_beginning(struct slot *slot)
{
    struct template_entry *entry = slot->entry;

    if (slot != entry->slots[0] || strcmp(entry->origin, ENGINE_ORIGIN_CONFIG) != 0 ||
        entry->is_removed)
        return;
    engine_publish(entry, EVENT_CREATE);
    if (entry->is_wanted)
        engine_publish(entry, EVENT_START);
}

void engine_start_entry(struct template_entry *entry)
{
    each_slot(entry, start_if_wanted);
}

/* Starts what should run and does not, in the order of priorities. */
void engine_start_wanted(struct colony_engine *engine)
{
    in_order(engine, start_if_wanted);
}

static void release_logs(struct slot *slot)
{
    if (slot->log)
        colony_log_release(slot->log);
    if (slot->error_log)
        colony_log_release(slot->error_log);
}

/* What lives comes first, then those who may ask about it, then what is new. */
void engine_on_welcome(struct colony_engine *engine)
{
    engine->is_welcomed = true;
    engine->has_held_logs = true;
    engine_schedule_look_back(engine);
    in_order(engine, adopt_if_recorded);
    in_order(engine, stop_if_due);
    if (engine->callbacks.welcome)
        engine->callbacks.welcome(engine->callbacks.data);
    engine->has_held_logs = false;
    in_order(engine, release_logs);
    if (!colony_engine_has_history(engine) && !engine->is_stopping)
        in_order(engine, tell_beginning);
    engine_start_wanted(engine);
    engine->away_ms = 0;
    if (engine->is_stopping && !engine->leaves) /* the engine before this one was not done */
        engine_stop_all(engine, "colony was asked to end");
    engine_check_stopped(engine);
}
