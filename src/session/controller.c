/* SPDX-License-Identifier: Apache-2.0 */
/* controller.c - the supervisor of a session as the engine starts and ends it. */
#include "session/session.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/error.h"
#include "core/events.h"
#include "core/log.h"
#include "core/settings.h"
#include "session/controller_internal.h"
#include "session/workspace.h"

enum {
    PATIENCE_MS = 2000, /* for a thread, when colony ends */
    BUFFER_BYTES = 4096,
    CHANGES = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE,
};

int colony_session_check(const struct colony_session_settings *session, struct colony_error *err)
{
    struct colony_workspace *workspace = NULL;
    int rc = session->dir ? colony_workspace_open(&workspace, session->dir, err) : 0;

    colony_workspace_close(workspace);
    return rc;
}

int colony_session_prepare(struct colony_session_settings *session, struct colony_error *err)
{
    struct colony_workspace *workspace = NULL;
    char *path;
    int rc;

    if (!session->dir)
        return 0;
    rc = colony_workspace_open(&workspace, session->dir, err);
    if (rc < 0)
        return rc;
    path = strdup(colony_workspace_path(workspace));
    colony_workspace_close(workspace);
    if (!path)
        return colony_fail_os(err, -ENOMEM, "cannot keep the session %s", session->dir);
    free(session->dir);
    session->dir = path;
    return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct controller *controller = handle->data;
    colony_front_closed_cb cb = controller->closed_cb;
    void *data = controller->closed_data;

    if (--controller->open_handles > 0)
        return;
    if (controller->watch_fd >= 0)
        (void)close(controller->watch_fd);
    session_job_free(controller->job);
    controller_remove_all(controller);
    controller_free_told(controller);
    free(controller);
    if (cb)
        cb(data);
}

void controller_close_handles(struct controller *controller)
{
    uv_close((uv_handle_t *)&controller->timer, on_handle_closed);
    if (controller->has_poll)
        uv_close((uv_handle_t *)&controller->poll, on_handle_closed);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct controller *controller = timer->data;

    colony_log(SEVERITY_WARNING, "does not wait for %s, which does not answer",
               controller->job->dir);
    colony_engine_tell_stuck(controller->engine);
    controller->job->owner = NULL;
    controller->job = NULL; /* the thread's, or what is left of it */
    controller_close_handles(controller);
}

/* --- what says when to look ------------------------------------------------------------------ */

static void on_watch(uv_poll_t *poll, int status, int events)
{
    struct controller *controller = poll->data;
    _Alignas(struct inotify_event) char buffer[BUFFER_BYTES];

    (void)status;
    (void)events;
    while (read(controller->watch_fd, buffer, sizeof buffer) > 0)
        controller->wants_look = true;
    controller_look_soon(controller);
}

static int watch(struct controller *controller)
{
    char path[4096];

    if (controller->has_poll)
        return 0;
    (void)snprintf(path, sizeof path, "%s/etc", controller->job->dir);
    controller->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (controller->watch_fd < 0 || inotify_add_watch(controller->watch_fd, path, CHANGES) < 0) {
        colony_log(SEVERITY_ERROR,
                   "cannot be told of changes in %s at once (inotify: %s; see "
                   "/proc/sys/fs/inotify): they count after `colony ctl reload`",
                   path, strerror(errno));
        return 0;
    }
    if (uv_poll_init(colony_engine_uv_loop(controller->engine), &controller->poll,
                     controller->watch_fd) < 0)
        return -ENOMEM;
    controller->poll.data = controller;
    controller->has_poll = true;
    controller->open_handles++;
    return 0;
}

/* --- a reload also looks at the workspace ------------------------------------------------------
 */

/* A first look was applied: what is found later is somebody's already. A reload reads it on its
 * thread; there is one supervisor in a program. */
static atomic_bool has_looked;

static int load_look(void **out, const struct colony_settings *next,
                     const struct colony_settings *now, struct colony_error *err)
{
    struct colony_workspace *workspace = NULL;
    struct session_look *look = NULL;
    int rc = colony_workspace_open(&workspace, now->session.dir, err);

    (void)next;
    if (rc == 0)
        rc = session_look_take(&look, workspace, !atomic_load(&has_looked), err);
    colony_workspace_close(workspace);
    *out = look;
    return rc;
}

