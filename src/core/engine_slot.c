/* SPDX-License-Identifier: Apache-2.0 */
/* engine_slot.c - the life of a slot: the one function that moves it and what each state does. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/engine_internal.h"
#include "core/log.h"

enum {
    SWEEP_DELAY_FIRST_MS = 5,
};

/* It has a process, or is about to: what has just ended may be started in the same breath. */
bool engine_state_is_up(enum colony_slot_state state)
{
    return state == SLOT_STARTING || state == SLOT_RUNNING || state == SLOT_READY ||
           state == SLOT_STOPPING || state == SLOT_EXITED;
}

/* Of the process it has or had last, whatever its template says by now. */
bool engine_slot_is_detached(const struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);

    return record && !slot->is_spawning ? (record->flags & RECORD_DETACHED) != 0
                                        : slot->entry->template->detach;
}

void engine_slot_because(struct slot *slot, const char *format, ...)
{
    char text[CAUSE_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    engine_set_text(&slot->cause, text);
}

static void publish_move(struct slot *slot, enum colony_slot_state from, enum colony_slot_state to)
{
    char cause[CAUSE_SIZE]; /* a subscriber may set another */
    struct colony_event event = {
        .type = EVENT_STATE,
        .name = slot->entry->template->name,
        .slot = slot->number,
        .id = slot->id,
        .os_pid = slot->os_pid,
        .from = from,
        .to = to,
        .text = cause,
    };

    (void)snprintf(cause, sizeof cause, "%s", slot->cause);
    if (!slot->entry->is_check)
        colony_events_publish(slot->entry->engine->events, &event);
}

/* States. */

static void enter_waiting(struct slot *slot)
{
    engine_save_note(slot);
}

static void on_start_failed(struct colony_timer *timer)
{
    engine_slot_handle(engine_timed_slot(timer), SLOT_EVENT_FAIL);
}

static void enter_starting(struct slot *slot)
{
    struct colony_error err = {0};

    if (slot->is_spawning)
        return;         /* taken over in the middle of a spawn: the keeper will tell */
    if (slot->os_pid) { /* detached, and it lives on: no second one */
        engine_slot_handle(slot, SLOT_EVENT_COMPLETE);
        return;
    }
    /* Why the last try failed stays to be seen until one succeeds: this may take its time, too. */
    if (engine_run_expect(slot, &err) == 0 && engine_order_spawn(slot, &err) == 0) {
        slot->is_spawning = true;
        return;
    }
    engine_run_end(slot);
    free(slot->failure);
    slot->failure = strdup(err.message);
    colony_log(slot->entry->is_check ? SEVERITY_DEBUG : SEVERITY_ERROR, "%s", err.message);
    engine_slot_because(slot, "%s", err.message);
    engine_publish_process(slot, EVENT_FAIL, err.message);
    /* Not from within: the policy may try again at once, a thousand times over. */
    engine_slot_time(slot, on_start_failed, 0);
}

static void enter_running(struct slot *slot)
{
    slot->is_failing = false;
    engine_schedule_on_up(slot);
    engine_run_begin(slot, slot->adopted_state != 0);
}

static void enter_ready(struct slot *slot)
{
    engine_save_note(slot);
    engine_run_arm(slot);
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
    const struct colony_engine *engine = slot->entry->engine;
    uint64_t grace_ms;

    engine_run_end(slot);
    if (slot->is_let_go) {
        engine_leave_process(slot);
        engine_slot_handle(slot, SLOT_EVENT_GONE);
        return;
    }
    if (engine_slot_is_detached(slot)) {
        leave_alone(slot);
        return;
    }
    /* The loop's clock may be almost a millisecond behind: one more, or the grace would be cut. */
    grace_ms = engine->is_hurried ? 0 : engine_stop_ms(template);
    slot->deadline_ms = uv_now(engine->loop) + grace_ms + (grace_ms > 0);
    slot->stop_step = 0;
    slot->sweep_delay_ms = SWEEP_DELAY_FIRST_MS;
    slot->swept_with = -1;
    slot->strays_counted = false;
    slot->entry->report.stopped++;
    engine_save_note(slot);
    if (slot->os_pid)
        engine_ask_to_end(slot);
    else if (slot->is_spawning)
        return; /* told to end as soon as it is there */
    else if (slot->has_record)
        engine_begin_sweep(slot, engine_stop_signal(slot)); /* what it left behind */
    else
        engine_slot_handle(slot, SLOT_EVENT_GONE);
}

void engine_slot_close_logs(struct slot *slot)
{
    if (slot->log)
        colony_log_close(slot->log);
    if (slot->error_log)
        colony_log_close(slot->error_log);
    slot->log = NULL;
    slot->error_log = NULL;
}

void engine_slot_drop_record(struct slot *slot)
{
    slot->is_stale = false;
    engine_run_free(slot);
    if (slot->os_pid)
        return; /* what lives is never forgotten */
    if (slot->has_record)
        engine_order_forget(slot->entry->engine, slot->index, slot->id);
    slot->has_record = false;
    engine_slot_close_logs(slot);
}

/*
 * Its template was replaced: the next process gets a record, a pipe and a log of its own. Not
 * before it is stopped: the record is what its strays are found by.
 */
void engine_slot_outdate(struct slot *slot)
{
    slot->is_stale = true;
    if (slot->state == SLOT_STOPPED)
        engine_slot_drop_record(slot);
}

static void follow_failure(struct slot *slot)
{
    const struct colony_restart_end end = {
        .at_ms = engine_boot_ms(),
        .ran_ms = engine_boot_ms() - slot->started_boot_ms,
    };

    slot->is_failing = false;
    engine_policy_follow(slot, &end);
}

static void enter_stopped(struct slot *slot)
{
    struct colony_engine *engine = slot->entry->engine;

    if (slot->is_leaving) {
        engine_slot_retire(slot);
        engine_check_stopped(engine);
        return;
    }
    if (slot->is_stale)
        engine_slot_drop_record(slot);
    if (slot->is_wanted && !engine->is_stopping) {
        if (slot->is_failing)
            follow_failure(slot);
        else
            engine_slot_begin(slot);
        return;
    }
    slot->is_failing = false;
    slot->is_due = false;
    engine_policy_forget(slot);
    engine_save_note(slot);
    engine_check_stopped(engine);
}

/* The policy decides what comes next. */
static void enter_exited(struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);
    struct colony_restart_end end = {.at_ms = engine_boot_ms()};

    if (!slot->is_wanted || slot->entry->engine->is_stopping) {
        engine_slot_handle(slot, SLOT_EVENT_STOP);
        return;
    }
    engine_policy_on_exit(slot);
    if (slot->entry->engine->is_stopping)
        return; /* colony ends with it, and stops it as soon as nobody needs it */
    if (!slot->failure && record) {
        if (record->exited_boot_ns > record->claimed_boot_ns)
            end.ran_ms = (record->exited_boot_ns - record->claimed_boot_ns) / 1000000;
        end.has_status = slot->exit_known && WIFEXITED(slot->wait_status);
        end.exit_status = WEXITSTATUS(slot->wait_status);
    }
    engine_policy_follow(slot, &end);
}

