/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wait_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/connection_internal.h"
#include "api/response_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/settings.h"

enum {
    SETTLE_MS = 250, /* what ends sooner was never up */
};

/* One `?wait=` under way. Lives until it is answered or its connection lets go of it. */
struct wait {
    struct colony__connection *connection;
    struct colony_engine *engine;
    struct colony_subscription *subscription;
    enum colony__goal goal;
    struct colony__subjects subjects; /* in order of their names */
    size_t missing;                   /* subjects that are not over */
    uint64_t deadline_ms;             /* of the loop's clock; UINT64_MAX: none */
    uint64_t look_again_ms; /* some process will have been up for long enough; 0: nothing to see */
    struct colony__json answer;
    bool has_report;
    struct colony_error failure; /* of the first subject that failed; code 0: none has */
};

enum outcome { OUTCOME_MISSING, OUTCOME_REACHED, OUTCOME_FAILED };

/* Of a start; the states that are not there are those on the way. */
static const enum outcome start_outcomes[SLOT_STATE_COUNT] = {
    [SLOT_RUNNING] = OUTCOME_REACHED, [SLOT_READY] = OUTCOME_REACHED,
    [SLOT_BACKOFF] = OUTCOME_FAILED, /* it is tried on, but who waits wants to know */
    [SLOT_FAILED] = OUTCOME_FAILED,   [SLOT_COMPLETED] = OUTCOME_REACHED,
};

/* A walk over the slots of one subject. */
struct look {
    enum colony__goal goal;
    uint64_t old_id; /* a process that is not newer does not count as started */
    bool has_ready;
    bool is_last;       /* what runs does so for long enough */
    uint64_t settle_ms; /* until the first one that runs has done so for long enough; 0: none */
    struct colony_slot_info missing; /* the first slot that is on its way; slot 0: none is */
    struct colony_slot_info failed;  /* the first one that never will be there; slot 0: none */
};

static void note_newest(const struct colony_slot_info *info, void *data)
{
    struct colony__subject *subject = data;

    if (info->id > subject->id)
        subject->id = info->id;
}

int colony__subjects_add(struct colony__subjects *subjects, const char *name)
{
    struct colony__subject *subject =
        colony_array_room(subjects->items, subjects->count, &subjects->capacity, sizeof *subject);

    if (!subject)
        return -ENOMEM;
    subjects->items = subject;
    subject += subjects->count++;
    *subject = (struct colony__subject){0};
    (void)snprintf(subject->name, sizeof subject->name, "%s", name);
    return 0;
}

void colony__subjects_note(struct colony__subjects *subjects, struct colony_engine *engine)
{
    for (size_t i = 0; i < subjects->count; i++)
        (void)colony_engine_each_slot(engine, subjects->items[i].name, note_newest,
                                      &subjects->items[i]);
}

void colony__subjects_clear(struct colony__subjects *subjects)
{
    free(subjects->items);
    *subjects = (struct colony__subjects){0};
}

static int compare_subjects(const void *left, const void *right)
{
    return strcmp(((const struct colony__subject *)left)->name,
                  ((const struct colony__subject *)right)->name);
}

static int compare_name(const void *name, const void *subject)
{
    return strcmp(name, ((const struct colony__subject *)subject)->name);
}

int colony__wait_parse(const struct colony__request *request, uint64_t *ms,
                       struct colony_error *err)
{
    const char *value = colony__request_query(request, "wait");

    *ms = 0;
    if (!value || strcasecmp(value, "false") == 0)
        return 0;
    if (*value == '\0' || strcasecmp(value, "true") == 0)
        *ms = UINT64_MAX;
    else if (colony_settings_parse_duration(value, ms) < 0 || *ms > INT64_MAX / 2)
        return colony_fail(err, -EINVAL, "cannot wait '%s': seconds, a duration or true", value);
    else if (*ms == 0)
        *ms = 1;
    return 0;
}

static enum outcome judge_stop(const struct colony_slot_info *info)
{
    if (info->is_wanted)
        return OUTCOME_FAILED; /* somebody has started it again */
    return info->state == SLOT_STOPPED ? OUTCOME_REACHED : OUTCOME_MISSING;
}

