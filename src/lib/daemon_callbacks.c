/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_callbacks.c - process_event, status and ping: what the endpoint asks, on their threads. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "api/hosted.h"
#include "core/error.h"
#include "core/utf8.h"
#include "lib/daemon_internal.h"

/* --- events ----------------------------------------------------------------------------------- */

struct event {
    uint64_t id;
    size_t size;
    char json[]; /* ends in NUL */
};

static void process_event(struct colony__worker *worker)
{
    struct colony_daemon *daemon = worker->daemon;
    const struct event *event = worker->task;
    cJSON *json;

    if (!daemon->callbacks.process_event) {
        colony_daemon_log(daemon, COLONY_DAEMON_INFO, "Event received: %s", event->json);
        return;
    }
    json = cJSON_ParseWithLength(event->json, event->size);
    if (json)
        daemon->callbacks.process_event(daemon, json, daemon->callbacks.data);
    else
        colony_daemon_log(daemon, COLONY_DAEMON_ERROR,
                          "Cannot process event %" PRIu64 ": out of memory", event->id);
    cJSON_Delete(json);
}

static void on_processed(struct colony__worker *worker)
{
    struct colony_daemon *daemon = worker->daemon;

    free(worker->task);
    worker->task = NULL;
    if (daemon->hosted && !daemon->is_event_lost)
        colony_hosted_event_done(daemon->hosted);
}

static int on_event(uint64_t id, const char *json, size_t size, void *data)
{
    struct colony_daemon *daemon = data;
    struct event *event;
    int rc;

    if (!json) {
        daemon->is_event_lost = true;
        return 0;
    }
    event = calloc(1, sizeof *event + size + 1);
    if (!event)
        return -ENOMEM;
    event->id = id;
    event->size = size;
    memcpy(event->json, json, size);
    rc = colony__worker_ask(&daemon->workers[WORKER_EVENTS], event, NULL);
    if (rc < 0)
        free(event);
    return rc;
}

/* --- /status ---------------------------------------------------------------------------------- */

static void add_to_status(struct colony__worker *worker)
{
    struct colony_daemon *daemon = worker->daemon;

    colony__slaves_add_status(daemon, worker->task);
    if (daemon->callbacks.status)
        daemon->callbacks.status(daemon, worker->task, daemon->callbacks.data);
}

static void on_status(struct colony__worker *worker)
{
    cJSON *status = worker->task;

    worker->task = NULL;
    if (worker->daemon->hosted)
        colony_hosted_tell_status(worker->daemon->hosted, status);
    else
        cJSON_Delete(status);
}

static int find_status(cJSON *status, void *data, struct colony_error *err)
{
    struct colony_daemon *daemon = data;
    int rc = colony__worker_ask(&daemon->workers[WORKER_STATUS], status, err);

    if (rc < 0)
        cJSON_Delete(status);
    return rc;
}

/* --- /ping ------------------------------------------------------------------------------------ */

void colony_daemon_answer_ping(struct colony_daemon_ping *ping, int status, const char *format, ...)
{
    va_list args;

    ping->status = status == 200 || (status >= 400 && status < 600) ? status : 500;
    va_start(args, format);
    (void)vsnprintf(ping->text, sizeof ping->text, format, args);
    va_end(args);
    colony_utf8_repair(ping->text, strlen(ping->text)); /* it may be cut */
}

static void ask_ping(struct colony__worker *worker)
{
    struct colony_daemon *daemon = worker->daemon;

    colony_daemon_answer_ping(worker->task, 200, "OK\n");
    daemon->callbacks.ping(daemon, worker->task, daemon->callbacks.data);
}

static void on_ping(struct colony__worker *worker)
{
    struct colony_daemon_ping *ping = worker->task;

    worker->task = NULL;
    if (worker->daemon->hosted)
        colony_hosted_tell_ping(worker->daemon->hosted, ping->status, ping->text);
    free(ping);
}

static int find_ping(void *data, struct colony_error *err)
{
    struct colony_daemon *daemon = data;
    struct colony_daemon_ping *ping = calloc(1, sizeof *ping);
    int rc = ping ? colony__worker_ask(&daemon->workers[WORKER_PING], ping, err)
                  : colony_fail(err, -ENOMEM, "cannot tell how it is: out of memory");

    if (rc < 0)
        free(ping);
    return rc;
}

/* ---------------------------------------------------------------------------------------------- */

void colony__daemon_open_workers(struct colony_daemon *daemon)
{
    static const struct colony__worker workers[WORKER_COUNT] = {
        [WORKER_EVENTS] = {.label = "EventProcessor", .work = process_event, .done = on_processed},
        [WORKER_STATUS] = {.label = "Status", .work = add_to_status, .done = on_status},
        [WORKER_PING] = {.label = "Ping", .work = ask_ping, .done = on_ping},
    };

    for (int i = 0; i < WORKER_COUNT; i++) {
        daemon->workers[i] = workers[i];
        daemon->workers[i].daemon = daemon;
    }
}

struct colony_hosted_callbacks colony__daemon_hosted_callbacks(struct colony_daemon *daemon)
{
    return (struct colony_hosted_callbacks){
        .find_status = find_status,
        .find_ping = daemon->callbacks.ping ? find_ping : NULL,
        .event = on_event,
        .data = daemon,
    };
}
