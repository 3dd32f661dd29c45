/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - the life of a daemon: its loop, and what that waits for when it ends. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "api/hosted.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/store.h"
#include "core/utf8.h"
#include "lib/daemon_internal.h"

enum {
    FLUSH_MS = 3000, /* what Juggler is to be told yet */
};

void colony__daemon_lock(struct colony_daemon *daemon)
{
    (void)pthread_mutex_lock(&daemon->lock);
}

void colony__daemon_unlock(struct colony_daemon *daemon)
{
    (void)pthread_mutex_unlock(&daemon->lock);
}

void colony__daemon_wake_loop(struct colony_daemon *daemon)
{
    (void)uv_async_send(&daemon->async);
}

static void set_phase(struct colony_daemon *daemon, enum colony__daemon_phase phase)
{
    colony__daemon_lock(daemon);
    daemon->phase = phase;
    colony__daemon_unlock(daemon);
}

/* --- its end, step by step -------------------------------------------------------------------- */

static void end_loop(void *data)
{
    struct colony_daemon *daemon = data;

    set_phase(daemon, DAEMON_OVER);
    uv_stop(&daemon->loop);
}

static void close_sender(struct colony_daemon *daemon)
{
    struct colony_juggler_sender *sender = daemon->sender;

    (void)uv_timer_stop(&daemon->flush);
    daemon->sender = NULL;
    if (sender)
        colony_juggler_sender_close(sender, end_loop, daemon);
    else
        end_loop(daemon);
}

static void on_flush_over(uv_timer_t *timer)
{
    close_sender(timer->data);
}

static void flush_reports(void *data)
{
    struct colony_daemon *daemon = data;

    daemon->store = NULL;
    if (daemon->sender && colony__daemon_look_at_reports(daemon) > 0)
        (void)uv_timer_start(&daemon->flush, on_flush_over, FLUSH_MS, 0);
    else
        close_sender(daemon);
}

static void on_hosted_closed(void *data)
{
    struct colony_daemon *daemon = data;

    daemon->hosted = NULL;
    if (daemon->store)
        colony_store_close(daemon->store, flush_reports, daemon);
    else
        flush_reports(daemon);
}

static void begin_end(struct colony_daemon *daemon)
{
    set_phase(daemon, DAEMON_ENDING);
    if (!daemon->hosted) {
        on_hosted_closed(daemon);
        return;
    }
    colony_hosted_stop(daemon->hosted);
    colony_hosted_close(daemon->hosted, on_hosted_closed, daemon);
}

/* --- what other threads have done ------------------------------------------------------------- */

static void on_async(uv_async_t *async)
{
    struct colony_daemon *daemon = async->data;
    bool is_stopping = daemon->is_stopping; /* before what is looked at then */
    size_t waiting;

    if (is_stopping) {
        colony__daemon_lock(daemon);
        (void)pthread_cond_broadcast(&daemon->turn);
        colony__daemon_unlock(daemon);
    }
    for (int i = 0; i < WORKER_COUNT; i++)
        colony__worker_look(&daemon->workers[i]);
    waiting = colony__daemon_look_at_reports(daemon);
    if (colony__slaves_reap(daemon) == 0 && is_stopping && daemon->phase == DAEMON_RUNNING)
        begin_end(daemon);
    else if (waiting == 0 && uv_is_active((uv_handle_t *)&daemon->flush))
        on_flush_over(&daemon->flush);
}

void colony_daemon_stop(struct colony_daemon *daemon)
{
    daemon->is_stopping = true;
    colony__daemon_wake_loop(daemon);
}

/* The next one ends the program, if it still hangs then. */
static void on_signal(uv_signal_t *handle, int signum)
{
    struct colony_daemon *daemon = handle->data;

    (void)signum;
    for (size_t i = 0; i < sizeof daemon->signals / sizeof daemon->signals[0]; i++)
        (void)uv_signal_stop(&daemon->signals[i]);
    colony_daemon_stop(daemon);
}

void colony_daemon_stop_on_signals(struct colony_daemon *daemon)
{
    daemon->stops_on_signals = true;
}