static void on_backoff_over(struct colony_timer *timer);

static void arm_backoff(struct slot *slot)
{
    uint64_t now = engine_boot_ms();
    uint64_t left = slot->retry_boot_ms > now ? slot->retry_boot_ms - now : 0;

    /* The loop's clock has other milliseconds: one more, or it could wake too early. */
    engine_slot_time(slot, on_backoff_over, left > 0 ? left + 1 : 0);
}

static void on_backoff_over(struct colony_timer *timer)
{
    struct slot *slot = engine_timed_slot(timer);

    if (slot->stop_is_due)
        return; /* it is to stop, and starts no more before that */
    if (slot->retry_boot_ms > engine_boot_ms())
        arm_backoff(slot); /* the loop's clock may have been asleep, or behind */
    else
        engine_slot_begin(slot);
}

static void enter_backoff(struct slot *slot)
{
    engine_save_note(slot);
    arm_backoff(slot);
}

static void enter_completed(struct slot *slot)
{
    engine_save_note(slot);
    if (engine_schedule_has(slot) && slot->is_wanted && !slot->entry->engine->is_stopping)
        engine_slot_begin(slot); /* which waits until it is time again */
}

static void enter_failed(struct slot *slot)
{
    engine_save_note(slot);
    engine_policy_on_failed(slot);
}

static void (*const on_enter[SLOT_STATE_COUNT])(struct slot *slot) = {
    [SLOT_STOPPED] = enter_stopped,     [SLOT_WAITING] = enter_waiting,
    [SLOT_STARTING] = enter_starting,   [SLOT_RUNNING] = enter_running,
    [SLOT_READY] = enter_ready,         [SLOT_STOPPING] = enter_stopping,
    [SLOT_EXITED] = enter_exited,       [SLOT_BACKOFF] = enter_backoff,
    [SLOT_COMPLETED] = enter_completed, [SLOT_FAILED] = enter_failed,
};

