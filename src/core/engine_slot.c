/* SPDX-License-Identifier: Apache-2.0 */
/* engine_slot.c - the life of a slot: the one function that moves it and what each state does. */
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
    SWEEP_DELAY_FIRST_MS = 5,
    SWEEP_DELAY_MAX_MS = 200,
    KILL_CHECK_MS = 1000, /* something killed that does not go is looked at again */
};

static void publish_move(struct slot *slot, enum colony_slot_state from, enum colony_slot_state to)
{
    struct colony_event event = {
        .type = EVENT_STATE,
        .name = slot->entry->template->name,
        .slot = slot->number,
        .id = slot->id,
        .os_pid = slot->os_pid,
        .from = from,
        .to = to,
        .text = slot->failure ? slot->failure : slot->entry->why,
    };

    colony_events_publish(slot->entry->engine->events, &event);
}

static void publish_process(const struct slot *slot, enum colony_event_type type, const char *text)
{
    struct colony_event event = {
        .type = type,
        .name = slot->entry->template->name,
        .slot = slot->number,
        .id = slot->id,
        .os_pid = slot->os_pid,
        .detached = slot->entry->template->detach,
        .exit_known = slot->exit_known,
        .text = text,
    };

    if (type == EVENT_EXIT && slot->exit_known) {
        if (WIFSIGNALED(slot->wait_status))
            event.term_signal = WTERMSIG(slot->wait_status);
        else
            event.exit_status = WEXITSTATUS(slot->wait_status);
    }
    colony_events_publish(slot->entry->engine->events, &event);
}

/* States. */

static void enter_starting(struct slot *slot)
{
    struct colony_error err = {0};

    if (slot->is_spawning)
        return; /* taken over in the middle of a spawn: the keeper will tell */
    if (slot->os_pid) {
        engine_slot_handle(slot,
                           SLOT_EVENT_COMPLETE); /* detached, and it lives on: no second one */
        return;
    }
    /* Why the last try failed stays to be seen until one succeeds: this may take its time, too. */
    if (engine_order_spawn(slot, &err) == 0) {
        slot->is_spawning = true;
        return;
    }
    free(slot->failure);
    slot->failure = strdup(err.message);
    colony_log(SEVERITY_ERROR, "%s", err.message);
    publish_process(slot, EVENT_FAIL, err.message);
    engine_slot_handle(slot, SLOT_EVENT_FAIL);
}

static void begin_sweep(struct slot *slot, int signo)
{
    slot->swept_with = signo;
    engine_order_sweep(slot, signo);
}

static void on_grace_over(uv_timer_t *timer)
{
    struct slot *slot = timer->data;
    struct colony_stop_report *report = &slot->entry->report;

    if (!slot->os_pid)
        return;
    if (!slot->strays_counted)
        report->killed++;
    colony_log(SEVERITY_WARNING, "%s.%u is killed: it did not end within its grace",
               slot->entry->template->name, slot->number);
    begin_sweep(slot, SIGKILL); /* first, while all that must be killed can be counted */
    engine_order_signal(slot, SIGKILL,
                        slot->entry->template->stop_group ? (uint32_t)SIGNAL_GROUP : 0);
    /* Something stuck in the kernel goes when it can. */
    (void)uv_timer_start(&slot->timer, on_grace_over, KILL_CHECK_MS, 0);
}

static void ask_to_end(struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;
    uint64_t now = uv_now(slot->entry->engine->loop);
    uint64_t left = slot->deadline_ms > now ? slot->deadline_ms - now : 0;

    publish_process(slot, EVENT_STOP_PID, slot->entry->why);
    engine_order_signal(slot, template->stop_signal,
                        SIGNAL_STOP | (template->stop_group ? (uint32_t)SIGNAL_GROUP : 0));
    (void)uv_timer_start(&slot->timer, on_grace_over, left, 0);
}

/* Detached is started and forgotten: a stop is none of its business. */
static void leave_alone(struct slot *slot)
{
    if (!slot->is_spawning) /* else as soon as it is there */
        engine_slot_handle(slot, SLOT_EVENT_GONE);
}

static void enter_stopping(struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;

    if (template->detach) {
        leave_alone(slot);
        return;
    }
    slot->deadline_ms = uv_now(slot->entry->engine->loop) + template->grace_ms;
    slot->sweep_delay_ms = SWEEP_DELAY_FIRST_MS;
    slot->swept_with = -1;
    slot->strays_counted = false;
    slot->entry->report.stopped++;
    engine_save_note(slot);
    if (slot->os_pid)
        ask_to_end(slot);
    else if (slot->is_spawning)
        return; /* told to end as soon as it is there */
    else if (slot->has_record)
        begin_sweep(slot, template->stop_signal); /* what it left behind */
    else
        engine_slot_handle(slot, SLOT_EVENT_GONE);
}

