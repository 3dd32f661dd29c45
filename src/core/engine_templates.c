/* SPDX-License-Identifier: Apache-2.0 */
/* engine_templates.c - templates come and go while the engine runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/gates.h"
#include "core/limits.h"
#include "core/log.h"

uint32_t engine_count_slots(const struct template_entry *entry)
{
    uint32_t count = 0;

    for (int state = 0; state < SLOT_STATE_COUNT; state++)
        count += entry->counts[state];
    return count;
}

/* How many slots it should have: as its settings say, or as a user scaled it. */
static uint32_t wanted_slots(const struct template_entry *entry)
{
    return entry->scaled >= 0 ? (uint32_t)entry->scaled : entry->template->numprocesses;
}

/* Slots 1 to @count are there and stay; those above go, the highest first. */
int engine_set_slots(struct template_entry *entry, uint32_t count)
{
    for (uint32_t i = entry->slot_count; i-- > 0;) {
        struct slot *slot = entry->slots[i];

        if (slot->number <= count) {
            engine_slot_stay(slot);
        } else if (!slot->is_leaving) {
            if (slot->os_pid)
                engine_publish_process(slot, EVENT_REAP, entry->why);
            engine_slot_leave(slot, count == 0);
        }
    }
    if (count == 0 && entry->slot_count > 0) /* then nothing is there for those who need it */
        engine_gates_stop(entry);
    for (uint32_t number = 1; number <= count; number++) {
        struct slot *slot = engine_entry_slot(entry, number);

        if (!slot && engine_slot_new(&slot, entry, number) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void start_slots(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (!entry->slots[i]->is_leaving)
            engine_slot_start(entry->slots[i]);
}

/* Only those that are new, stay after all or were stopped one by one: what is done or was given up
 * is not touched. */
static void fill_slots(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (!entry->slots[i]->is_leaving && !entry->slots[i]->is_wanted)
            engine_slot_want(entry->slots[i]);
}

int engine_check_template(struct colony_engine *engine, const struct colony_template *template,
                          struct colony_error *err)
{
    size_t count = 1;
    const struct colony_template **all;
    int rc = colony_limits_check(template, err);

    if (rc < 0 || template->dependency_count == 0)
        return rc; /* what depends on nothing closes no circle */
    all = calloc(HASH_COUNT(engine->entries) + 1, sizeof(const struct colony_template *));
    if (!all)
        return colony_fail(err, -ENOMEM, "cannot add %s: out of memory", template->name);
    all[0] = template;
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        if (!entry->is_removed && strcmp(entry->template->name, template->name) != 0)
            all[count++] = entry->template;
    rc = colony_gates_check_new(all, count, 1, NULL, err);
    free(all);
    return rc;
}

/* Their next processes are of another making. */
static void outdate_slots(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++)
        engine_slot_outdate(entry->slots[i]);
}

/* What is still going of a template that was removed becomes the new one's. */
static void revive(struct template_entry *entry)
{
    entry->is_removed = false;
    entry->is_unconfirmed = false;
    entry->scaled = -1;
    entry->is_wanted = entry->template->start;
    entry->is_given_up = false;
    entry->flap_until_boot_ms = 0;
    colony_restart_clear(&entry->restart);
    outdate_slots(entry);
}

/* All that its template takes. -ENOMEM: some of it is missing. */
static int link_entry(struct template_entry *entry)
{
    int rc = engine_schedule_link(entry);

    if (rc == 0)
        rc = engine_gates_link(entry);
    return rc < 0 ? rc : engine_set_slots(entry, wanted_slots(entry));
}

/* Takes ownership of @template, also when it fails. */
int engine_make_entry(struct colony_engine *engine, struct colony_template *template,
                      const char *origin, struct template_entry **out)
{
    struct template_entry *entry = engine_find_entry(engine, template->name);
    int rc = 0;

    if (entry) { /* removed, and not gone yet */
        engine_gates_unlink(entry);
        engine_swap_template(entry, template);
        entry->origin = origin;
        revive(entry);
    } else {
        rc = engine_add_entry(engine, template, origin, &entry);
        if (rc < 0)
            colony_template_free(template);
    }
    if (rc == 0)
        rc = link_entry(entry);
    if (rc < 0 && entry)
        engine_remove_entry(entry);
    if (rc < 0)
        return rc;
    engine_gates_attach_missing(entry);
    *out = entry;
    return 0;
}

/* What was going still of the one before it starts when that is stopped. */
void engine_want_again(struct template_entry *entry)
{
    for (uint32_t i = 0; entry->is_wanted && i < entry->slot_count; i++)
        if (!entry->slots[i]->is_leaving && entry->slots[i]->state != SLOT_STOPPED)
            engine_slot_start(entry->slots[i]);
}

static int check_new(struct colony_engine *engine, const struct colony_template *template,
                     struct colony_error *err)
{
    if (engine->is_stopping)
        return colony_fail(err, -ESHUTDOWN, "cannot add %s: colony is ending", template->name);
    if (engine_visible_entry(engine, template->name))
        return colony_fail(err, -EEXIST, "cannot add %s: there is one of that name already",
                           template->name);
    return engine_check_template(engine, template, err);
}

/* What ran while nobody had claimed it is meant to run. */
static void want_living(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        if ((!slot->os_pid && !slot->is_spawning) || slot->is_leaving || slot->is_wanted ||
            slot->state == SLOT_STOPPING)
            continue;
        entry->is_wanted = true;
        engine_slot_want(slot);
    }
}

int colony_engine_add_template(struct colony_engine *engine, struct colony_template *template,
                               const char *origin, const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_find_entry(engine, template->name);
    bool was_left = entry && engine_is_unclaimed(entry);
    bool is_to_start = template->start;
    int rc = check_new(engine, template, err);

    if (rc < 0) {
        colony_template_free(template);
        return rc;
    }
    rc = engine_make_entry(engine, template, origin, &entry);
    if (rc < 0)
        return colony_fail(err, rc, "cannot add a template: out of memory");
    engine_set_why(entry, why);
    engine_publish(entry, EVENT_CREATE);
    if (was_left)
        want_living(entry);
    engine_record(entry);
    if (is_to_start) {
        engine_publish(entry, EVENT_START);
        start_slots(entry);
    }
    return 0;
}

/* A process of another making: each slot goes down and comes up with new settings. */
static void restart_stale(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        engine_slot_outdate(slot);
        if (slot->state == SLOT_STOPPED || slot->is_leaving)
            continue;
        engine_slot_because(slot, "%s", entry->why);
        slot->stop_is_due = true;
    }
    engine_gates_stop(entry);
}

