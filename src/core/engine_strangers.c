/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_strangers.c - processes that somebody else started become a slot's, and a slot's become
 * nobody's: neither starts or stops anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/log.h"

static int check_keeper(const struct colony_engine *engine, const char *name,
                        struct colony_error *err)
{
    if (engine->keeper_version >= COLONY_PROTOCOL_ADOPTS)
        return 0;
    return colony_fail(err, -ENOTSUP,
                       "cannot change %s: colony's keeper is of before an upgrade and cannot do "
                       "that; `colony ctl upgrade` replaces it",
                       name);
}

/* Taking. */

/* What it is to have from its start on, and this one has not. */
static const char *missing_setting(const struct colony_template *template)
{
    if (template->detach)
        return "detach";
    if (template->ready->kind == READY_NOTIFY || template->ready->kind == READY_FD ||
        template->ready->kind == READY_LINE)
        return "ready";
    return template->watchdog_ms > 0 ? "watchdog" : NULL;
}

static int check_slot(const struct slot *slot, pid_t pid, struct colony_error *err)
{
    const struct colony_template *template = slot->entry->template;
    const char *setting = missing_setting(template);

    if (slot->os_pid || slot->is_spawning || engine_state_is_up(slot->state))
        return colony_fail(err, -EBUSY, "cannot take pid %d as %s.%u: that runs already", (int)pid,
                           template->name, slot->number);
    if (setting)
        return colony_fail(err, -EINVAL,
                           "cannot take pid %d as %s.%u: `%s` takes a process that colony started "
                           "itself",
                           (int)pid, template->name, slot->number, setting);
    return 0;
}

static int ask_for(struct slot *slot, pid_t pid, uint64_t start_ticks, struct colony_error *err)
{
    bool was_wanted = slot->is_wanted;
    int rc;

    slot->is_wanted = true;
    slot->is_once = false;
    slot->is_failing = false;
    engine_policy_forget(slot);
    engine_slot_drop_record(slot); /* of the one before it, with its pipe */
    rc = engine_run_expect(slot, err);
    if (rc == 0) {
        rc = engine_order_adopt(slot, pid, start_ticks);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot ask for pid %d as %s.%u", (int)pid,
                                 slot->entry->template->name, slot->number);
    }
    if (rc < 0) {
        slot->is_wanted = was_wanted;
        engine_run_end(slot);
    }
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): its header promises seven parameters */
int colony_engine_adopt(struct colony_engine *engine, const char *name, uint32_t number, pid_t pid,
                        uint64_t start_ticks, const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);
    struct slot *slot = entry ? engine_entry_slot(entry, number) : NULL;
    int rc;

    if (!entry)
        return err->code;
    if (!slot || slot->is_leaving)
        return colony_fail(err, -ENOENT, "no such process: %s.%u", name, number);
    rc = check_keeper(engine, name, err);
    if (rc == 0)
        rc = check_slot(slot, pid, err);
    if (rc == 0)
        rc = ask_for(slot, pid, start_ticks, err);
    if (rc < 0)
        return rc;
    entry->is_wanted = true;
    engine_record(entry);
    slot->is_spawning = true;
    slot->adopting = pid;
    engine_slot_because(slot, "%s", entry->why);
    engine_slot_handle(slot, SLOT_EVENT_START);
    return 0;
}

static const char *describe_refusal(int error)
{
    switch (error) {
    case ESRCH:
        return "it has ended";
    case EPERM:
        return "it is not colony's to take: it runs as somebody else";
    case EEXIST:
        return "it is a process of colony's already";
    case EMFILE:
        return "as many processes run as descriptors allow (raise the hard limit of open files)";
    default:
        return strerror(error);
    }
}