static void count_move(struct slot *slot, enum colony_slot_state from, enum colony_slot_state to)
{
    struct colony_engine *engine = slot->entry->engine;

    engine_stir(engine, false);
    if (from == SLOT_STOPPED)
        engine->up_count++;
    if (to == SLOT_STOPPED)
        engine->up_count--;
    if (slot->is_leaving)
        return;
    slot->entry->counts[from]--;
    slot->entry->counts[to]++;
}

void engine_slot_handle(struct slot *slot, enum colony_slot_event event)
{
    enum colony_slot_state from = slot->state;
    enum colony_slot_state to = colony_slot_next(from, event);
    uint32_t move;

    if (to == SLOT_NONE)
        return;
    engine_slot_stop_timer(slot); /* a timer never outlives its state */
    slot->state = to;             /* the only assignment */
    slot->stop_is_due &= to != SLOT_STOPPING;
    slot->since_ms = colony_wall_now_ms();
    move = ++slot->moves;
    count_move(slot, from, to);
    publish_move(slot, from, to);
    if (slot->moves == move) /* a subscriber may have moved it on */
        engine_gates_on_move(slot, from);
    if (slot->moves == move && on_enter[to])
        on_enter[to](slot);
    if (slot->entry->job)
        engine_job_on_move(slot);
    else if (slot->entry->is_check)
        engine_check_on_move(slot);
}

/* What is asked of a slot. */

/* Starts it, or lets it wait for what it depends on, or until it is time. */
void engine_slot_begin(struct slot *slot)
{
    char text[CAUSE_SIZE];

    if (engine_policy_holds(slot) || engine_schedule_holds(slot))
        return;
    if (engine_gates_are_open(slot->entry)) {
        slot->is_due = false;
        engine_slot_handle(slot, SLOT_EVENT_START);
        return;
    }
    engine_gates_describe(slot->entry, text, sizeof text);
    engine_slot_because(slot, "%s", text);
    engine_slot_handle(slot, SLOT_EVENT_WAIT);
}

/* It is to run: at once, or when it has been stopped. */
void engine_slot_want(struct slot *slot)
{
    slot->is_wanted = true;
    slot->is_failing = false;
    engine_save_note(slot); /* it may go on as it is */
    if (slot->stop_is_due || slot->state == SLOT_STARTING || slot->state == SLOT_RUNNING ||
        slot->state == SLOT_READY || slot->state == SLOT_STOPPING)
        return;
    engine_slot_because(slot, "%s", slot->entry->why);
    engine_slot_begin(slot);
}

/* The same as the wish of a user: what was before does not count any more. */
void engine_slot_start(struct slot *slot)
{
    if (slot->state != SLOT_STARTING && slot->state != SLOT_RUNNING && slot->state != SLOT_READY)
        engine_policy_forget(slot);
    slot->is_once = false;
    engine_slot_want(slot);
}

/* The same, and when it ends it is done or has failed. */
void engine_slot_start_once(struct slot *slot)
{
    if (slot->state != SLOT_STARTING && slot->state != SLOT_RUNNING && slot->state != SLOT_READY)
        engine_policy_forget(slot);
    slot->is_once = true;
    engine_slot_want(slot);
}

/* Its process is to end; what comes then is what the slot is wanted for. */
void engine_slot_end(struct slot *slot)
{
    if (slot->state != SLOT_STOPPING)
        engine_slot_because(slot, "%s", slot->entry->why);
    engine_slot_handle(slot, SLOT_EVENT_STOP);
    if (slot->state == SLOT_STOPPING)
        engine_save_note(slot); /* also one that was being restarted */
}

/* At once, whoever depends on it: engine_gates_stop asks them first. */
void engine_slot_stop(struct slot *slot)
{
    slot->is_wanted = false;
    engine_slot_end(slot);
}

/* Colony itself finds it at fault: it is stopped, and the policy follows. The cause is set. */
void engine_slot_fail(struct slot *slot)
{
    colony_log(SEVERITY_WARNING, "%s.%u is %s: %s", slot->entry->template->name, slot->number,
               engine_schedule_has(slot) ? "stopped" : "restarted", slot->cause);
    slot->is_failing = true;
    engine_slot_handle(slot, SLOT_EVENT_STOP);
}

void engine_slot_retry_later(struct slot *slot, uint64_t delay_ms)
{
    slot->retry_boot_ms = engine_boot_ms() + delay_ms;
    if (slot->state == SLOT_BACKOFF)
        enter_backoff(slot); /* it was put off further */
    else
        engine_slot_handle(slot, SLOT_EVENT_DELAY);
}