/* It may yet end as soon as it was started; `ready:` knows better. */
static bool is_settling(const struct look *look, const struct colony_slot_info *info)
{
    return info->state == SLOT_RUNNING && !look->is_last && info->uptime_ms < SETTLE_MS;
}

static enum outcome judge_slot(const struct look *look, const struct colony_slot_info *info)
{
    if (look->goal == GOAL_STOPPED)
        return judge_stop(info);
    if (info->is_leaving && look->goal == GOAL_STARTED)
        return OUTCOME_REACHED; /* no concern of this one */
    if (info->state == SLOT_STOPPED && !info->is_wanted)
        return look->goal == GOAL_SCALED ? OUTCOME_REACHED : OUTCOME_FAILED;
    if (info->is_leaving || (info->id != 0 && info->id <= look->old_id) ||
        (info->state == SLOT_RUNNING && look->has_ready) || is_settling(look, info))
        return OUTCOME_MISSING;
    if (info->state == SLOT_WAITING && info->has_next && info->next_in_ms > 0)
        return OUTCOME_REACHED; /* by its schedule it is not to run yet */
    return start_outcomes[info->state];
}

static void look_at_slot(const struct colony_slot_info *info, void *data)
{
    struct look *look = data;
    enum outcome outcome = judge_slot(look, info);

    if (outcome == OUTCOME_MISSING && look->missing.slot == 0)
        look->missing = *info;
    if (outcome == OUTCOME_MISSING && is_settling(look, info) &&
        (look->settle_ms == 0 || SETTLE_MS - info->uptime_ms < look->settle_ms))
        look->settle_ms = SETTLE_MS - info->uptime_ms;
    if (outcome == OUTCOME_FAILED && look->failed.slot == 0)
        look->failed = *info;
}

static uint64_t now_of(const struct wait *wait)
{
    return uv_now(colony_engine_uv_loop(wait->engine));
}

/* -ENOENT when there is no such template any more; its processes may still be ending. */
static int look_at(const struct wait *wait, const struct colony__subject *subject,
                   struct look *look)
{
    const struct colony_template *template =
        colony_engine_find_template(wait->engine, subject->name);

    *look = (struct look){
        .goal = wait->goal, .old_id = subject->id, .is_last = now_of(wait) >= wait->deadline_ms};
    if (!template)
        return -ENOENT;
    look->has_ready = template->ready->kind != READY_NONE;
    return colony_engine_each_slot(wait->engine, subject->name, look_at_slot, look);
}

/* Why it is in its state, or "". */
static const char *reason_of(const struct colony_slot_info *info)
{
    return *info->failure ? info->failure : info->cause;
}

static void note_failure(struct wait *wait, const struct colony__subject *subject,
                         const struct colony_slot_info *slot)
{
    const char *reason = reason_of(slot);

    if (wait->failure.code != 0)
        return;
    if (wait->goal == GOAL_STOPPED)
        (void)colony_fail(&wait->failure, -EBUSY, "cannot stop %s: somebody has started it again",
                          subject->name);
    else if (slot->state == SLOT_STOPPED)
        (void)colony_fail(&wait->failure, -ESRCH, "cannot start %s: somebody has stopped slot %u",
                          subject->name, slot->slot);
    else
        (void)colony_fail(&wait->failure, -ESRCH, "cannot start %s: slot %u %s%s%s", subject->name,
                          slot->slot,
                          slot->state == SLOT_FAILED ? "has failed" : "does not stay up",
                          *reason ? ": " : "", reason);
}

static void look_again_in(struct wait *wait, uint64_t settle_ms)
{
    uint64_t at_ms = now_of(wait) + settle_ms + 1; /* the two clocks have other milliseconds */

    if (settle_ms > 0 && (wait->look_again_ms == 0 || at_ms < wait->look_again_ms))
        wait->look_again_ms = at_ms;
}

struct remainder {
    const struct colony__subject *of;
    bool is_there;
};

/* Not that of another process, which took its place and is stopped in turn. */
static void note_remainder(const struct colony_slot_info *info, void *data)
{
    struct remainder *remainder = data;

    if (info->slot == remainder->of->slot && info->state == SLOT_STOPPING &&
        (info->id == 0 || info->id == remainder->of->id))
        remainder->is_there = true;
}

