/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller_work.c - one piece of work at a time, on a thread: what has become of processes is
 * written down first, then the workspace is looked at, then states. There is a timer only while
 * something lives, or waits to be written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "session/controller_internal.h"

enum {
    REST_MS = 100,   /* between two writings, while much happens */
    RETRY_MS = 1000, /* after work that failed */
};

static uint64_t now_ms(const struct controller *controller)
{
    return uv_now(colony_engine_uv_loop(controller->engine));
}

static void on_due(uv_timer_t *timer)
{
    struct controller *controller = timer->data;

    controller_look_soon(controller);
}

static void after_work(uv_work_t *work, int status);

static bool queue(struct controller *controller, enum session_step step)
{
    struct session_job *job = controller->job;
    int rc;

    job->step = step;
    job->period_ms = controller->period_ms;
    rc = uv_queue_work(colony_engine_uv_loop(controller->engine), &job->work, session_job_run,
                       after_work);
    controller->is_busy = rc == 0;
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot look after the session: %s", uv_strerror(rc));
    return rc == 0;
}

/* --- what is told to the thread, and what it tells ---------------------------------------------
 */

void controller_look_again(struct controller *controller)
{
    controller->wants_look = true;
    controller->look_at_ms = now_ms(controller) + RETRY_MS;
}

/* False: no memory. */
static bool copy_life(struct session_life *life, const struct member *member)
{
    life->name = strdup(member->name);
    life->state = life->name ? strdup(member->state) : NULL;
    if (!life->state) {
        free(life->name);
        return false;
    }
    life->pid = member->pid;
    life->start_ticks = member->start_ticks;
    life->is_settled = member->is_settled;
    return true;
}

/* With those that @step is about. 0: there are none. -ENOMEM: some are not among them. */
static int fill_lives(struct controller *controller, enum session_step step)
{
    struct session_job *job = controller->job;

    if (session_job_begin_lives(job, HASH_COUNT(controller->members) + 1) < 0)
        return -ENOMEM;
    if (step == STEP_WRITE && controller->has_held) {
        job->held = controller_list_held(controller);
        if (!job->held)
            return -ENOMEM;
        controller->has_held = false;
    }
    for (struct member *member = controller->members; member; member = member->hh.next) {
        bool is_meant = step == STEP_WRITE ? member->is_dirty : member->is_due && member->pid > 0;

        if (!is_meant)
            continue;
        if (!copy_life(&job->lives[job->life_count], member))
            return -ENOMEM;
        job->life_count++;
        if (step == STEP_WRITE)
            member->is_dirty = false;
        else
            member->is_due = false;
    }
    return job->life_count > 0 || job->held ? 1 : 0;
}

static void after_states(struct controller *controller)
{
    const struct session_job *job = controller->job;
    uint64_t soon_ms = now_ms(controller) + job->due_ms;

    for (size_t i = 0; i < job->life_count; i++) {
        const struct session_life *life = &job->lives[i];
        struct member *member = controller_find(controller, life->name);

        if (!member || member->pid != life->pid || life->is_gone)
            continue; /* its end is told by the keeper */
        controller_set_state(controller, member, life->state);
    }
    if (job->due_ms != UINT64_MAX && soon_ms < controller->states_at_ms)
        controller->states_at_ms = soon_ms;
}

/* The start times that were read. After a failure all is to be written again. */
static void after_write(struct controller *controller)
{
    struct session_job *job = controller->job;

    for (size_t i = 0; i < job->life_count; i++) {
        const struct session_life *life = &job->lives[i];
        struct member *member = controller_find(controller, life->name);

        if (member && member->pid == life->pid)
            member->start_ticks = life->start_ticks;
        if (member && job->rc < 0) {
            member->is_dirty = true;
            controller->has_dirty = true;
        }
    }
    if (job->held && job->rc < 0)
        controller->has_held = controller->has_dirty = true;
    free(job->held);
    job->held = NULL;
    controller->write_at_ms = now_ms(controller) + (job->rc < 0 ? RETRY_MS : REST_MS);
}