/*
 * There is no place for it any more: it goes as soon as it is stopped, which it is now, or
 * @in_turn: then its stop is due, and engine_gates_stop looks who needs it.
 */
void engine_slot_leave(struct slot *slot, bool in_turn)
{
    if (!slot->is_leaving)
        slot->entry->counts[slot->state]--;
    slot->is_leaving = true;
    slot->is_wanted = false;
    if (slot->state == SLOT_STOPPED) {
        engine_slot_retire(slot);
    } else if (in_turn && slot->state != SLOT_STOPPING) {
        engine_slot_because(slot, "%s", slot->entry->why);
        slot->stop_is_due = true;
        engine_save_note(slot);
    } else {
        engine_slot_stop(slot);
    }
}

/* One that was leaving stays after all. */
void engine_slot_stay(struct slot *slot)
{
    if (!slot->is_leaving)
        return;
    slot->is_leaving = false;
    slot->is_left_alone = false;
    slot->entry->counts[slot->state]++;
}

/* Its timer. */

void engine_slot_time(struct slot *slot, colony_timer_cb cb, uint64_t delay_ms)
{
    if (!slot->is_retired)
        colony_timer_start(slot->entry->engine->timers, &slot->timer, cb, delay_ms);
}

void engine_slot_stop_timer(struct slot *slot)
{
    if (!slot->is_retired)
        colony_timer_stop(slot->entry->engine->timers, &slot->timer);
}

struct slot *engine_timed_slot(struct colony_timer *timer)
{
    return (struct slot *)((char *)timer - offsetof(struct slot, timer));
}

/* Making and ending. */

/* For one more; most templates have one slot, whose pointer is in the entry. */
static bool make_room(struct template_entry *entry)
{
    bool is_inside = entry->slots == &entry->first_slot;
    struct slot **grown;

    if (!entry->slots || (is_inside && entry->slot_count == 0)) {
        entry->slots = &entry->first_slot;
        return true;
    }
    grown =
        realloc(is_inside ? NULL : entry->slots, (entry->slot_count + 1) * sizeof(struct slot *));
    if (!grown)
        return false;
    if (is_inside)
        grown[0] = entry->first_slot;
    entry->slots = grown;
    return true;
}

int engine_slot_new(struct slot **out, struct template_entry *entry, uint32_t number)
{
    struct slot *slot = calloc(1, sizeof *slot);

    if (!slot)
        return -ENOMEM;
    if (!make_room(entry) || colony_timers_add(entry->engine->timers) < 0) {
        free(slot);
        return -ENOMEM;
    }
    slot->entry = entry;
    slot->number = number;
    engine_clear_text(&slot->cause);
    slot->state = SLOT_STOPPED;
    entry->counts[SLOT_STOPPED]++;
    entry->open_slots++;
    entry->engine->open_handles++;
    entry->slots[entry->slot_count++] = slot;
    *out = slot;
    return 0;
}

static void on_retired(struct colony_timer *timer)
{
    struct slot *slot = engine_timed_slot(timer);
    struct template_entry *entry = slot->entry;
    struct colony_engine *engine = entry->engine;

    colony_timers_remove(engine->timers);
    colony_restart_clear(&slot->restart);
    engine_clear_text(&slot->cause);
    engine_custom_free(slot);
    free(slot->failure);
    free(slot);
    if (--entry->open_slots == 0 && entry->is_removed)
        engine_free_entry(entry);
    engine_on_part_closed(engine);
}

/* Takes a stopped slot out of its template; it is freed on the loop's next turn. */
void engine_slot_retire(struct slot *slot)
{
    struct template_entry *entry = slot->entry;

    engine_remove_living(slot);            /* one that is detached outlives us */
    engine_run_free(slot);                 /* it looks at the log */
    if (slot->has_record && !slot->os_pid) /* else when its end is told */
        engine_order_forget(entry->engine, slot->index, slot->id);
    engine_slot_close_logs(slot);
    engine_input_close(slot, "it is gone");
    engine_custom_close(slot, "it is gone");
    if (!slot->is_leaving)
        entry->counts[slot->state]--;
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (entry->slots[i] == slot) {
            entry->slot_count--;
            memmove(&entry->slots[i], &entry->slots[i + 1],
                    (entry->slot_count - i) * sizeof(struct slot *));
            break;
        }
    engine_slot_time(slot, on_retired, 0);
    slot->is_retired = true;
}
