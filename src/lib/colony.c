/* SPDX-License-Identifier: Apache-2.0 */
/* colony.c - an engine in this program: made, told what to be, started, stopped, freed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/extras.h"
#include "core/error.h"
#include "core/settings.h"
#include "lib/built_in_internal.h"
#include "lib/controllers_internal.h"
#include "lib/life_internal.h"

struct colony_engine *colony__engine(const struct colony *colony)
{
    return colony->phase == PHASE_RUNS && colony->is_welcomed ? colony->engine : NULL;
}

bool colony__is_to_run(const struct colony *colony)
{
    return (colony->phase == PHASE_RUNS && !colony->is_welcomed) || colony->phase == PHASE_RENEWS;
}

struct colony__calls *colony__calls_of(const struct colony *colony)
{
    return colony->calls;
}

struct colony__listeners *colony__listeners_of(const struct colony *colony)
{
    return colony->listeners;
}

struct uv_loop_s *colony_engine_loop(struct colony *colony)
{
    return colony->loop;
}

/* Making it. */

/* Left as it is while handles of the program's are on it. */
static void free_loop(uv_loop_t *loop)
{
    if (uv_loop_close(loop) == 0)
        free(loop);
}

static void discard(struct colony *colony)
{
    if (colony->owns_loop)
        free_loop(colony->loop);
    colony__controllers_free(colony->controllers);
    colony_extras_free(colony->extras);
    colony_settings_free(colony->given);
    free(colony->config);
    free(colony->state);
    free(colony->program);
    free(colony->name);
    free(colony->given_name);
    (void)pthread_mutex_destroy(&colony->lock);
    free(colony);
}

static void on_asked(uv_async_t *async)
{
    colony__life_stop(async->data);
}

static int make_loop(struct colony *colony)
{
    uv_loop_t *loop = calloc(1, sizeof *loop);
    int rc = loop ? uv_loop_init(loop) : -ENOMEM;

    if (rc < 0) {
        free(loop);
        return rc;
    }
    colony->loop = loop;
    colony->owns_loop = true;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct colony *colony = handle->data;
    void (*cb)(void *data) = colony->freed_cb;
    void *data = colony->freed_data;

    if (--colony->handle_count > 0)
        return;
    colony->is_gone = true;
    if (!colony->is_running) /* else whoever runs the loop looks at it once more */
        discard(colony);
    if (cb)
        cb(data);
}

static void close_handles(struct colony *colony)
{
    colony->handle_count = 4;
    uv_close((uv_handle_t *)&colony->asked, on_handle_closed);
    uv_close((uv_handle_t *)&colony->retry, on_handle_closed);
    uv_close((uv_handle_t *)&colony->serve_again, on_handle_closed);
    uv_close((uv_handle_t *)&colony->patience, on_handle_closed);
}

static int make_handles(struct colony *colony)
{
    int rc = uv_async_init(colony->loop, &colony->asked, on_asked);

    if (rc < 0)
        return rc;
    colony->asked.data = colony;
    uv_unref((uv_handle_t *)&colony->asked); /* a loop with nothing to do may end */
    colony__life_init(colony);
    rc = colony__controllers_new(&colony->controllers, colony);
    if (rc == 0)
        rc = colony_extras_new(&colony->extras);
    if (rc == 0)
        rc = colony__calls_new(&colony->calls, colony, colony->loop);
    if (rc == 0)
        rc = colony__listeners_new(&colony->listeners);
    return rc;
}

int colony_engine_open(struct colony **out, struct uv_loop_s *loop,
                       const struct colony_callbacks *callbacks, struct colony_error *err)
{
    struct colony *colony = calloc(1, sizeof *colony);
    int rc = 0;

    if (!colony)
        return colony_fail(err, -ENOMEM, "cannot make an engine: out of memory");
    (void)pthread_mutex_init(&colony->lock, NULL);
    colony->place.fd = colony->place.lock_fd = -1;
    colony->loop = loop;
    if (callbacks)
        colony->callbacks = *callbacks;
    if (!loop)
        rc = make_loop(colony);
    if (rc < 0) {
        discard(colony);
        return colony_fail(err, rc, "cannot make an engine: %s", uv_strerror(rc));
    }
    rc = make_handles(colony);
    if (rc < 0) {
        colony_engine_free(colony, NULL, NULL);
        return colony_fail(err, rc, "cannot make an engine: %s", uv_strerror(rc));
    }
    *out = colony;
    return 0;
}

int colony__child_open(struct colony **out, const struct colony__child *child,
                       const struct colony_callbacks *callbacks, struct colony_error *err)
{
    int rc = colony_engine_open(out, NULL, callbacks, err);

    if (rc < 0)
        return rc;
    (*out)->child = child;
    (*out)->options = *child->options;
    return 0;
}

/* What is said before it starts. */

static int check_idle(const struct colony *colony, struct colony_error *err)
{
    return colony->phase == PHASE_IDLE ? 0 : colony_fail(err, -EBUSY, "cannot do this: it runs");
}

static int set_text(char **field, const char *value, struct colony_error *err)
{
    char *copy = value ? strdup(value) : NULL;

    if (value && !copy)
        return colony_fail(err, -ENOMEM, "cannot set this: out of memory");
    free(*field);
    *field = copy;
    return 0;
}