/* Its slot goes on stopping after it, until its children are gone as well. */
static bool is_gone(struct wait *wait, struct colony__subject *subject)
{
    struct remainder remainder = {.of = subject};
    struct colony_slot_info info;

    if (colony_engine_find_process(wait->engine, subject->id, &info) == 0) {
        subject->slot = info.slot;
        return false;
    }
    (void)colony_engine_each_slot(wait->engine, subject->name, note_remainder, &remainder);
    return !remainder.is_there;
}

/* True when @subject need not be looked at again. */
static bool is_over(struct wait *wait, struct colony__subject *subject)
{
    struct look look;

    if (wait->goal == GOAL_GONE)
        return is_gone(wait, subject);
    if (look_at(wait, subject, &look) < 0) {
        if (wait->goal == GOAL_STOPPED)
            return !colony_engine_is_leaving(wait->engine, subject->name);
        if (wait->failure.code == 0)
            (void)colony_fail(&wait->failure, -ESRCH, "cannot start %s: somebody has removed it",
                              subject->name);
        return true;
    }
    if (look.missing.slot != 0) {
        look_again_in(wait, look.settle_ms);
        return false;
    }
    if (look.failed.slot != 0)
        note_failure(wait, subject, &look.failed);
    return true;
}

static void check(struct wait *wait, struct colony__subject *subject)
{
    if (subject->is_over || !is_over(wait, subject))
        return;
    subject->is_over = true;
    wait->missing--;
}

static void add_reports(struct colony__json *json, const struct wait *wait)
{
    struct colony_stop_report sum = {0};

    for (size_t i = 0; i < wait->subjects.count; i++) {
        struct colony_stop_report one = {0};

        (void)colony_engine_stop_report(wait->engine, wait->subjects.items[i].name, &one);
        sum.stopped += one.stopped;
        sum.killed += one.killed;
        sum.unclaimed += one.unclaimed;
        sum.is_partial |= one.is_partial;
    }
    colony__json_add_number(json, "stopped", sum.stopped);
    colony__json_add_number(json, "killed", sum.killed);
    colony__json_add_number(json, "unclaimed", sum.unclaimed);
    colony__json_add_bool(json, "partial", sum.is_partial);
}

static void wait_free(struct wait *wait)
{
    colony_events_unsubscribe(colony_engine_events(wait->engine), wait->subscription);
    colony__subjects_clear(&wait->subjects);
    colony__json_clear(&wait->answer);
    free(wait);
}

/* The end of @wait: hands its connection over to an answer. */
static void finish(struct wait *wait, const struct colony_error *failure)
{
    struct colony__connection *connection = wait->connection;
    const struct colony_error_info *info = colony_error_info(failure->code);
    int status = failure->code == 0 ? 200 : info->http_status;
    struct colony__json json = {0};

    if (failure->code != 0) {
        colony__json_put_failure(&json, info->word, failure->message);
    } else {
        json = wait->answer;
        wait->answer = (struct colony__json){0};
        if (wait->has_report)
            add_reports(&json, wait);
        colony__json_close(&json, '}');
    }
    colony__connection_set_source(connection, NULL, NULL);
    wait_free(wait);
    (void)colony__respond_recorded(connection, status, &json);
}

/* Answers once all are over, else when the first of its times comes. */
static void go_on(struct wait *wait)
{
    uint64_t next_ms = wait->deadline_ms;
    uint64_t now_ms = now_of(wait);

    if (wait->missing == 0) {
        finish(wait, &wait->failure);
        return;
    }
    if (wait->look_again_ms != 0 && wait->look_again_ms < next_ms)
        next_ms = wait->look_again_ms;
    if (next_ms == UINT64_MAX)
        colony__connection_set_timeout(wait->connection, 0);
    else
        colony__connection_set_timeout(wait->connection, next_ms > now_ms ? next_ms - now_ms : 1);
}