static void enter_stopped(struct slot *slot)
{
    struct colony_engine *engine = slot->entry->engine;

    slot->restarts = 0;
    slot->restart.attempt = 0;
    if (slot->is_leaving) {
        slot->has_record &= slot->os_pid == 0; /* what lives is never forgotten */
        engine_slot_retire(slot);
        engine_check_stopped(engine);
        return;
    }
    if (slot->is_wanted && !engine->is_stopping) {
        engine_slot_handle(slot, SLOT_EVENT_START);
        return;
    }
    engine_save_note(slot);
    engine_check_stopped(engine);
}

static uint32_t some_number(void)
{
    uint32_t number = 0;

    if (uv_random(NULL, NULL, &number, sizeof number, 0, NULL) < 0)
        return (uint32_t)uv_hrtime();
    return number;
}

/* The policy decides what comes next. */
static void enter_exited(struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);
    uint64_t ran_ms = 0;
    uint64_t delay_ms;

    if (!slot->is_wanted || slot->entry->engine->is_stopping) {
        engine_slot_handle(slot, SLOT_EVENT_STOP);
        return;
    }
    if (record && record->exited_boot_ns > record->claimed_boot_ns && !slot->failure)
        ran_ms = (record->exited_boot_ns - record->claimed_boot_ns) / 1000000;
    delay_ms = colony_restart_decide(&colony_restart_default, &slot->restart,
                                     &(struct colony_restart_end){.ran_ms = ran_ms}, some_number())
                   .delay_ms;
    slot->restarts++;
    if (delay_ms > 0)
        engine_slot_retry_later(slot, delay_ms);
    else
        engine_slot_handle(slot, SLOT_EVENT_START);
}

static void on_backoff_over(uv_timer_t *timer)
{
    engine_slot_handle(timer->data, SLOT_EVENT_START);
}

static void enter_backoff(struct slot *slot)
{
    uint64_t now = engine_boot_ms();
    uint64_t left = slot->retry_boot_ms > now ? slot->retry_boot_ms - now : 0;

    engine_save_note(slot);
    (void)uv_timer_start(&slot->timer, on_backoff_over, left, 0);
}

static void enter_rest(struct slot *slot)
{
    engine_save_note(slot);
}

static void (*const on_enter[SLOT_STATE_COUNT])(struct slot *slot) = {
    [SLOT_STOPPED] = enter_stopped,   [SLOT_STARTING] = enter_starting,
    [SLOT_STOPPING] = enter_stopping, [SLOT_EXITED] = enter_exited,
    [SLOT_BACKOFF] = enter_backoff,   [SLOT_FAILED] = enter_rest,
    [SLOT_COMPLETED] = enter_rest,
};

void engine_slot_handle(struct slot *slot, enum colony_slot_event event)
{
    struct colony_engine *engine = slot->entry->engine;
    enum colony_slot_state from = slot->state;
    enum colony_slot_state to = colony_slot_next(from, event);
    uint32_t move;

    if (to == SLOT_NONE)
        return;
    (void)uv_timer_stop(&slot->timer); /* a timer never outlives its state */
    slot->state = to;                  /* the only assignment */
    move = ++slot->moves;
    if (from == SLOT_STOPPED)
        engine->up_count++;
    if (to == SLOT_STOPPED)
        engine->up_count--;
    publish_move(slot, from, to);
    if (slot->moves == move && on_enter[to]) /* a subscriber may have moved it on */
        on_enter[to](slot);
}

/* What is asked of a slot. */

void engine_slot_start(struct slot *slot)
{
    slot->is_wanted = true;
    if (slot->state == SLOT_BACKOFF || slot->state == SLOT_FAILED ||
        slot->state == SLOT_COMPLETED) {
        slot->restart.attempt = 0;
        slot->restarts = 0;
    }
    engine_slot_handle(slot, SLOT_EVENT_START);
}

void engine_slot_stop(struct slot *slot)
{
    slot->is_wanted = false;
    engine_slot_handle(slot, SLOT_EVENT_STOP);
    if (slot->state == SLOT_STOPPING)
        engine_save_note(slot); /* also one that was being restarted */
}

/* A stop under way gets no more grace. */
void engine_slot_hurry(struct slot *slot)
{
    if (slot->state != SLOT_STOPPING)
        return;
    slot->deadline_ms = uv_now(slot->entry->engine->loop);
    if (slot->os_pid)
        (void)uv_timer_start(&slot->timer, on_grace_over, 0, 0);
}

void engine_slot_retry_later(struct slot *slot, uint64_t delay_ms)
{
    slot->retry_boot_ms = engine_boot_ms() + delay_ms;
    engine_slot_handle(slot, SLOT_EVENT_DELAY);
}

/* What the keeper tells of its process. */