/* --- its start -------------------------------------------------------------------------------- */

static int open_store(struct colony_daemon *daemon, struct colony_error *err)
{
    char path[sizeof daemon->state.path + sizeof "/colony.db"];
    char *aside = NULL;
    int rc;

    if (!daemon->settings->events->durable)
        return 0;
    if (!daemon->state_path)
        return colony_fail(err, -EINVAL,
                           "cannot keep events (`events.durable`): the daemon has no state folder");
    rc = colony_state_dir_open(&daemon->state, daemon->state_path, err);
    if (rc < 0)
        return rc;
    (void)snprintf(path, sizeof path, "%s/colony.db", daemon->state.path);
    rc = colony_store_open(&daemon->store, &daemon->loop, path, &aside, err);
    if (rc == 0 && aside)
        colony_daemon_log(daemon, COLONY_DAEMON_ERROR, "the database was damaged: it is %s now",
                          aside);
    free(aside);
    return rc;
}

static int open_hosted(struct colony_daemon *daemon, struct colony_error *err)
{
    const struct colony_hosted_options options = {
        .loop = &daemon->loop,
        .settings = daemon->settings,
        .store = daemon->store,
        .callbacks = colony__daemon_hosted_callbacks(daemon),
    };
    int rc = colony_hosted_new(&daemon->hosted, &options, err);

    if (rc == 0)
        rc = colony_hosted_start(daemon->hosted, err);
    if (rc == 0)
        daemon->port = colony_hosted_port(daemon->hosted);
    return rc;
}

static int watch_signals(struct colony_daemon *daemon, struct colony_error *err)
{
    static const int signums[] = {SIGTERM, SIGINT};
    int rc = 0;

    for (size_t i = 0; daemon->stops_on_signals && i < 2 && rc == 0; i++)
        rc = uv_signal_start(&daemon->signals[i], on_signal, signums[i]);
    return rc < 0 ? colony_fail_os(err, rc, "cannot wait for signals") : 0;
}

static int use_defaults(struct colony_daemon *daemon, struct colony_error *err)
{
    if (daemon->settings)
        return 0;
    colony_daemon_log(daemon, COLONY_DAEMON_WARNING, "Config file is not specified");
    return colony_daemon_load_text(daemon, "", 0, err);
}

static int begin(struct colony_daemon *daemon, struct colony_error *err)
{
    int rc = use_defaults(daemon, err);

    if (rc < 0)
        return rc;
    colony_daemon_log(daemon, COLONY_DAEMON_DEBUG, "Starting");
    rc = open_store(daemon, err);
    if (rc == 0)
        rc = open_hosted(daemon, err);
    if (rc == 0)
        rc = colony__daemon_open_juggler(daemon, err);
    if (rc == 0)
        rc = watch_signals(daemon, err);
    if (rc == 0 && daemon->callbacks.run)
        rc = colony__slaves_run_main(daemon, err);
    return rc;
}

int colony_daemon_start(struct colony_daemon *daemon, struct colony_error *err)
{
    int rc;

    if (daemon->phase != DAEMON_NEW)
        return colony_fail(err, -EALREADY, "cannot start the daemon: it was started before");
    colony__daemon_take_log(daemon);
    set_phase(daemon, DAEMON_RUNNING);
    rc = begin(daemon, err);
    if (rc < 0)
        colony_daemon_stop(daemon); /* also for those who sleep, and slaves of other threads */
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < WORKER_COUNT; i++)
        colony__worker_end(&daemon->workers[i]);
    for (size_t i = 0; i < sizeof daemon->signals / sizeof daemon->signals[0]; i++)
        (void)uv_signal_stop(&daemon->signals[i]);
    colony__daemon_take_log(NULL);
    return rc;
}

/* ---------------------------------------------------------------------------------------------- */

