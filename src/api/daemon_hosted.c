/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_hosted.c - the daemon endpoint of a program (hosted.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "api/connection_internal.h"
#include "api/daemon.h"
#include "api/daemon_internal.h"
#include "api/hosted.h"
#include "api/probe_internal.h"
#include "api/response_internal.h"
#include "core/error.h"
#include "core/settings.h"
#include "core/store.h"

struct colony_hosted {
    struct colony__daemon daemon;
    struct colony_hosted_options options;
    struct colony_inbox_program program;
    struct colony__probe ping;
    struct colony__probe status;
    void (*closed_cb)(void *data);
    void *closed_data;
};

struct pong {
    int status;
    const char *text;
};

static struct colony_hosted *hosted_of(const struct colony__daemon *daemon)
{
    return daemon->owner;
}

/* --- what the program is asked ---------------------------------------------------------------- */

static int begin_status(struct colony__probe *probe, struct colony_error *err)
{
    struct colony_hosted *hosted = probe->data;
    const struct colony_hosted_callbacks *callbacks = &hosted->options.callbacks;
    cJSON *status = colony__daemon_make_status(&hosted->daemon);

    if (!status)
        return colony_fail(err, -ENOMEM, "cannot tell the status: out of memory");
    return callbacks->find_status(status, callbacks->data, err);
}

static void answer_status(struct colony__connection *connection, const void *result)
{
    colony__daemon_respond_status(connection, result);
}

void colony_hosted_tell_status(struct colony_hosted *hosted, cJSON *status)
{
    colony__probe_end(&hosted->status, status);
    cJSON_Delete(status);
}

static int begin_ping(struct colony__probe *probe, struct colony_error *err)
{
    const struct colony_hosted *hosted = probe->data;

    return hosted->options.callbacks.find_ping(hosted->options.callbacks.data, err);
}

static void answer_ping(struct colony__connection *connection, const void *result)
{
    const struct pong *pong = result;

    if (pong->status == 200)
        colony__respond_text(connection, 200, "text/plain", pong->text, strlen(pong->text));
    else
        colony__respond_failure(connection, pong->status, "server_error", pong->text);
}

void colony_hosted_tell_ping(struct colony_hosted *hosted, int status, const char *text)
{
    colony__probe_end(&hosted->ping, &(const struct pong){status, text});
}

/* --- as its host ------------------------------------------------------------------------------ */

static const struct colony_settings *settings_of(const struct colony__daemon *daemon)
{
    return hosted_of(daemon)->options.settings;
}

/* The program adds them, as they have something to say themselves. */
static int add_no_slaves(const struct colony__daemon *daemon, cJSON *list)
{
    (void)daemon, (void)list;
    return 0;
}

static int check(const struct colony__daemon *daemon, struct colony_error *err)
{
    const struct colony_store *store = hosted_of(daemon)->options.store;

    if (store && *colony_store_trouble(store) != '\0')
        return colony_fail(err, -EIO, "the store has trouble: %s", colony_store_trouble(store));
    return 0;
}

static int ask_status(struct colony__daemon *daemon, struct colony__connection *connection,
                      struct colony_error *err)
{
    return colony__probe_ask(&hosted_of(daemon)->status, connection, err);
}

static int ask_ping(struct colony__daemon *daemon, struct colony__connection *connection,
                    struct colony_error *err)
{
    struct colony_hosted *hosted = hosted_of(daemon);

    if (hosted->options.callbacks.find_ping)
        return colony__probe_ask(&hosted->ping, connection, err);
    colony__daemon_respond_pong(connection);
    return 0;
}

static const struct colony__daemon_host program_host = {
    .settings = settings_of,
    .add_slaves = add_no_slaves,
    .check = check,
    .ask_status = ask_status,
    .ask_ping = ask_ping,
};

/* --- its life --------------------------------------------------------------------------------- */

static void open_probes(struct colony_hosted *hosted)
{
    const struct colony_settings *settings = hosted->options.settings;

    hosted->ping = (struct colony__probe){.name = "ping",
                                          .begin = begin_ping,
                                          .answer = answer_ping,
                                          .patience_ms = settings->ping.timeout_ms,
                                          .data = hosted};
    hosted->status = (struct colony__probe){.name = "status",
                                            .begin = begin_status,
                                            .answer = answer_status,
                                            .patience_ms = settings->status.timeout_ms,
                                            .data = hosted};
    colony__probe_init(&hosted->ping);
    colony__probe_init(&hosted->status);
}

int colony_hosted_new(struct colony_hosted **out, const struct colony_hosted_options *options,
                      struct colony_error *err)
{
    struct colony_hosted *hosted = calloc(1, sizeof *hosted);
    struct colony_inbox_options inbox = {
        .loop = options->loop, .store = options->store, .settings = options->settings->events};
    int rc;

    if (!hosted)
        return colony_fail_os(err, -ENOMEM, "cannot take events");
    hosted->options = *options;
    hosted->daemon.host = &program_host;
    hosted->daemon.owner = hosted;
    hosted->daemon.started_us = colony__daemon_now_us(CLOCK_REALTIME);
    hosted->daemon.started_boot_us = colony__daemon_now_us(CLOCK_BOOTTIME);
    hosted->program.handle = options->callbacks.event;
    hosted->program.data = options->callbacks.data;
    inbox.program = &hosted->program;
    open_probes(hosted);
    rc = colony__daemon_open(&hosted->daemon, &inbox, err);
    if (rc < 0) {
        free(hosted);
        return rc;
    }
    *out = hosted;
    return 0;
}

int colony_hosted_start(struct colony_hosted *hosted, struct colony_error *err)
{
    struct colony_daemon_sockets sockets;
    int rc = colony_daemon_listen(&sockets, hosted->options.settings, err);

    if (rc < 0)
        return rc;
    rc = colony_inbox_start(hosted->daemon.inbox, err);
    if (rc == 0)
        rc = colony__daemon_listen(&hosted->daemon, sockets.tcp_name, sockets.tcp, err);
    if (rc == 0)
        rc = colony__daemon_listen(&hosted->daemon, sockets.udp_name, sockets.udp, err);
    (void)close(sockets.tcp);
    (void)close(sockets.udp);
    return rc;
}

void colony_hosted_stop(struct colony_hosted *hosted)
{
    colony__daemon_stop(&hosted->daemon);
}

static void on_closed(void *data)
{
    struct colony_hosted *hosted = data;
    void (*cb)(void *data) = hosted->closed_cb;
    void *closed_data = hosted->closed_data;

    free(hosted);
    cb(closed_data);
}

void colony_hosted_close(struct colony_hosted *hosted, void (*cb)(void *data), void *data)
{
    hosted->closed_cb = cb;
    hosted->closed_data = data;
    colony__daemon_close(&hosted->daemon, on_closed, hosted);
}

void colony_hosted_event_done(struct colony_hosted *hosted)
{
    colony_inbox_program_done(hosted->daemon.inbox);
}

uint32_t colony_hosted_port(const struct colony_hosted *hosted)
{
    return hosted->daemon.port;
}

cJSON *colony_hosted_make_time(uint64_t wall_us)
{
    return colony__daemon_make_time(wall_us);
}
