/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c - when the directories are looked at: at once when something is told of a change, and
 * each so often whatever is told. One look at a time, on a thread; what it found is applied on the
 * loop.
 */
#include "fsctl/files.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "fsctl/files_internal.h"

enum {
    SOON_MS = 1000,     /* until a file that was being written is looked at again */
    PATIENCE_MS = 2000, /* for a thread, when colony ends */
    SLOW_MS = 10000,    /* a look that takes longer is told of */
};

static void begin_look(struct files *files);
static void go_on(struct files *files);

static uint64_t now_ms(const struct files *files)
{
    return uv_now(colony_engine_loop(files->engine));
}

/* --- the end ---------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct files *files = handle->data;
    colony_controller_closed_cb cb = files->closed_cb;
    void *data = files->closed_data;

    if (--files->open_handles > 0)
        return;
    colony__job_free(files->job);
    colony__pids_clear(&files->noted);
    colony__pids_clear(&files->written);
    free(files);
    if (cb)
        cb(data);
}

static void close_handles(struct files *files)
{
    uv_close((uv_handle_t *)&files->timer, on_handle_closed);
    if (files->has_poll)
        uv_close((uv_handle_t *)&files->poll, on_handle_closed);
}

/* libuv waits for its threads when the program ends, and one of them may never come back. */
static void leave_at_once(int exit_code, void *data)
{
    (void)data;
    _exit(exit_code);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct files *files = timer->data;

    colony_log(SEVERITY_WARNING, "does not wait for %s, which does not answer",
               files->job->settings.config);
    (void)on_exit(leave_at_once, NULL);
    files->job->owner = NULL;
    files->job = NULL; /* the thread's, or what is left of it */
    close_handles(files);
}

/* --- the way of a look ------------------------------------------------------------------------ */

static void on_due(uv_timer_t *timer);

static void after_work(uv_work_t *work, int status);

static void queue(struct files *files, enum colony__step step)
{
    struct colony__job *job = files->job;
    int rc;

    job->step = step;
    files->is_busy = true;
    rc = uv_queue_work(colony_engine_loop(files->engine), &job->work, colony__job_run, after_work);
    if (rc == 0)
        return;
    files->is_busy = false;
    colony_log(SEVERITY_ERROR, "cannot look at files: %s", uv_strerror(rc));
    (void)uv_timer_start(&files->timer, on_due, SOON_MS, 0);
}

static void begin_look(struct files *files)
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
        go_on(files);
}

static uint64_t next_look_ms(const struct files *files)
{
    uint64_t frequency_ms = files->job->settings.frequency_ms;

    return files->is_soon && frequency_ms > SOON_MS ? SOON_MS : frequency_ms;
}

/* Nothing is under way: what comes next. */
static void go_on(struct files *files)
{
    uint64_t now = now_ms(files);

    if (colony__pids_has_any(&files->noted)) {
        begin_tidy(files);
    } else if (files->is_closing) {
        close_handles(files);
    } else if (!files->is_started) {
        return;
    } else if (files->wants_look && now >= files->rests_until_ms) {
        begin_look(files);
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
    go_on(files);
}

static void after_pass(struct files *files)
{
    struct colony__job *job = files->job;
    bool is_whole = job->batch.rc == 0;

    files_tell(files, SUBJECT_CONFIG, is_whole ? NULL : job->batch.err.message);
    colony__batch_clear(&job->batch);
    if (is_whole && !files->is_complete) {
        files->is_complete = true;
        files_drop_unknown(files);
    }
    files_tell(files, SUBJECT_MESSAGES, job->post.rc < 0 ? job->post.err.message : NULL);
    job->post.rc = 0;
    if (!files->is_complete)
        job->post.count = 0; /* whom they are about is not known yet */
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
    if (job->pids_err.code < 0)
        colony_log(SEVERITY_ERROR, "%s", job->pids_err.message);
    job->pids_err.code = 0;
    if (is_of_look && files->is_started)
        end_look(files);
    else
        go_on(files);
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
    files->is_busy = false;
    if (job->step == STEP_TIDY)
        after_tidy(files);
    else if (files->is_started)
        after_batch(files);
    else
        go_on(files);
}

static void on_due(uv_timer_t *timer)
{
    struct files *files = timer->data;

    if (!files->is_busy) {
        files->rests_until_ms = 0;
        begin_look(files);
        return;
    }
    if (!files->is_slow_told)
        colony_log(SEVERITY_WARNING, "%s and %s do not answer: what they said last goes on",
                   files->job->settings.config, files->job->settings.messages);
    files->is_slow_told = true;
}

static void on_watch(uv_poll_t *poll, int status, int events)
{
    struct files *files = poll->data;

    (void)events;
    if (status < 0 || !colony__watch_read(&files->job->watch))
        return;
    files->wants_look = true;
    files_look_soon(files);
}

/* --- the controller --------------------------------------------------------------------------- */

static int open_watch(struct files *files)
{
    struct colony_error err;
    int rc = colony__watch_open(&files->job->watch, &err);

    if (rc < 0) {
        files_tell(files, SUBJECT_WATCH, err.message);
        return 0; /* looks at regular times do */
    }
    rc = uv_poll_init(colony_engine_loop(files->engine), &files->poll, files->job->watch.fd);
    if (rc < 0)
        return rc;
    files->poll.data = files;
    files->has_poll = true;
    files->open_handles++;
    return 0;
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct files *files = calloc(1, sizeof *files);
    int rc = files ? 0 : -ENOMEM;

    if (rc == 0)
        files->engine = engine;
    if (rc == 0 && settings->directories.config)
        rc = colony__job_new(&files->job, &settings->directories);
    if (rc < 0) {
        free(files);
        return colony_fail_os(err, rc, "cannot look after files");
    }
    (void)uv_timer_init(colony_engine_loop(engine), &files->timer);
    files->timer.data = files;
    files->open_handles = 1;
    if (files->job)
        files->job->owner = files;
    *out = files;
    return 0;
}

static int start(void *controller, struct colony_error *err)
{
    struct files *files = controller;
    int rc = 0;

    if (!files->job)
        return 0;
    if (!files->has_poll)
        rc = open_watch(files);
    if (rc == 0 && files->has_poll)
        rc = uv_poll_start(&files->poll, UV_READABLE, on_watch);
    if (rc == 0)
        rc = files_watch_pids(files);
    if (rc < 0) {
        files_forget_pids(files);
        return colony_fail_os(err, rc, "cannot look after %s", files->job->settings.config);
    }
    files_add_meters(files);
    files->is_started = true;
    files->is_quiet = true;
    files->wants_look = true;
    if (!files->is_busy)
        begin_look(files);
    return 0;
}

static void stop(void *controller)
{
    struct files *files = controller;

    files->is_started = false;
    (void)uv_timer_stop(&files->timer);
    if (files->has_poll)
        (void)uv_poll_stop(&files->poll);
    files_forget_pids(files);
    colony_engine_remove_meters(files->engine, &files->meters);
}

static void close_controller(void *controller, colony_controller_closed_cb cb, void *data)
{
    struct files *files = controller;

    files->closed_cb = cb;
    files->closed_data = data;
    files->is_closing = true;
    if (files->is_busy || colony__pids_has_any(&files->noted))
        (void)uv_timer_start(&files->timer, on_patience_over, PATIENCE_MS, 0);
    if (!files->is_busy)
        go_on(files);
}

const struct colony_controller colony_files_controller = {
    .name = "files",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