static void after_look(struct controller *controller)
{
    struct session_job *job = controller->job;
    struct session_look *look = job->look;

    job->look = NULL;
    if (!look && (!controller->is_complete || colony_is_shortage(job->rc)))
        controller_look_again(controller); /* else when something changes */
    if (controller->is_stale || !controller->is_started || !look) {
        controller->wants_look |= controller->is_stale;
        session_look_free(look);
        return;
    }
    controller_apply(controller, look);
}

static void after_work(uv_work_t *work, int status)
{
    struct session_job *job = work->data;
    struct controller *controller = job->owner;

    (void)status; /* nobody cancels it */
    if (!controller) {
        session_job_free(job);
        return;
    }
    controller->is_busy = false;
    controller_tell_error(controller, job->rc < 0 ? job->err.message : NULL);
    switch (job->step) {
    case STEP_LOOK:
        after_look(controller);
        break;
    case STEP_STATES:
        after_states(controller);
        break;
    case STEP_WRITE:
        after_write(controller);
        break;
    }
    session_job_clear_lives(job);
    controller_go_on(controller);
}

/* --- what comes next ---------------------------------------------------------------------------
 */

static bool begin(struct controller *controller, enum session_step step)
{
    int rc = 1;

    if (step == STEP_LOOK) {
        controller->wants_look = false;
        controller->is_stale = false;
        controller->job->finds = !controller->is_complete;
    } else if (step == STEP_WRITE) {
        controller->has_dirty = false;
    } else {
        controller->has_due = false;
    }
    if (step != STEP_LOOK)
        rc = fill_lives(controller, step);
    if (rc > 0)
        return queue(controller, step);
    if (rc < 0 && step == STEP_WRITE) { /* those that were marked, too */
        controller->has_dirty = true;
        controller->job->rc = rc;
        after_write(controller);
    }
    session_job_clear_lives(controller->job);
    return false;
}

static bool has_living(const struct controller *controller)
{
    for (const struct member *member = controller->members; member; member = member->hh.next)
        if (member->pid > 0)
            return true;
    return false;
}

static void begin_period(struct controller *controller, uint64_t now)
{
    controller->wants_look |= controller->wants_again;
    controller->states_at_ms = now + controller->period_ms;
    for (struct member *member = controller->members; member; member = member->hh.next)
        member->is_due = member->pid > 0;
    controller->has_due = true;
}

static void arm(struct controller *controller, uint64_t now)
{
    uint64_t at_ms = UINT64_MAX;

    if (controller->is_started && has_living(controller))
        at_ms = controller->states_at_ms;
    if (controller->has_dirty && controller->write_at_ms < at_ms)
        at_ms = controller->write_at_ms;
    if (controller->is_started && controller->wants_look && controller->look_at_ms < at_ms)
        at_ms = controller->look_at_ms;
    if (at_ms == UINT64_MAX)
        (void)uv_timer_stop(&controller->timer);
    else
        (void)uv_timer_start(&controller->timer, on_due, at_ms > now ? at_ms - now : 0, 0);
}

void controller_go_on(struct controller *controller)
{
    uint64_t now = now_ms(controller);

    if (controller->is_busy || !controller->job)
        return;
    if (controller->has_dirty && (controller->is_closing || now >= controller->write_at_ms) &&
        begin(controller, STEP_WRITE))
        return;
    if (controller->is_closing) {
        controller_close_handles(controller);
        return;
    }
    if (controller->is_started && controller->wants_look && now >= controller->look_at_ms &&
        begin(controller, STEP_LOOK))
        return;
    if (controller->is_started && now >= controller->states_at_ms && has_living(controller))
        begin_period(controller, now);
    if (controller->is_started && controller->has_due && begin(controller, STEP_STATES))
        return;
    arm(controller, now);
}

void controller_look_soon(struct controller *controller)
{
    if (!controller->is_busy && (controller->is_started || controller->is_closing))
        controller_go_on(controller);
}