static void apply_look(void *loaded, void *data)
{
    struct controller *controller = data;

    controller->is_stale = controller->is_busy;
    controller_apply(controller, loaded);
    controller_look_soon(controller);
}

static void drop_look(void *loaded)
{
    session_look_free(loaded);
}

void controller_complete(struct controller *controller)
{
    controller->is_complete = true;
    atomic_store(&has_looked, true);
}

static const struct colony_reload_part reload_part = {
    .name = "session",
    .text = "the workspace is looked at again",
    .load = load_look,
    .apply = apply_look,
    .drop = drop_look,
};

/* --- the controller --------------------------------------------------------------------------- */

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct controller *controller = calloc(1, sizeof *controller);
    int rc = 0;

    if (!controller)
        return colony_fail_os(err, -ENOMEM, "cannot keep a session");
    controller->engine = engine;
    controller->watch_fd = -1;
    if (settings->session.dir)
        rc = session_job_new(&controller->job, settings->session.dir, err);
    if (rc < 0) {
        free(controller);
        return rc;
    }
    if (controller->job)
        controller->job->owner = controller;
    (void)uv_timer_init(colony_engine_uv_loop(engine), &controller->timer);
    controller->timer.data = controller;
    controller->open_handles = 1;
    *out = controller;
    return 0;
}

static int subscribe(struct controller *controller)
{
    static const struct {
        const char *pattern;
        colony_event_cb callback;
    } wanted[CONTROLLER_SUBSCRIPTIONS] = {
        {"spawn", controller_on_spawn}, {"exit", controller_on_exit},
        {"fail", controller_on_fail},   {"start", controller_on_wish},
        {"stop", controller_on_wish},   {"restart", controller_on_wish},
    };
    struct colony_events *events = colony_engine_events(controller->engine);
    int rc = 0;

    for (size_t i = 0; i < CONTROLLER_SUBSCRIPTIONS && rc == 0; i++)
        if (!controller->subscriptions[i])
            rc = colony_events_subscribe(events, wanted[i].pattern, wanted[i].callback, controller,
                                         &controller->subscriptions[i]);
    return rc;
}

static void unsubscribe(struct controller *controller)
{
    for (size_t i = 0; i < CONTROLLER_SUBSCRIPTIONS; i++) {
        colony_events_unsubscribe(colony_engine_events(controller->engine),
                                  controller->subscriptions[i]);
        controller->subscriptions[i] = NULL;
    }
}

static int start(void *data, struct colony_error *err)
{
    struct controller *controller = data;
    int rc;

    if (!controller->job)
        return 0;
    rc = watch(controller);
    if (rc == 0 && controller->has_poll)
        rc = uv_poll_start(&controller->poll, UV_READABLE, on_watch);
    if (rc == 0)
        rc = subscribe(controller);
    if (rc < 0) {
        unsubscribe(controller);
        return colony_fail_os(err, rc, "cannot keep the session %s", controller->job->dir);
    }
    colony_engine_add_reload_part(controller->engine, &reload_part, controller);
    controller->is_started = true;
    controller->wants_look = true;
    controller_look_soon(controller);
    return 0;
}

static void stop(void *data)
{
    struct controller *controller = data;

    controller->is_started = false;
    if (!controller->job)
        return;
    (void)uv_timer_stop(&controller->timer);
    if (controller->has_poll)
        (void)uv_poll_stop(&controller->poll);
    unsubscribe(controller);
    colony_engine_remove_reload_part(controller->engine, &reload_part);
}

static void close_controller(void *data, colony_front_closed_cb cb, void *closed_data)
{
    struct controller *controller = data;

    controller->closed_cb = cb;
    controller->closed_data = closed_data;
    controller->is_closing = true;
    if (!controller->job) {
        controller_close_handles(controller);
        return;
    }
    (void)uv_timer_start(&controller->timer, on_patience_over, PATIENCE_MS, 0);
    controller_look_soon(controller);
}

const struct colony_front colony_session_front = {
    .name = "session",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
