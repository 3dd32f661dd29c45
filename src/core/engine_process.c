/* SPDX-License-Identifier: Apache-2.0 */
/* engine_process.c - what the keeper tells of a slot's process: its start, its end, what is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/engine_internal.h"
#include "core/log.h"
#include "core/signals.h"

enum {
    SWEEP_DELAY_MAX_MS = 200,
    KILL_CHECK_MS = 1000, /* something killed that does not go is looked at again */
};

/* Of a line about it: commands of colony's own have names that nobody knows, and whoever runs them
 * tells what came of it. */
static enum colony_log_severity severity_of(const struct slot *slot,
                                            enum colony_log_severity severity)
{
    return slot->entry->is_check ? SEVERITY_DEBUG : severity;
}

void engine_publish_process(const struct slot *slot, enum colony_event_type type, const char *text)
{
    const struct colony_record *record = engine_slot_record(slot);
    char copy[COLONY_ERROR_TEXT_MAX]; /* a subscriber may set another cause */
    struct colony_event event = {
        .type = type,
        .name = slot->entry->template->name,
        .slot = slot->number,
        .id = slot->id,
        .os_pid = slot->os_pid,
        .detached = slot->entry->template->detach,
        .exit_known = slot->exit_known,
        .text = copy,
    };

    (void)snprintf(copy, sizeof copy, "%s", text);

    if (type == EVENT_FLAP && record && !slot->failure)
        event.os_pid = record->pid; /* of the one whose end was the last straw */
    if (type == EVENT_EXIT && slot->exit_known) {
        if (WIFSIGNALED(slot->wait_status))
            event.term_signal = WTERMSIG(slot->wait_status);
        else
            event.exit_status = WEXITSTATUS(slot->wait_status);
    }
    if (!slot->entry->is_check)
        colony_events_publish(slot->entry->engine->events, &event);
}

/* Stopping it. */

void engine_begin_sweep(struct slot *slot, int signo)
{
    slot->swept_with = signo;
    engine_order_sweep(slot, signo);
}

static uint32_t count_signals(const struct colony_template *template)
{
    uint32_t count = 1;

    while (count < COLONY_STOP_SIGNALS_MAX && template->stop_signals[count] != 0)
        count++;
    return count;
}

uint64_t engine_stop_ms(const struct colony_template *template)
{
    return template->grace_ms * count_signals(template);
}

int engine_stop_signal(const struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;
    uint32_t last = count_signals(template) - 1; /* its settings may be others by now */

    return template->stop_signals[slot->stop_step < last ? slot->stop_step : last];
}

/* On the loop's clock: when the next signal is due, or SIGKILL. */
static uint64_t step_deadline(const struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;
    uint32_t count = count_signals(template);
    uint64_t left = slot->stop_step < count ? count - 1 - slot->stop_step : 0;

    left *= template->grace_ms;
    return slot->deadline_ms > left ? slot->deadline_ms - left : 0;
}

/* True when it is time for the next signal, which engine_stop_signal() is then. */
static bool step_on(struct slot *slot, uint64_t now)
{
    if (now >= slot->deadline_ms || now < step_deadline(slot) ||
        slot->stop_step + 1 >= count_signals(slot->entry->template))
        return false;
    slot->stop_step++;
    return true;
}

static void on_grace_over(struct colony_timer *timer);

static void await_step(struct slot *slot)
{
    uint64_t now = uv_now(slot->entry->engine->loop);
    uint64_t due = step_deadline(slot);

    engine_slot_time(slot, on_grace_over, due > now ? due - now : 0);
}

static void kill_it(struct slot *slot)
{
    struct colony_stop_report *report = &slot->entry->report;

    if (!slot->strays_counted)
        report->killed++;
    colony_log(severity_of(slot, SEVERITY_WARNING),
               "%s.%u is killed: it did not end within its grace", slot->entry->template->name,
               slot->number);
    engine_begin_sweep(slot, SIGKILL); /* first, while all that must be killed can be counted */
    engine_order_signal(slot, SIGKILL,
                        slot->entry->template->stop_group ? (uint32_t)SIGNAL_GROUP : 0);
    /* Something stuck in the kernel goes when it can. */
    engine_slot_time(slot, on_grace_over, KILL_CHECK_MS);
}

