/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_serve.c - the thread of a daemon of RPC, from its beginning to its end (`enum
 * colony__rpcd_state`).
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "rpc/attributes_internal.h"
#include "rpc/server.h"
#include "rpc_internal.h"

/* --- the beginning -----------------------------------------------------------------------------
 */

/* A new folder, for the moment in which libzmq makes its socket there. */
static int make_server(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    const uid_t me = geteuid();
    const char *given = getenv("TMPDIR");
    char folder[PATH_MAX];
    const struct colony_rpc_server_options options = {
        .loop = &daemon->loop,
        .object = &daemon->object,
        .data = daemon,
        .folder = folder,
        .message_bytes_max = daemon->settings->rpc.message_bytes_max,
        .uids = &me,
        .uid_count = 1,
        .curve = daemon->curve,
    };
    int rc;

    (void)snprintf(folder, sizeof folder, "%s/colony-rpc-XXXXXX",
                   given && given[0] == '/' ? given : "/tmp");
    if (!mkdtemp(folder))
        return colony_fail_os(err, -errno, "cannot make a folder %s", folder);
    rc = colony_rpc_server_new(&daemon->server, &options, err);
    (void)rmdir(folder);
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&daemon->lock);
    daemon->counters = colony_rpc_server_counters(daemon->server);
    (void)pthread_mutex_unlock(&daemon->lock);
    return 0;
}

static int load_keys(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    const struct colony_rpc_settings *settings = &daemon->settings->rpc;

    if (!settings->keys)
        return 0;
    daemon->curve = calloc(1, sizeof *daemon->curve);
    if (!daemon->curve)
        return colony_fail_os(err, -ENOMEM, "cannot read the keys");
    return colony_rpc_curve_load(daemon->curve, settings->keys, settings->allow, err);
}

static int listen_on(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    const struct colony_rpc_settings *settings = &daemon->settings->rpc;
    const char *bind = settings->bind ? settings->bind : daemon->curve ? "0.0.0.0" : NULL;
    int rc = colony_rpc_listen(&daemon->listening, bind, daemon->curve || settings->insecure, err);

    if (rc < 0)
        daemon->listening.fd = -1;
    else
        (void)snprintf(daemon->entry.endpoint, sizeof daemon->entry.endpoint, "tcp://%s",
                       daemon->listening.address);
    return rc;
}

static void on_loaded(const struct colony_error *err, void *data);
static void on_signal(uv_signal_t *handle, int signum);

static int watch_signals(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < daemon->signal_count && rc == 0; i++) {
        uv_signal_t *handle = &daemon->signal_handles[i];

        handle->data = daemon;
        rc = uv_signal_init(&daemon->loop, handle);
        daemon->handle_count += rc == 0;
        if (rc == 0)
            rc = uv_signal_start(handle, on_signal, daemon->signals[i]);
        if (rc < 0)
            return colony_fail_os(err, rc, "cannot watch for signal %d", daemon->signals[i]);
    }
    return rc;
}

static int set_up(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    int rc;

    daemon->started_ms = uv_now(&daemon->loop);
    daemon->object = colony__rpcd_object;
    daemon->object.doc = daemon->doc;
    rc = colony__rpcd_make_saved(daemon, err);
    if (rc == 0)
        rc = load_keys(daemon, err);
    if (rc == 0)
        rc = make_server(daemon, err);
    if (rc == 0)
        rc = listen_on(daemon, err);
    if (rc == 0)
        rc = watch_signals(daemon, err);
    if (rc == 0)
        rc = colony__rpcd_begin_workers(daemon, err);
    if (rc == 0)
        rpc_attributes_load(daemon->attributes, on_loaded, daemon);
    return rc;
}

static int enter_registry(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    struct colony_rpc_entry *entry = &daemon->entry;
    int rc;

    (void)snprintf(entry->name, sizeof entry->name, "%s", daemon->name);
    entry->port = daemon->listening.port;
    entry->message_bytes_max = daemon->settings->rpc.message_bytes_max;
    if (daemon->curve)
        (void)snprintf(entry->public_key, sizeof entry->public_key, "%s",
                       daemon->curve->keys.public);
    rc = colony_rpc_registry_add_new(entry, err);
    daemon->is_registered = rc == 0;
    return rc;
}

static void on_look(uv_timer_t *timer)
{
    struct colony_rpc_daemon *daemon = timer->data;

    if (daemon->looks == 0) /* else a slow function is still asked */
        colony__rpcd_look(daemon);
}

/* Whoever waits for its beginning or sleeps goes on. */
static void tell(struct colony_rpc_daemon *daemon, bool has_served)
{
    (void)pthread_mutex_lock(&daemon->lock);
    daemon->has_served |= has_served;
    (void)pthread_cond_broadcast(&daemon->changed);
    (void)pthread_mutex_unlock(&daemon->lock);
}

/* All is as it was: now somebody may come. */
static void serve(struct colony_rpc_daemon *daemon)
{
    uint64_t look_ms = colony__rpcd_look_ms(daemon);
    struct colony_error err = {0};
    int rc = colony_rpc_server_listen(daemon->server, daemon->listening.fd, &err);

    if (rc == 0)
        rc = enter_registry(daemon, &err);
    if (rc == 0)
        rc = colony__rpcd_begin_runs(daemon, &err);
    if (rc < 0) {
        colony__rpcd_fail(daemon, &err);
        return;
    }
    if (look_ms)
        (void)uv_timer_start(&daemon->look_timer, on_look, look_ms, look_ms);
    colony_log(SEVERITY_INFO, "%s serves RPC on %s", daemon->name, daemon->entry.endpoint);
    daemon->state = RPCD_SERVING;
    tell(daemon, true);
}