/* Descriptors are what these take. */
static int open_handles(struct colony_daemon *daemon)
{
    int rc = uv_loop_init(&daemon->loop);

    if (rc < 0)
        return rc;
    rc = uv_signal_init(&daemon->loop, &daemon->signals[0]); /* the others need no more */
    if (rc < 0) {
        (void)uv_loop_close(&daemon->loop); /* which has nothing that is open */
        return rc;
    }
    (void)uv_signal_init(&daemon->loop, &daemon->signals[1]);
    (void)uv_async_init(&daemon->loop, &daemon->async, on_async);
    (void)uv_timer_init(&daemon->loop, &daemon->flush);
    daemon->async.data = daemon;
    daemon->signals[0].data = daemon;
    daemon->signals[1].data = daemon;
    daemon->flush.data = daemon;
    return 0;
}

/* With what the loop still has of parts that could not be opened. */
static void close_handles(struct colony_daemon *daemon)
{
    if (!daemon->async.data)
        return; /* there is no loop */
    uv_close((uv_handle_t *)&daemon->async, NULL);
    uv_close((uv_handle_t *)&daemon->signals[0], NULL);
    uv_close((uv_handle_t *)&daemon->signals[1], NULL);
    uv_close((uv_handle_t *)&daemon->flush, NULL);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&daemon->loop);
}

static int open_lock(struct colony_daemon *daemon)
{
    pthread_condattr_t attributes;
    int rc = pthread_mutex_init(&daemon->lock, NULL);

    if (rc == 0)
        rc = pthread_condattr_init(&attributes);
    if (rc != 0)
        return -rc;
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    rc = pthread_cond_init(&daemon->turn, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return -rc;
}

bool colony__daemon_is_name(const char *name)
{
    return name && *name != '\0' &&
           strnlen(name, COLONY__DAEMON_NAME_MAX + 1) <= COLONY__DAEMON_NAME_MAX &&
           colony_utf8_is_line(name);
}

int colony_daemon_open(struct colony_daemon **out, const char *name,
                       const struct colony_daemon_callbacks *callbacks, struct colony_error *err)
{
    struct colony_daemon *daemon;
    int rc;

    if (!colony__daemon_is_name(name))
        return colony_fail(err, -EINVAL,
                           "cannot make a daemon: its name takes 1 to %d bytes of UTF-8, without "
                           "control bytes",
                           COLONY__DAEMON_NAME_MAX);
    daemon = calloc(1, sizeof *daemon);
    if (!daemon)
        return colony_fail(err, -ENOMEM, "cannot make a daemon: out of memory");
    (void)snprintf(daemon->name, sizeof daemon->name, "%s", name);
    if (callbacks)
        daemon->callbacks = *callbacks;
    daemon->log_fd = -1;
    daemon->state.fd = -1;
    daemon->state.lock_fd = -1;
    LIST_INIT(&daemon->slaves);
    STAILQ_INIT(&daemon->reports);
    colony__daemon_open_workers(daemon);
    rc = open_lock(daemon);
    if (rc == 0)
        rc = open_handles(daemon);
    if (rc < 0) {
        colony_daemon_free(daemon);
        return colony_fail_os(err, rc, "cannot make a daemon");
    }
    *out = daemon;
    return 0;
}

int colony_daemon_set_state(struct colony_daemon *daemon, const char *path,
                            struct colony_error *err)
{
    char *copy = strdup(path);

    if (!copy)
        return colony_fail(err, -ENOMEM, "cannot use the state folder: out of memory");
    free(daemon->state_path);
    daemon->state_path = copy;
    return 0;
}

unsigned colony_daemon_port(const struct colony_daemon *daemon)
{
    return daemon->port;
}

void colony_daemon_free(struct colony_daemon *daemon)
{
    if (!daemon)
        return;
    close_handles(daemon);
    colony__daemon_clear_reports(daemon);
    colony_state_dir_close(&daemon->state);
    colony_settings_free(daemon->settings);
    cJSON_Delete(daemon->config);
    cJSON_Delete(daemon->master_config);
    free(daemon->state_path);
    (void)pthread_cond_destroy(&daemon->turn);
    (void)pthread_mutex_destroy(&daemon->lock);
    free(daemon);
}