/* Takes ownership of @template. What the user scaled stays unless the settings now say otherwise.
 */
int engine_exchange_template(struct template_entry *entry, struct colony_template *template)
{
    bool is_resized = entry->template->numprocesses != template->numprocesses;

    engine_gates_unlink(entry);
    engine_swap_template(entry, template);
    if (is_resized)
        entry->scaled = -1;
    return link_entry(entry);
}

/* The same for one that may run. Takes ownership of @template. */
int engine_renew_template(struct template_entry *entry, struct colony_template *template)
{
    bool is_other_process = entry->template->process_hash != template->process_hash;
    int rc = engine_exchange_template(entry, template);

    engine_publish(entry, EVENT_UPDATE);
    if (is_other_process && engine_is_of_session(entry)) {
        outdate_slots(entry); /* which says itself when what runs is to be restarted */
        is_other_process = false;
    }
    if (is_other_process)
        restart_stale(entry);
    if (entry->is_wanted && is_other_process)
        start_slots(entry);
    else if (entry->is_wanted)
        fill_slots(entry);
    engine_schedule_look(entry);
    engine_gates_look(entry);
    entry->is_unlinked = rc < 0;
    if (entry->is_unlinked)
        engine_record_later(entry->engine);
    return rc;
}

int engine_link_rest(struct template_entry *entry)
{
    int rc;

    if (entry->is_removed)
        return 0;
    engine_gates_unlink(entry);
    rc = link_entry(entry);
    entry->is_unlinked = rc < 0;
    if (rc < 0)
        return rc;
    if (entry->is_wanted)
        fill_slots(entry);
    engine_schedule_look(entry);
    engine_gates_look(entry);
    return 0;
}

int colony_engine_update_template(struct colony_engine *engine, struct colony_template *template,
                                  const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, template->name, why, err);
    int rc;

    if (!entry) {
        colony_template_free(template);
        return err->code;
    }
    rc = engine_check_free(entry, err);
    if (rc == 0)
        rc = engine_check_template(engine, template, err);
    if (rc < 0) {
        colony_template_free(template);
        return rc;
    }
    rc = engine_renew_template(entry, template);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot change all of %s: out of memory", template->name);
    engine_record(entry);
    return 0;
}

/* Nobody sees it from now on; it is freed when its last slot is. */
void engine_remove_entry(struct template_entry *entry)
{
    bool was_wanted = entry->is_wanted;

    entry->is_wanted = false;
    entry->is_removed = true;
    if (was_wanted)
        engine_publish(entry, EVENT_STOP); /* as gaffer, whose removal begins with a stop */
    if (entry->counts[SLOT_STOPPING] == 0) /* else it belongs to the same stop */
        memset(&entry->report, 0, sizeof entry->report);
    engine_schedule_forget(entry);
    for (uint32_t i = entry->slot_count; i-- > 0;)
        engine_slot_leave(entry->slots[i], true);
    engine_gates_stop(entry);
    engine_publish(entry, EVENT_DELETE); /* as gaffer: all are told to stop, and ends come later */
    engine_gates_look(entry);
    if (entry->open_slots == 0)
        engine_free_entry(entry);
}

int colony_engine_remove_template(struct colony_engine *engine, const char *name, const char *why,
                                  struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    if (engine_check_free(entry, err) < 0)
        return err->code;
    if (engine_record_removed(entry) < 0)
        return colony_fail(err, -ENOMEM, "cannot remove %s: out of memory", name);
    engine_remove_entry(entry);
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_engine_scale_template(struct colony_engine *engine, const char *name, int64_t change,
                                 uint32_t *count, const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);
    char text[CAUSE_SIZE];
    int64_t had;
    int64_t wanted;

    if (!entry)
        return err->code;
    if (engine_check_free(entry, err) < 0)
        return err->code;
    had = engine_count_slots(entry);
    wanted = change == 0 ? *count : had + change;
    if (wanted < 0)
        wanted = 0;
    if (wanted > COLONY_SLOTS_MAX)
        return colony_fail(err, -EINVAL, "cannot scale %s to %lld: %d processes at most", name,
                           (long long)wanted, COLONY_SLOTS_MAX);
    if (engine_set_slots(entry, (uint32_t)wanted) < 0) {
        (void)engine_set_slots(entry, (uint32_t)had); /* which are there */
        return colony_fail(err, -ENOMEM, "cannot scale %s: out of memory", name);
    }
    entry->scaled = wanted;
    (void)snprintf(text, sizeof text, "scaled from %lld to %lld by %.100s", (long long)had,
                   (long long)wanted, entry->why);
    engine_publish_because(entry, EVENT_UPDATE, text);
    engine_record(entry);
    if (entry->is_wanted)
        fill_slots(entry);
    engine_gates_look(entry);
    *count = (uint32_t)wanted;
    return 0;
}