static void on_loaded(const struct colony_error *err, void *data)
{
    struct colony_rpc_daemon *daemon = data;

    if (err) {
        colony__rpcd_fail(daemon, err);
        return;
    }
    daemon->state = RPCD_SETTING;
    colony__rpcd_set_saved(daemon);
    (void)uv_async_send(&daemon->async);
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    colony_rpc_stop(handle->data);
}

/* The first one counts. */
static void set_failure(struct colony_rpc_daemon *daemon, const struct colony_error *err)
{
    (void)pthread_mutex_lock(&daemon->lock);
    if (daemon->failure.code == 0)
        daemon->failure = *err;
    (void)pthread_mutex_unlock(&daemon->lock);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct colony_rpc_daemon *daemon = handle->data;

    if (--daemon->handle_count == 0)
        uv_stop(&daemon->loop); /* the async goes on: anybody may still send it */
}

static void on_attributes_closed(const struct colony_error *err, void *data)
{
    struct colony_rpc_daemon *daemon = data;

    daemon->attributes = NULL;
    if (err)
        set_failure(daemon, err);
    if (daemon->is_registered) /* `colony rpc stop` waits for that */
        colony_rpc_registry_remove(&daemon->entry);
    daemon->is_registered = false;
    for (size_t i = daemon->handle_count - 1; i > 0; i--)
        uv_close((uv_handle_t *)&daemon->signal_handles[i - 1], on_handle_closed);
    uv_close((uv_handle_t *)&daemon->look_timer, on_handle_closed);
}

static void on_server_closed(void *data)
{
    struct colony_rpc_daemon *daemon = data;

    daemon->server = NULL;
    if (daemon->attributes)
        rpc_attributes_close(daemon->attributes, on_attributes_closed, daemon);
    else
        on_attributes_closed(NULL, daemon);
}

/* Nothing of the program's is called from here on. */
static void close_all(struct colony_rpc_daemon *daemon)
{
    colony__rpcd_end_workers(daemon);
    if (daemon->failure.code == 0)
        colony__rpcd_take_changes(daemon);
    (void)pthread_mutex_lock(&daemon->lock);
    daemon->counters = NULL;
    (void)pthread_mutex_unlock(&daemon->lock);
    if (daemon->server)
        colony_rpc_server_close(daemon->server, on_server_closed, daemon);
    else
        on_server_closed(daemon);
}

/* Nobody new comes. */
static void begin_to_end(struct colony_rpc_daemon *daemon)
{
    daemon->state = RPCD_ENDING;
    tell(daemon, false);
    (void)uv_timer_stop(&daemon->look_timer);
    if (daemon->server)
        colony_rpc_server_stop(daemon->server);
    if (daemon->listening.fd >= 0)
        (void)close(daemon->listening.fd);
    daemon->listening.fd = -1;
}

void colony__rpcd_fail(struct colony_rpc_daemon *daemon, const struct colony_error *err)
{
    set_failure(daemon, err);
    if (daemon->state < RPCD_ENDING)
        begin_to_end(daemon);
    colony_rpc_stop(daemon); /* and the loop goes on from there */
}

/* --- in between --------------------------------------------------------------------------------
 */

/* From one state to the next, when its time has come; false: it has not. */
static bool go_on(struct colony_rpc_daemon *daemon)
{
    bool is_quiet = daemon->workers.under_way == 0;

    switch (daemon->state) {
    case RPCD_LOADING:
    case RPCD_CLOSING:
        return false;
    case RPCD_SETTING:
        if (is_quiet)
            serve(daemon);
        return is_quiet;
    case RPCD_SERVING:
        if (!colony_rpc_running(daemon))
            begin_to_end(daemon);
        return daemon->state != RPCD_SERVING;
    case RPCD_ENDING:
        if (!is_quiet || daemon->runs_left > 0)
            return false;
        daemon->state = RPCD_LOOKING;
        if (daemon->failure.code == 0)
            colony__rpcd_look(daemon);
        return true;
    case RPCD_LOOKING:
        if (!is_quiet)
            return false;
        daemon->state = RPCD_CLOSING;
        close_all(daemon);
        return true;
    }
    return false;
}

void colony__rpcd_on_async(uv_async_t *async)
{
    struct colony_rpc_daemon *daemon = async->data;

    colony__rpcd_take_done(daemon);
    colony__rpcd_join_runs(daemon);
    if (daemon->state == RPCD_SERVING || daemon->state == RPCD_ENDING)
        colony__rpcd_take_changes(daemon);
    while (go_on(daemon))
        ;
}

void *colony__rpcd_serve(void *arg)
{
    struct colony_rpc_daemon *daemon = arg;
    struct colony_error err = {0};

    if (set_up(daemon, &err) < 0)
        colony__rpcd_fail(daemon, &err);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    (void)pthread_mutex_lock(&daemon->lock);
    daemon->has_ended = true;
    (void)pthread_cond_broadcast(&daemon->changed);
    (void)pthread_mutex_unlock(&daemon->lock);
    return NULL;
}
