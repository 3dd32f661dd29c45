/* SPDX-License-Identifier: Apache-2.0 */
/* engine_control.c - start, stop, restart and signals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/engine_internal.h"

/* The template @name, ready to be changed for the reason @why; NULL with the error. */
struct template_entry *engine_entry_to_change(struct colony_engine *engine, const char *name,
                                              const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_visible_entry(engine, name);

    if (!entry) {
        (void)colony_fail(err, -ENOENT, "no such process: %s", name);
        return NULL;
    }
    if (engine->is_stopping) {
        (void)colony_fail(err, -ESHUTDOWN, "cannot change %s: colony is ending", name);
        return NULL;
    }
    engine_set_why(entry, why);
    return entry;
}

static int start_template(struct colony_engine *engine, const char *name, const char *why,
                          void (*start)(struct slot *slot), struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    entry->is_wanted = true;
    engine_record(entry);
    engine_publish(entry, EVENT_START);
    if (start == engine_slot_start)
        engine_schedule_want_now(entry, false);
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (!entry->slots[i]->is_leaving)
            start(entry->slots[i]);
    return 0;
}

int colony_engine_start_template(struct colony_engine *engine, const char *name, const char *why,
                                 struct colony_error *err)
{
    return start_template(engine, name, why, engine_slot_start, err);
}

int colony_engine_start_template_once(struct colony_engine *engine, const char *name,
                                      const char *why, struct colony_error *err)
{
    return start_template(engine, name, why, engine_slot_start_once, err);
}

/* All of it that is not stopped, those first who cannot do without it. */
static void stop_slots(struct template_entry *entry, bool is_for_good)
{
    memset(&entry->report, 0, sizeof entry->report);
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        slot->is_wanted = !is_for_good && !slot->is_leaving;
        slot->is_once = false;
        if (slot->state == SLOT_STOPPED)
            continue;
        engine_slot_because(slot, "%s", entry->why);
        slot->stop_is_due = slot->state != SLOT_STOPPING;
        engine_save_note(slot); /* also of one that is being stopped already */
    }
    engine_gates_stop(entry);
}

int colony_engine_stop_template(struct colony_engine *engine, const char *name, const char *why,
                                struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    entry->is_wanted = false;
    engine_record(entry);
    engine_publish(entry, EVENT_STOP);
    engine_schedule_forget(entry);
    stop_slots(entry, true);
    return 0;
}

int colony_engine_restart_template(struct colony_engine *engine, const char *name, const char *why,
                                   struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    entry->is_wanted = true;
    engine_record(entry);
    engine_publish(entry, EVENT_RESTART);
    engine_schedule_want_now(entry, true);
    stop_slots(entry, false);
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (!entry->slots[i]->is_leaving && !entry->slots[i]->stop_is_due)
            engine_slot_start(
                entry->slots[i]); /* at once if it was stopped, else when it is gone */
    return 0;
}

int colony_engine_cycle_template(struct colony_engine *engine, const char *name, const char *why,
                                 struct colony_error *err)
{
    const struct template_entry *entry = engine_visible_entry(engine, name);
    int rc = colony_engine_restart_template(engine, name, why, err);

    if (rc < 0 || entry->template->restart->when != RESTART_ALWAYS)
        return rc;
    for (uint32_t i = 0; i < entry->slot_count; i++)
        entry->slots[i]->is_failing =
            !entry->slots[i]->is_leaving &&
            (entry->slots[i]->stop_is_due || entry->slots[i]->state == SLOT_STOPPING);
    return 0;
}

/* A template whose last slot a user stopped is stopped. */
static void settle_wanted(struct template_entry *entry)
{
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (entry->slots[i]->is_wanted)
            return;
    if (entry->is_removed)
        return; /* nothing of it is remembered */
    entry->is_wanted = false;
    engine_schedule_forget(entry);
    engine_record(entry);
    engine_gates_look(entry);
}

/* Another process may take its place at once. */
static bool is_kept_running(struct slot *slot)
{
    return slot->is_wanted && !slot->is_once && !engine_schedule_has(slot) &&
           slot->entry->template->restart->when == RESTART_ALWAYS;
}

static int stop_process(struct colony_engine *engine, uint64_t id, const char *why,
                        bool may_be_replaced, struct colony_error *err)
{
    struct slot *slot = engine_find_living(engine, id);

    if (!slot)
        return colony_fail(err, -ENOENT, "no such process: %llu", (unsigned long long)id);
    if (engine->is_stopping)
        return colony_fail(err, -ESHUTDOWN, "cannot change it: colony is ending");
    engine_set_why(slot->entry, why);
    memset(&slot->entry->report, 0, sizeof slot->entry->report);
    if (may_be_replaced && is_kept_running(slot)) {
        engine_slot_end(slot);
        return 0;
    }
    engine_slot_stop(slot);
    settle_wanted(slot->entry);
    return 0;
}

int colony_engine_stop_process(struct colony_engine *engine, uint64_t id, const char *why,
                               struct colony_error *err)
{
    return stop_process(engine, id, why, false, err);
}

int colony_engine_replace_process(struct colony_engine *engine, uint64_t id, const char *why,
                                  struct colony_error *err)
{
    return stop_process(engine, id, why, true, err);
}

static int check_signal(int signo, struct colony_error *err)
{
    return signo >= 1 && signo <= 64 ? 0 : colony_fail(err, -EINVAL, "no such signal: %d", signo);
}

static void send_signal(struct slot *slot, int signo)
{
    slot->sent_signo = signo;
    if (signo == SIGSTOP || signo == SIGCONT)
        slot->is_paused = signo == SIGSTOP;
    engine_order_signal(slot, signo, 0);
}

int colony_engine_signal_template(struct colony_engine *engine, const char *name, int signo,
                                  struct colony_error *err)
{
    struct template_entry *entry = engine_visible_entry(engine, name);
    uint32_t count = 0;

    if (!entry)
        return colony_fail(err, -ENOENT, "no such process: %s", name);
    if (check_signal(signo, err) < 0)
        return -EINVAL;
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (entry->slots[i]->os_pid) {
            send_signal(entry->slots[i], signo);
            count++;
        }
    return count > 0 ? 0 : colony_fail(err, -ESRCH, "cannot signal %s: it does not run", name);
}

int colony_engine_signal_process(struct colony_engine *engine, uint64_t id, int signo,
                                 struct colony_error *err)
{
    struct slot *slot = engine_find_living(engine, id);

    if (!slot)
        return colony_fail(err, -ENOENT, "no such process: %llu", (unsigned long long)id);
    if (check_signal(signo, err) < 0)
        return -EINVAL;
    send_signal(slot, signo);
    return 0;
}