/* What has ended may be started again; beside what still runs nothing may be. */
void engine_on_not_adopted(struct slot *slot, int error)
{
    char text[CAUSE_SIZE];

    (void)snprintf(text, sizeof text, "cannot take pid %d: %s", (int)slot->adopting,
                   describe_refusal(error));
    slot->is_spawning = false;
    slot->adopting = 0;
    engine_run_end(slot);
    free(slot->failure);
    slot->failure = strdup(text);
    colony_log(SEVERITY_ERROR, "%s.%u: %s", slot->entry->template->name, slot->number, text);
    engine_slot_because(slot, "%s", text);
    engine_publish_process(slot, EVENT_FAIL, text);
    if (slot->state == SLOT_STOPPING) {
        engine_slot_handle(slot, SLOT_EVENT_GONE);
    } else if (error == ESRCH) {
        engine_slot_handle(slot, SLOT_EVENT_FAIL);
    } else {
        slot->is_wanted = false;
        slot->entry->is_wanted = false;
        engine_record(slot->entry);
        engine_slot_handle(slot, SLOT_EVENT_STOP);
    }
}

/* Letting go. */

static int check_leaving(const struct slot *slot, struct colony_error *err)
{
    const char *name = slot->entry->template->name;
    bool has_streams = slot->log || slot->error_log || slot->input || slot->custom;

    if (slot->is_spawning || slot->state == SLOT_STOPPING || slot->stop_is_due)
        return colony_fail(err, -EBUSY,
                           "cannot let go of %s: it is being started or stopped, try "
                           "again",
                           name);
    if (slot->os_pid && has_streams)
        return colony_fail(err, -EBUSY,
                           "cannot let go of %s: its output goes through colony, and it would "
                           "hang without a reader; `log: {direct: true}` writes it to a file",
                           name);
    return 0;
}

bool engine_is_unclaimed(const struct template_entry *entry)
{
    return entry->is_removed && entry->slot_count > 0 && entry->slots[0]->is_left_alone;
}

static struct template_entry *find_leaving(struct colony_engine *engine, const char *name,
                                           const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_find_entry(engine, name);

    if (!entry || !engine_is_unclaimed(entry))
        return engine_entry_to_change(engine, name, why, err);
    engine_set_why(entry, why);
    return entry;
}

void engine_leave_process(struct slot *slot)
{
    if (!slot->os_pid)
        return;
    colony_log(SEVERITY_INFO, "%s.%u is let go of, and runs on: pid %d",
               slot->entry->template->name, slot->number, (int)slot->os_pid);
    engine_order_let_go(slot);
    engine_remove_living(slot);
    slot->os_pid = 0;
    slot->started_at_ms = 0;
    slot->has_record = false;
}

int colony_engine_let_go(struct colony_engine *engine, const char *name, const char *why,
                         struct colony_error *err)
{
    struct template_entry *entry = find_leaving(engine, name, why, err);
    int rc;

    if (!entry)
        return err->code;
    rc = check_keeper(engine, name, err);
    for (uint32_t i = 0; rc == 0 && i < entry->slot_count; i++)
        rc = check_leaving(entry->slots[i], err);
    if (rc < 0)
        return rc;
    if (engine_record_removed(entry) < 0)
        return colony_fail(err, -ENOMEM, "cannot let go of %s: out of memory", name);
    entry->is_wanted = false;
    entry->is_removed = true;
    engine_schedule_forget(entry);
    for (uint32_t i = entry->slot_count; i-- > 0;) {
        entry->slots[i]->is_let_go = true;
        engine_slot_leave(entry->slots[i], false);
    }
    engine_publish(entry, EVENT_DELETE);
    engine_gates_look(entry);
    if (entry->open_slots == 0)
        engine_free_entry(entry);
    return 0;
}

void colony_engine_let_go_unclaimed(struct colony_engine *engine, const char *why)
{
    struct template_entry *next;

    for (struct template_entry *entry = engine->entries; entry; entry = next) {
        struct colony_error err;

        next = entry->hh.next;
        if (engine_is_unclaimed(entry) &&
            colony_engine_let_go(engine, entry->template->name, why, &err) < 0)
            colony_log(SEVERITY_WARNING, "%s", err.message);
    }
}