static int set_leaves(struct colony *colony, const char *value, struct colony_error *err)
{
    bool is_yes = value && strcmp(value, "yes") == 0;

    if (value && !is_yes && strcmp(value, "no") != 0)
        return colony_fail(err, -EINVAL, "cannot use `%s`: what leaves is `yes` or `no`", value);
    colony->leaves = is_yes;
    return 0;
}

int colony_engine_set(struct colony *colony, enum colony_engine_option option, const char *value,
                      struct colony_error *err)
{
    int rc = check_idle(colony, err);

    if (rc < 0)
        return rc;
    switch (option) {
    case COLONY_STATE:
        return set_text(&colony->state, value, err);
    case COLONY_PROGRAM:
        return set_text(&colony->program, value, err);
    case COLONY_NAME:
        return set_text(&colony->name, value, err);
    case COLONY_LEAVES:
        return set_leaves(colony, value, err);
    }
    return colony_fail(err, -EINVAL, "cannot set option %d: there is no such option", (int)option);
}

static int check_load(const struct colony *colony, struct colony_error *err)
{
    int rc = check_idle(colony, err);

    if (rc == 0 && colony->given)
        rc = colony_fail(err, -EEXIST, "cannot load settings: there are some already");
    return rc;
}

int colony_engine_load(struct colony *colony, const char *path, struct colony_error *err)
{
    int rc = check_load(colony, err);
    char *config;

    if (rc < 0)
        return rc;
    config = realpath(path, NULL); /* a reload finds it wherever the program stands then */
    rc = colony_settings_load(&colony->given, path, err);
    if (rc < 0) {
        free(config);
        return rc;
    }
    free(colony->config);
    colony->config = config;
    return 0;
}

int colony_engine_load_text(struct colony *colony, const char *text, size_t size,
                            struct colony_error *err)
{
    int rc = check_load(colony, err);

    return rc < 0 ? rc
                  : colony_settings_load_text(&colony->given, text, size,
                                              program_invocation_short_name, err);
}

/* Its life. */

int colony_engine_start(struct colony *colony, struct colony_error *err)
{
    int rc = check_idle(colony, err);

    return rc < 0 ? rc : colony__life_start(colony, err);
}

/* Until it has ended and, if it is to be freed, nothing of it is left on the loop. */
static void run(struct colony *colony)
{
    colony->is_running = true;
    while (colony->is_freed ? !colony->is_gone : colony->phase != PHASE_IDLE)
        (void)uv_run(colony->loop, UV_RUN_ONCE);
    colony->is_running = false;
}

int colony_engine_run(struct colony *colony, struct colony_error *err)
{
    int rc = colony->phase == PHASE_IDLE ? colony_engine_start(colony, err) : 0;

    if (rc < 0) {
        run(colony); /* what there was of it is closed by the loop */
        return rc;
    }
    run(colony);
    rc = colony->why.code;
    if (rc < 0 && err)
        *err = colony->why;
    if (colony->is_gone)
        discard(colony); /* one of its callbacks has freed it */
    return rc;
}

void colony_engine_stop(struct colony *colony, const char *why)
{
    (void)pthread_mutex_lock(&colony->lock);
    if (colony->stops++ == 0)
        (void)snprintf(colony->stop_why, sizeof colony->stop_why, "%s", why ? why : "the program");
    (void)pthread_mutex_unlock(&colony->lock);
    (void)uv_async_send(&colony->asked);
}

/* The end. */

static void on_calls_closed(void *data)
{
    struct colony *colony = data;

    colony__listeners_free(colony->listeners);
    close_handles(colony);
}

void colony__finish_free(struct colony *colony)
{
    if (colony->calls)
        colony__calls_close(colony->calls, on_calls_closed, colony);
    else
        on_calls_closed(colony);
}

void colony_engine_free(struct colony *colony, void (*cb)(void *data), void *data)
{
    if (!colony || colony->is_freed)
        return;
    colony->is_freed = true;
    colony->freed_cb = cb;
    colony->freed_data = data;
    if (colony->extras)
        colony_extras_clear(colony->extras);
    if (colony->listeners)
        colony__listeners_silence(colony->listeners);
    if (colony->phase == PHASE_IDLE)
        colony__finish_free(colony);
    else if (!colony__life_is_asked_to_stop(colony)) /* else it gets the grace that it was given */
        colony_engine_stop(colony, "the program");
    else
        (void)uv_async_send(&colony->asked);
    if (!colony->owns_loop || colony->is_running)
        return; /* in a callback: whoever runs the loop sees to it */
    run(colony);
    discard(colony);
}

/* Controllers. */

int colony_engine_add_controller(struct colony *colony, const struct colony_controller *controller,
                                 void *data, struct colony_error *err)
{
    int rc;

    if (colony->phase != PHASE_IDLE && colony__built_in_has_sockets(controller))
        return colony_fail(err, -EBUSY,
                           "cannot add the controller %s: it runs, and its sockets are opened at "
                           "the start",
                           controller->name);
    rc = colony__controllers_add(colony->controllers, controller, data, err);
    if (rc == 0 && colony->phase == PHASE_RUNS && colony->is_welcomed)
        rc = colony__controllers_start_last(colony->controllers, err);
    return rc;
}

int colony_engine_restart_controller(struct colony *colony, const char *name,
                                     struct colony_error *err)
{
    return colony__controllers_restart(colony->controllers, name, err);
}