static void on_grace_over(struct colony_timer *timer)
{
    struct slot *slot = engine_timed_slot(timer);
    const struct colony_template *template = slot->entry->template;
    uint64_t now = uv_now(slot->entry->engine->loop);

    if (!slot->os_pid)
        return;
    if (step_on(slot, now)) {
        colony_log(SEVERITY_INFO, "%s.%u is sent %s: it did not end within its grace",
                   template->name, slot->number, colony_signal_name(engine_stop_signal(slot)));
        engine_order_signal(slot, engine_stop_signal(slot),
                            template->stop_group ? (uint32_t)SIGNAL_GROUP : 0);
        await_step(slot);
    } else if (now < slot->deadline_ms) {
        await_step(slot); /* its settings have changed meanwhile */
    } else {
        kill_it(slot);
    }
}

void engine_ask_to_end(struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;

    slot->is_paused = false; /* the keeper wakes it */
    engine_publish_process(slot, EVENT_STOP_PID, slot->entry->why);
    engine_order_signal(slot, engine_stop_signal(slot),
                        SIGNAL_STOP | (template->stop_group ? (uint32_t)SIGNAL_GROUP : 0));
    await_step(slot);
}

/* A stop under way gets no more grace. */
void engine_slot_hurry(struct slot *slot)
{
    if (slot->state != SLOT_STOPPING)
        return;
    slot->deadline_ms = uv_now(slot->entry->engine->loop);
    if (slot->os_pid)
        engine_slot_time(slot, on_grace_over, 0);
}

/* Its start. */

static void log_spawn(const struct slot *slot)
{
    colony_log(severity_of(slot, SEVERITY_INFO), "%s.%u %s: pid %d, id %llu",
               slot->entry->template->name, slot->number,
               slot->adopting ? "taken over from somebody else" : "started", (int)slot->os_pid,
               (unsigned long long)slot->id);
}

void engine_slot_on_spawned(struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);

    slot->is_spawning = false;
    slot->exit_is_told = false;
    slot->os_pid = record->pid;
    slot->started_boot_ms = record->claimed_boot_ns / 1000000;
    slot->started_at_ms = record->spawned_at_ms;

    free(slot->failure);
    slot->failure = NULL;
    log_spawn(slot);
    slot->adopting = 0;
    engine_publish_process(slot, EVENT_SPAWN, slot->cause);
    if (engine_slot_is_detached(slot))
        engine_slot_handle(slot,
                           slot->state == SLOT_STOPPING ? SLOT_EVENT_GONE : SLOT_EVENT_COMPLETE);
    else if (slot->state == SLOT_STOPPING) { /* the stop came while it was being spawned */
        engine_save_note(slot);
        engine_ask_to_end(slot);
    } else
        engine_slot_handle(slot, SLOT_EVENT_SPAWNED);
}

void engine_slot_on_failed(struct slot *slot, int step, int error)
{
    const char *failure;

    if (slot->adopting) {
        engine_on_not_adopted(slot, error);
        return;
    }
    slot->is_spawning = false;
    slot->os_pid = 0;
    engine_run_end(slot);
    engine_describe_failure(slot, step, error);
    failure = slot->failure ? slot->failure : "out of memory";
    colony_log(severity_of(slot, SEVERITY_ERROR), "cannot start %s.%u: %s",
               slot->entry->template->name, slot->number, failure);
    engine_slot_because(slot, "cannot start: %s", failure);
    engine_publish_process(slot, EVENT_FAIL, failure);
    if (slot->state == SLOT_STOPPING)
        engine_slot_handle(slot, SLOT_EVENT_GONE);
    else
        engine_slot_handle(slot, SLOT_EVENT_FAIL);
}

/* Its end. */

/* What is forwarded of it ends as a line does, and the next process begins another. */
static void end_lines(const struct slot *slot)
{
    if (slot->log)
        colony_log_mark(slot->log);
    if (slot->error_log)
        colony_log_mark(slot->error_log);
}

/* "ended with status 1", "was ended by SIGKILL (out of memory)" */
static void describe_exit(const struct slot *slot, char *text, size_t size)
{
    const struct colony_record *record = engine_slot_record(slot);
    bool is_out_of_memory = record && record->flags & RECORD_OOM_KILLED;
    bool is_sent = slot->sent_signo != 0 && slot->sent_signo == WTERMSIG(slot->wait_status);

    if (!slot->exit_known)
        (void)snprintf(text, size, "ended, nobody can tell how");
    else if (WIFSIGNALED(slot->wait_status))
        (void)snprintf(text, size, "was ended by %s%s%s",
                       colony_signal_name(WTERMSIG(slot->wait_status)),
                       is_out_of_memory ? " (out of memory)" : "",
                       is_sent ? ", which colony was asked to send" : "");
    else
        (void)snprintf(text, size, "ended with status %d", WEXITSTATUS(slot->wait_status));
}