static void log_spawn(const struct slot *slot)
{
    colony_log(SEVERITY_INFO, "%s.%u started: pid %d, id %llu", slot->entry->template->name,
               slot->number, (int)slot->os_pid, (unsigned long long)slot->id);
}

static void log_exit(const struct slot *slot)
{
    char how[64];

    if (!slot->exit_known)
        (void)snprintf(how, sizeof how, "ended, nobody can tell how");
    else if (WIFSIGNALED(slot->wait_status))
        (void)snprintf(how, sizeof how, "was ended by %s",
                       colony_signal_name(WTERMSIG(slot->wait_status)));
    else
        (void)snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(slot->wait_status));
    colony_log(SEVERITY_INFO, "%s.%u %s: pid %d, id %llu", slot->entry->template->name,
               slot->number, how, (int)slot->os_pid, (unsigned long long)slot->id);
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
    publish_process(slot, EVENT_SPAWN, slot->entry->why);
    if (slot->entry->template->detach)
        engine_slot_handle(slot,
                           slot->state == SLOT_STOPPING ? SLOT_EVENT_GONE : SLOT_EVENT_COMPLETE);
    else if (slot->state == SLOT_STOPPING)
        ask_to_end(slot); /* the stop came while it was being spawned */
    else
        engine_slot_handle(slot, SLOT_EVENT_SPAWNED);
}

void engine_slot_on_failed(struct slot *slot, int step, int error)
{
    slot->is_spawning = false;
    slot->os_pid = 0;
    engine_describe_failure(slot, step, error);
    colony_log(SEVERITY_ERROR, "cannot start %s.%u: %s", slot->entry->template->name, slot->number,
               slot->failure ? slot->failure : "out of memory");
    publish_process(slot, EVENT_FAIL, slot->failure ? slot->failure : "");
    if (slot->state == SLOT_STOPPING)
        engine_slot_handle(slot, SLOT_EVENT_GONE);
    else
        engine_slot_handle(slot, SLOT_EVENT_FAIL);
}

void engine_slot_on_exited(struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);
    uint64_t now = uv_now(slot->entry->engine->loop);

    slot->has_exit = true;
    slot->exit_known = record->flags & RECORD_STATUS_KNOWN;
    slot->wait_status = record->wait_status;
    log_exit(slot);
    publish_process(slot, EVENT_EXIT, "");
    slot->os_pid = 0;
    slot->started_at_ms = 0;
    slot->exit_is_told = true;
    if (slot->state != SLOT_STOPPING) {
        engine_slot_handle(slot, SLOT_EVENT_EXIT);
        return;
    }
    engine_save_note(slot); /* an engine after this one must not tell it again */
    (void)uv_timer_stop(&slot->timer);
    begin_sweep(slot, now < slot->deadline_ms ? slot->entry->template->stop_signal : SIGKILL);
}

static void on_sweep_due(uv_timer_t *timer)
{
    struct slot *slot = timer->data;
    bool is_late = uv_now(slot->entry->engine->loop) >= slot->deadline_ms;

    begin_sweep(slot, is_late ? SIGKILL : 0);
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
    if (now < slot->deadline_ms && slot->deadline_ms - now < delay_ms)
        delay_ms = slot->deadline_ms - now;
    if (slot->sweep_delay_ms < SWEEP_DELAY_MAX_MS)
        slot->sweep_delay_ms *= 2;
    (void)uv_timer_start(&slot->timer, on_sweep_due, delay_ms, 0);
}

/* Making and ending. */

int engine_slot_new(struct slot **out, struct template_entry *entry, uint32_t number)
{
    struct slot *slot = calloc(1, sizeof *slot);
    struct slot **grown;

    if (!slot)
        return -ENOMEM;
    grown = realloc(entry->slots, (entry->slot_count + 1) * sizeof(struct slot *));
    if (!grown) {
        free(slot);
        return -ENOMEM;
    }
    entry->slots = grown;
    slot->entry = entry;
    slot->number = number;
    slot->state = SLOT_STOPPED;
    (void)uv_timer_init(entry->engine->loop, &slot->timer);
    slot->timer.data = slot;
    entry->slots[entry->slot_count++] = slot;
    *out = slot;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct slot *slot = handle->data;

    free(slot->failure);
    free(slot);
}

/* Takes a stopped slot out of its template; it is freed when its timer is closed. */
void engine_slot_retire(struct slot *slot)
{
    struct template_entry *entry = slot->entry;

    engine_remove_living(slot); /* one that is detached outlives us */
    if (slot->has_record)
        engine_order_forget(entry->engine, slot->index, slot->id);
    if (slot->log)
        colony_log_close(slot->log);
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (entry->slots[i] == slot) {
            entry->slot_count--;
            memmove(&entry->slots[i], &entry->slots[i + 1],
                    (entry->slot_count - i) * sizeof(struct slot *));
            break;
        }
    uv_close((uv_handle_t *)&slot->timer, on_timer_closed);
}
