/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_daemon.c - a daemon of RPC in a program: what it is told before it starts, and its life. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/utf8.h"
#include "core/value.h"
#include "rpc/server.h"
#include "rpc_internal.h"

/* --- settings ----------------------------------------------------------------------------------
 */

static int read_settings(struct colony_settings **out, const char *text, struct colony_error *err)
{
    const struct colony_value nothing = {.type = VALUE_MAP};
    struct colony_value *value = NULL;
    int rc = 0;

    if (text)
        rc = colony_value_parse_yaml(&value, text, strlen(text), "settings", err);
    if (rc == 0)
        rc = colony_settings_of_rpc(out, value && value->type != VALUE_NULL ? value : &nothing,
                                    "settings", err);
    colony_value_free(value);
    return rc;
}

/* --- before it starts --------------------------------------------------------------------------
 */

int colony__rpcd_check_idle(const struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    if (daemon->was_started)
        return colony_fail(err, -EBUSY, "cannot change %s: it has been started", daemon->name);
    return 0;
}

static int check_name(const char *name, struct colony_error *err)
{
    int rc = colony_name_check(name, err);

    if (rc == 0 && strchr(name, ':'))
        return colony_fail(err, -EINVAL, "cannot use the name `%s`: it has a `:`, as NAME:HOST has",
                           name);
    if (rc == 0 && name[0] == '-')
        return colony_fail(err, -EINVAL,
                           "cannot use the name `%s`: commands would take it for an option", name);
    return rc;
}

int colony_rpc_open(struct colony_rpc_daemon **out, const char *name, const char *settings,
                    struct colony_error *err)
{
    struct colony_rpc_daemon *daemon;
    pthread_condattr_t attributes;
    int rc = check_name(name, err);

    if (rc < 0)
        return rc;
    daemon = calloc(1, sizeof *daemon);
    if (!daemon)
        return colony_fail_os(err, -ENOMEM, "cannot make a daemon");
    (void)snprintf(daemon->name, sizeof daemon->name, "%s", name);
    rc = read_settings(&daemon->settings, settings, err);
    if (rc < 0) {
        free(daemon);
        return rc;
    }
    /* None of these fails on Linux. */
    (void)pthread_mutex_init(&daemon->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&daemon->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_cond_init(&daemon->workers.has_jobs, NULL);
    daemon->workers.wanted = COLONY__RPCD_WORKERS;
    daemon->workers.waiting_max = COLONY__RPCD_WAITING_MAX;
    daemon->listening.fd = -1;
    daemon->lock_fd = -1;
    *out = daemon;
    return 0;
}

int colony_rpc_describe(struct colony_rpc_daemon *daemon, const char *doc, struct colony_error *err)
{
    int rc = colony__rpcd_check_idle(daemon, err);
    char *copy = rc == 0 ? strdup(doc) : NULL;

    if (rc < 0)
        return rc;
    if (copy && colony_utf8_length(copy, strlen(copy)) < strlen(copy)) {
        free(copy);
        return colony_fail(err, -EINVAL, "cannot describe %s: that is no UTF-8", daemon->name);
    }
    if (!copy)
        return colony_fail_os(err, -ENOMEM, "cannot describe %s", daemon->name);
    free(daemon->doc);
    daemon->doc = copy;
    return 0;
}

int colony_rpc_set_workers(struct colony_rpc_daemon *daemon, unsigned workers, unsigned waiting,
                           struct colony_error *err)
{
    int rc = colony__rpcd_check_idle(daemon, err);

    if (rc < 0)
        return rc;
    if (workers < 1 || workers > COLONY__RPCD_WORKERS_MAX || waiting > COLONY__RPCD_WAITING_MAX)
        return colony_fail(err, -EINVAL,
                           "cannot have %u workers and %u that wait: 1 to %d, and %d at most",
                           workers, waiting, COLONY__RPCD_WORKERS_MAX, COLONY__RPCD_WAITING_MAX);
    daemon->workers.wanted = workers;
    daemon->workers.waiting_max = waiting;
    return 0;
}

int colony_rpc_set_persister(struct colony_rpc_daemon *daemon,
                             const struct colony_rpc_persister *persister, struct colony_error *err)
{
    int rc = colony__rpcd_check_idle(daemon, err);

    if (rc < 0)
        return rc;
    if (!persister->load || !persister->save)
        return colony_fail(err, -EINVAL, "cannot use this persister: it takes `load` and `save`");
    daemon->persister = *persister;
    return 0;
}

int colony_rpc_stop_on_signal(struct colony_rpc_daemon *daemon, int signum,
                              struct colony_error *err)
{
    int rc = colony__rpcd_check_idle(daemon, err);