/* Why colony ended it on its own account, or NULL: what somebody asked for was told when he did. */
static const char *own_reason(const struct slot *slot)
{
    bool is_own = slot->state == SLOT_STOPPING && slot->is_wanted && *slot->cause != '\0' &&
                  strcmp(slot->cause, slot->entry->why) != 0;

    return is_own ? slot->cause : NULL;
}

static void tell_exit(struct slot *slot)
{
    char how[CAUSE_SIZE];
    char text[CAUSE_SIZE];
    const char *reason = own_reason(slot);

    describe_exit(slot, text, sizeof text);
    (void)snprintf(how, sizeof how, "%.100s%s%s", text, reason ? ": " : "", reason ? reason : "");
    colony_log(severity_of(slot, SEVERITY_INFO), "%s.%u %s: pid %d, id %llu",
               slot->entry->template->name, slot->number, how, (int)slot->os_pid,
               (unsigned long long)slot->id);
    engine_publish_process(slot, EVENT_EXIT, how);
    if (slot->state != SLOT_STOPPING)
        engine_slot_because(slot, "%s", how);
}

void engine_slot_on_exited(struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);
    uint64_t now = uv_now(slot->entry->engine->loop);

    slot->has_exit = true;
    slot->exit_known = record->flags & RECORD_STATUS_KNOWN;
    slot->wait_status = record->wait_status;
    engine_state_forget(slot->entry);
    engine_run_end(slot);
    engine_input_close(slot, "it has ended");
    engine_custom_close(slot, "it has ended");
    end_lines(slot);
    tell_exit(slot);
    slot->sent_signo = 0;
    slot->is_paused = false;
    slot->os_pid = 0;
    slot->started_at_ms = 0;
    slot->exit_is_told = true;
    if (slot->state != SLOT_STOPPING) {
        engine_slot_handle(slot, SLOT_EVENT_EXIT);
        return;
    }
    engine_save_note(slot); /* an engine after this one must not tell it again */
    engine_slot_stop_timer(slot);
    engine_begin_sweep(slot, now < slot->deadline_ms ? engine_stop_signal(slot) : SIGKILL);
}

/* What is left of it. */

static void on_sweep_due(struct colony_timer *timer)
{
    struct slot *slot = engine_timed_slot(timer);
    uint64_t now = uv_now(slot->entry->engine->loop);

    if (now >= slot->deadline_ms)
        engine_begin_sweep(slot, SIGKILL);
    else
        engine_begin_sweep(slot, step_on(slot, now) ? engine_stop_signal(slot) : 0);
}

static void count_killed(struct slot *slot, const struct colony_swept *swept)
{
    const struct colony_record *record = engine_slot_record(slot);
    bool counts_leader = slot->os_pid && record && record->flags & RECORD_HAS_CGROUP;

    if (slot->strays_counted || slot->swept_with != SIGKILL || swept->found == 0)
        return;
    slot->strays_counted = true;
    slot->entry->report.killed += swept->found - (counts_leader ? 1 : 0);
}

/* Until nothing is left: looked at again, with longer pauses, and killed once the grace is over. */
void engine_slot_on_swept(struct slot *slot, const struct colony_swept *swept)
{
    struct colony_stop_report *report = &slot->entry->report;
    uint64_t now = uv_now(slot->entry->engine->loop);
    uint64_t delay_ms = slot->sweep_delay_ms;
    uint64_t due_ms = step_deadline(slot);

    if (slot->state != SLOT_STOPPING)
        return;
    report->is_partial |= swept->is_partial != 0;
    if (swept->unclaimed > report->unclaimed)
        report->unclaimed = swept->unclaimed;
    count_killed(slot, swept);
    if (slot->os_pid)
        return; /* its own end will be told */
    if (swept->found == 0) {
        engine_slot_handle(slot, SLOT_EVENT_GONE);
        return;
    }
    if (now < due_ms && due_ms - now < delay_ms)
        delay_ms = due_ms - now;
    if (slot->sweep_delay_ms < SWEEP_DELAY_MAX_MS)
        slot->sweep_delay_ms *= 2;
    engine_slot_time(slot, on_sweep_due, delay_ms);
}
