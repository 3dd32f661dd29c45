/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files_look.c - when the directories are looked at: at once when something is told of a change,
 * and each so often whatever is told. One look at a time, on a thread; what it found is applied on
 * the loop.
 */
#include "core/log.h"
#include "fsctl/files_internal.h"

enum {
    SOON_MS = 1000,  /* until a file that was being written is looked at again */
    SLOW_MS = 10000, /* a look that takes longer is told of */
};

static uint64_t now_ms(const struct files *files)
{
    return uv_now(colony_engine_uv_loop(files->engine));
}

static void on_due(uv_timer_t *timer);

static void after_work(uv_work_t *work, int status);

static void queue(struct files *files, enum colony__step step)
{
    struct colony__job *job = files->job;
    int rc;

    job->step = step;
    files->is_busy = true;
    rc = uv_queue_work(colony_engine_uv_loop(files->engine), &job->work, colony__job_run,
                       after_work);
    if (rc == 0)
        return;
    files->is_busy = false;
    colony_log(SEVERITY_ERROR, "cannot look at files: %s", uv_strerror(rc));
    (void)uv_timer_start(&files->timer, on_due, SOON_MS, 0);
}

void files_begin_look(struct files *files)
{
    struct colony__job *job = files->job;

    files->wants_look = false;
    files->is_soon = false;
    files->is_slow_told = false;
    files->waiting = 0;
    files->applied = 0;
    files->began_ms = now_ms(files);
    job->is_first = true;
    colony__post_clear(&job->post);
    (void)uv_timer_start(&files->timer, on_due, SLOW_MS, 0);
    queue(files, STEP_LOOK);
}

static void begin_tidy(struct files *files)
{
    struct colony__job *job = files->job;

    job->pids = files->noted;
    files->noted = (struct colony__pid_list){0};
    queue(files, STEP_TIDY);
}

void files_look_soon(struct files *files)
{
    if (!files->is_busy && files->is_started)
        files_go_on(files);
}

static uint64_t next_look_ms(const struct files *files)
{
    uint64_t frequency_ms = files->job->settings.frequency_ms;

    return files->is_soon && frequency_ms > SOON_MS ? SOON_MS : frequency_ms;
}

/* Nothing is under way: what comes next. */
void files_go_on(struct files *files)
{
    uint64_t now = now_ms(files);

    files->is_busy = false;
    if (colony__pids_has_any(&files->noted)) {
        begin_tidy(files);
    } else if (files->is_closing) {
        files_close_handles(files);
    } else if (!files->is_started) {
        return;
    } else if (files->wants_look && now >= files->rests_until_ms) {
        files_begin_look(files);
    } else if (files->wants_look) {
        (void)uv_timer_start(&files->timer, on_due, files->rests_until_ms - now, 0);
    }
}

/* Whoever writes without a pause gets half of one CPU's time, not all of it. */
static void end_look(struct files *files)
{
    uint64_t now = now_ms(files);
    bool has_more = files->job->post.has_more;

    files->looks_total++;
    files->is_soon |= files->job->post.has_pending;
    colony__post_clear(&files->job->post);
    (void)uv_timer_start(&files->timer, on_due, next_look_ms(files), 0);
    files->rests_until_ms = now + (now - files->began_ms);
    if (files->waiting > 0 && (files->applied > 0 || files->is_quiet)) {
        files->is_quiet = files->applied > 0; /* now those that others miss may be there */
        files->rests_until_ms = 0;
        files->wants_look = true;
    } else {
        files->is_quiet = true;
    }
    if (has_more) {
        files->rests_until_ms = 0;
        files->wants_look = true;
    }
    files_go_on(files);
}

static void after_pass(struct files *files)
{
    struct colony__job *job = files->job;
    bool is_whole = job->batch.rc == 0;

    files_tell(files, SUBJECT_CONFIG, is_whole ? NULL : job->batch.err.message);
    colony__batch_clear(&job->batch);
    if (is_whole && !files->is_complete) {
        files->is_complete = files_drop_unknown(files);
        files->is_soon |= !files->is_complete;
    }
    files_tell(files, SUBJECT_MESSAGES, job->post.rc < 0 ? job->post.err.message : NULL);
    job->post.rc = 0;
    if (!files->is_complete)
        colony__post_clear(&job->post); /* whom they are about is not known yet */
    files_handle_post(files);
    if (job->post.count > 0)
        begin_tidy(files);
    else
        end_look(files);
}

static void after_batch(struct files *files)
{
    struct colony__job *job = files->job;

    files_tell(files, SUBJECT_WATCH, job->watch_err.code < 0 ? job->watch_err.message : NULL);
    files->is_soon |= job->batch.has_pending;
    files_apply_batch(files);
    job->is_first = false;
    if (job->batch.is_last) {
        after_pass(files);
        return;
    }
    colony__batch_clear(&job->batch);
    queue(files, STEP_LOOK);
}

static void after_tidy(struct files *files)
{
    struct colony__job *job = files->job;
    bool is_of_look = job->post.count > 0;

    if (job->post.rc < 0)
        files_tell(files, SUBJECT_MESSAGES, job->post.err.message);
    files_tell_dropped(files);
    if (job->pids_err.code < 0)
        colony_log(SEVERITY_ERROR, "%s", job->pids_err.message);
    job->pids_err.code = 0;
    if (is_of_look && files->is_started)
        end_look(files);
    else
        files_go_on(files);
}

static void after_work(uv_work_t *work, int status)
{
    struct colony__job *job = work->data;
    struct files *files = job->owner;

    (void)status; /* nobody cancels it */
    if (!files) {
        colony__job_free(job);
        return;
    }
    if (job->step == STEP_TIDY)
        after_tidy(files);
    else if (files->is_started)
        after_batch(files);
    else
        files_go_on(files);
}

static void on_due(uv_timer_t *timer)
{
    struct files *files = timer->data;

    files->wants_look = true;
    files->rests_until_ms = 0;
    if (!files->is_busy) {
        files_begin_look(files);
        return;
    }
    if (files->job->step == STEP_LOOK && !files->is_slow_told)
        colony_log(SEVERITY_WARNING, "%s and %s do not answer: what they said last goes on",
                   files->job->settings.config, files->job->settings.messages);
    files->is_slow_told |= files->job->step == STEP_LOOK;
}