    if (rc < 0)
        return rc;
    if (signum < 1 || signum >= NSIG || signum == SIGKILL || signum == SIGSTOP ||
        daemon->signal_count == COLONY__RPCD_SIGNALS_MAX)
        return colony_fail(err, -EINVAL, "cannot stop on signal %d", signum);
    daemon->signals[daemon->signal_count++] = signum;
    return 0;
}

/* --- its life ----------------------------------------------------------------------------------
 */

static int open_loop(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    int rc = uv_loop_init(&daemon->loop);

    if (rc < 0)
        return colony_fail_os(err, rc, "cannot start %s", daemon->name);
    rc = uv_async_init(&daemon->loop, &daemon->async, colony__rpcd_on_async);
    if (rc < 0) {
        (void)uv_loop_close(&daemon->loop);
        return colony_fail_os(err, rc, "cannot start %s", daemon->name);
    }
    daemon->async.data = daemon;
    (void)uv_timer_init(&daemon->loop, &daemon->look_timer);
    daemon->look_timer.data = daemon;
    daemon->handle_count = 1;
    daemon->was_started = true;
    atomic_store(&daemon->has_loop, true);
    return 0;
}

/* The program's signals are for threads that run its code: workers and runs put the mask back,
 * which what they run inherits. */
static int begin_thread(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    sigset_t all;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &daemon->mask);
    rc = -pthread_create(&daemon->thread, NULL, colony__rpcd_serve, daemon);
    (void)pthread_sigmask(SIG_SETMASK, &daemon->mask, NULL);
    daemon->has_thread = rc == 0;
    return rc < 0 ? colony_fail_os(err, rc, "cannot start a thread of %s", daemon->name) : 0;
}

int colony_rpc_start(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    int rc = colony__rpcd_check_idle(daemon, err);

    if (rc == 0)
        rc = open_loop(daemon, err);
    if (rc == 0)
        rc = begin_thread(daemon, err);
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&daemon->lock);
    while (!daemon->has_served && !daemon->has_ended)
        (void)pthread_cond_wait(&daemon->changed, &daemon->lock);
    if (!daemon->has_served)
        rc = colony_fail(err, daemon->failure.code, "%s", daemon->failure.message);
    (void)pthread_mutex_unlock(&daemon->lock);
    return rc;
}

void colony_rpc_stop(struct colony_rpc_daemon *daemon)
{
    atomic_store(&daemon->is_stopping, true);
    if (atomic_load(&daemon->has_loop))
        (void)uv_async_send(&daemon->async);
}

int colony_rpc_wait(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    int rc = 0;

    if (!daemon->has_thread)
        return colony_fail(err, -EINVAL, "cannot wait for %s: it does not run", daemon->name);
    (void)pthread_mutex_lock(&daemon->lock);
    while (!daemon->has_ended)
        (void)pthread_cond_wait(&daemon->changed, &daemon->lock);
    if (daemon->failure.code < 0)
        rc = colony_fail(err, daemon->failure.code, "%s", daemon->failure.message);
    (void)pthread_mutex_unlock(&daemon->lock);
    return rc;
}

int colony_rpc_run(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    int rc = colony_rpc_start(daemon, err);

    return rc == 0 ? colony_rpc_wait(daemon, err) : rc;
}

static void close_loop(struct colony_rpc_daemon *daemon)
{
    if (!daemon->has_thread) /* else it has closed that */
        uv_close((uv_handle_t *)&daemon->look_timer, NULL);
    uv_close((uv_handle_t *)&daemon->async, NULL);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&daemon->loop);
}

void colony_rpc_close(struct colony_rpc_daemon *daemon)
{
    if (!daemon)
        return;
    if (daemon->has_thread) {
        colony_rpc_stop(daemon);
        (void)pthread_join(daemon->thread, NULL);
    }
    if (daemon->was_started)
        close_loop(daemon);
    if (daemon->lock_fd >= 0)
        (void)close(daemon->lock_fd);
    if (daemon->curve)
        explicit_bzero(daemon->curve, sizeof *daemon->curve);
    free(daemon->curve);
    colony__rpcd_free_runs(daemon);
    colony__rpcd_free_members(daemon);
    colony_settings_free(daemon->settings);
    free(daemon->doc);
    (void)pthread_cond_destroy(&daemon->workers.has_jobs);
    (void)pthread_cond_destroy(&daemon->changed);
    (void)pthread_mutex_destroy(&daemon->lock);
    free(daemon);
}

/* --- what it tells -----------------------------------------------------------------------------
 */

const char *colony_rpc_endpoint(const struct colony_rpc_daemon *daemon)
{
    return daemon->entry.endpoint;
}

static cJSON *print_counters(const struct colony_rpc_counters *counters, size_t waiting)
{
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {
        {"requests", counters->requests},
        {"repeated", counters->repeated},
        {"malformed", counters->malformed},
        {"too_large", counters->too_large},
        {"refused", counters->refused},
        {"dropped", counters->dropped},
        {"connections", counters->connections},
        {"rejected", counters->rejected},
        {"waiting", waiting},
    };
    cJSON *json = cJSON_CreateObject();
    bool is_whole = json != NULL;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && is_whole; i++)
        is_whole = cJSON_AddNumberToObject(json, rows[i].name, (double)rows[i].count) != NULL;
    if (is_whole)
        return json;
    cJSON_Delete(json);
    return NULL;
}

struct cJSON *colony_rpc_figures(struct colony_rpc_daemon *daemon)
{
    cJSON *json = NULL;

    (void)pthread_mutex_lock(&daemon->lock);
    if (daemon->counters)
        json = print_counters(daemon->counters, daemon->workers.queue.count);
    (void)pthread_mutex_unlock(&daemon->lock);
    return json;
}

int colony_rpc_throw(struct colony_rpc_error *error, int code, const char *type, const char *format,
                     ...)
{
    struct colony_error line = {0};
    va_list args;
    char text[sizeof error->message];

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    colony_utf8_repair(text, strlen(text));     /* it may be cut */
    (void)colony_fail(&line, code, "%s", text); /* one line of it */
    (void)snprintf(error->message, sizeof error->message, "%s", line.message);
    (void)snprintf(error->type, sizeof error->type, "%s", type ? type : "");
    return code;
}