static void on_event(const struct colony_event *event, void *data)
{
    struct wait *wait = data;
    struct colony__subject *subject;

    if (!event->name)
        return;
    subject = bsearch(event->name, wait->subjects.items, wait->subjects.count,
                      sizeof *wait->subjects.items, compare_name);
    if (!subject)
        return;
    check(wait, subject);
    go_on(wait);
}

static void check_all(struct wait *wait)
{
    wait->look_again_ms = 0;
    for (size_t i = 0; i < wait->subjects.count; i++)
        check(wait, &wait->subjects.items[i]);
}

static void tell_missing(struct wait *wait)
{
    const struct colony__subject *subject = wait->subjects.items;
    struct colony_error err;
    struct look look;

    while (subject->is_over) /* one is not */
        subject++;
    if (wait->goal == GOAL_GONE || look_at(wait, subject, &look) < 0 || look.missing.slot == 0)
        (void)colony_fail(&err, -ETIMEDOUT, "cannot wait any longer for %s", subject->name);
    else
        (void)colony_fail(&err, -ETIMEDOUT, "cannot wait any longer for %s: slot %u is %s%s%s",
                          subject->name, look.missing.slot,
                          colony_slot_state_name(look.missing.state),
                          *reason_of(&look.missing) ? ": " : "", reason_of(&look.missing));
    finish(wait, &err);
}

/* It is time to look again, or all its time is over, or colony ends before that. */
static void on_timed_out(struct colony__connection *connection, void *data)
{
    struct wait *wait = data;
    uint64_t now_ms = now_of(wait);
    bool is_a_look = wait->look_again_ms != 0 && wait->look_again_ms <= now_ms;

    (void)connection;
    check_all(wait);
    if (wait->missing == 0 || (is_a_look && now_ms < wait->deadline_ms))
        go_on(wait);
    else
        tell_missing(wait);
}

static void on_closed(void *data)
{
    wait_free(data);
}

static const struct colony__source wait_source = {
    .timed_out = on_timed_out,
    .closed = on_closed,
    .is_patient = true,
};

static int subscribe(struct wait *wait)
{
    struct colony_events *events = colony_engine_events(wait->engine);
    char pattern[sizeof "proc." + COLONY_NAME_MAX] = ".";

    if (wait->subjects.count == 1)
        (void)snprintf(pattern, sizeof pattern, "proc.%s", wait->subjects.items[0].name);
    return colony_events_subscribe(events, pattern, on_event, wait, &wait->subscription);
}

static struct wait *wait_new(struct colony__connection *connection,
                             const struct colony__wait_options *options)
{
    struct wait *wait = calloc(1, sizeof *wait);

    if (!wait)
        return NULL;
    wait->connection = connection;
    wait->engine = colony__connection_engine(connection);
    wait->goal = options->goal;
    wait->subjects = options->subjects;
    wait->missing = options->subjects.count;
    wait->answer = options->answer;
    wait->has_report = options->has_report;
    wait->deadline_ms = options->ms == UINT64_MAX ? UINT64_MAX : now_of(wait) + options->ms;
    if (wait->missing > 1)
        qsort(wait->subjects.items, wait->missing, sizeof *wait->subjects.items, compare_subjects);
    return wait;
}

int colony__wait_begin(struct colony__connection *connection,
                       const struct colony__wait_options *options, struct colony_error *err)
{
    struct colony__subjects subjects = options->subjects;
    struct wait *wait = options->ms > 0 ? wait_new(connection, options) : NULL;
    int rc;

    if (!wait) {
        struct colony__json answer = options->answer;

        colony__subjects_clear(&subjects);
        colony__json_close(&answer, '}');
        if (options->ms == 0)
            return colony__respond_recorded(connection, 200, &answer);
        colony__json_clear(&answer);
        return colony_fail_os(err, -ENOMEM, "cannot wait for it, but it is under way");
    }
    rc = subscribe(wait);
    if (rc < 0) {
        wait_free(wait);
        return colony_fail_os(err, rc, "cannot wait for it, but it is under way");
    }
    colony__connection_set_source(connection, &wait_source, wait); /* may be the end of it */
    if (!connection->source)
        return 0;
    check_all(wait);
    go_on(wait);
    return 0;
}
