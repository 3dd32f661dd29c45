/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - the front-end as the engine starts and ends it. */
#include "fsctl/files.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "fsctl/files_internal.h"

enum {
    PATIENCE_MS = 2000, /* for a thread, when colony ends */
};

/* --- the end ---------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct files *files = handle->data;
    colony_front_closed_cb cb = files->closed_cb;
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

void files_close_handles(struct files *files)
{
    uv_close((uv_handle_t *)&files->timer, on_handle_closed);
    if (files->has_poll)
        uv_close((uv_handle_t *)&files->poll, on_handle_closed);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct files *files = timer->data;

    colony_log(SEVERITY_WARNING, "does not wait for %s, which does not answer",
               files->job->settings.config);
    colony_engine_tell_stuck(files->engine);
    files->job->owner = NULL;
    files->job = NULL; /* the thread's, or what is left of it */
    files_close_handles(files);
}

/* --- what says when to look ------------------------------------------------------------------ */

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
    rc = uv_poll_init(colony_engine_uv_loop(files->engine), &files->poll, files->job->watch.fd);
    if (rc < 0)
        return rc;
    files->poll.data = files;
    files->has_poll = true;
    files->open_handles++;
    return 0;
}

/* A reload also looks at the directories again; what they say is not in the settings. */
static int load_nothing(void **out, const struct colony_settings *next,
                        const struct colony_settings *now, struct colony_error *err)
{
    static char something;

    (void)next, (void)now, (void)err;
    *out = &something;
    return 0;
}

static void look_again(void *loaded, void *data)
{
    struct files *files = data;

    (void)loaded;
    files->wants_look = true;
    files_look_soon(files);
}

static void drop_nothing(void *loaded)
{
    (void)loaded;
}

static const struct colony_reload_part reload_part = {
    .name = "files",
    .text = "the directories are looked at again",
    .load = load_nothing,
    .apply = look_again,
    .drop = drop_nothing,
};

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
    (void)uv_timer_init(colony_engine_uv_loop(engine), &files->timer);
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
    colony_engine_add_reload_part(files->engine, &reload_part, files);
    files->is_started = true;
    files->is_quiet = true;
    files->wants_look = true;
    if (!files->is_busy)
        files_begin_look(files);
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
    colony_engine_remove_reload_part(files->engine, &reload_part);
    colony_engine_remove_meters(files->engine, &files->meters);
}

static void close_controller(void *controller, colony_front_closed_cb cb, void *data)
{
    struct files *files = controller;

    files->closed_cb = cb;
    files->closed_data = data;
    files->is_closing = true;
    if (files->is_busy || colony__pids_has_any(&files->noted))
        (void)uv_timer_start(&files->timer, on_patience_over, PATIENCE_MS, 0);
    if (!files->is_busy)
        files_go_on(files);
}

const struct colony_front colony_files_front = {
    .name = "files",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
