/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - the daemon endpoint as a controller (front.h). */
#include "api/daemon.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/access_internal.h"
#include "api/daemon_internal.h"
#include "api/datagrams_internal.h"
#include "api/events.h"
#include "api/server_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/front.h"
#include "core/log.h"
#include "core/settings.h"

struct controller {
    struct colony__daemon daemon;
    int rc; /* of the start under way */
    struct colony_error *err;
    int open_parts;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

/* --- figures ---------------------------------------------------------------------------------- */

uint64_t colony__daemon_dropped(const struct colony__daemon *daemon)
{
    uint64_t dropped = colony_inbox_counts(daemon->inbox).dropped;

    return dropped + (daemon->datagrams ? colony__datagrams_dropped(daemon->datagrams) : 0);
}

static void each_overrun(colony_figure_cb cb, void *to, void *data)
{
    const struct colony__daemon *daemon = data;

    cb(NULL, 0, daemon->datagrams ? colony__datagrams_dropped(daemon->datagrams) : 0, to);
}

/* clang-format off */
static const struct colony_meter meters[] = {
    {"colony_events_udp_overruns_total", "counter",
     "Datagrams that the kernel dropped, because colony could not read them as fast as they came.", each_overrun},
    {0},
};
/* clang-format on */

/* --- its tokens ------------------------------------------------------------------------------- */

/* NULL: there are none. */
static int load_tokens(struct colony__tokens **out, const struct colony_settings *settings,
                       struct colony_error *err)
{
    return settings->events->tokens ? colony__tokens_load(out, settings->events->tokens, err) : 0;
}

static int load_again(void **out, const struct colony_settings *next,
                      const struct colony_settings *now, struct colony_error *err)
{
    struct colony__tokens *tokens = NULL;
    int rc = load_tokens(&tokens, now, err); /* the section itself takes a restart */

    (void)next;
    if (rc == 0)
        *out = tokens;
    return rc;
}

static void apply_tokens(void *loaded, void *data)
{
    struct colony__daemon *daemon = data;

    colony__access_set_tokens(daemon->server->access, loaded);
}

static void drop_tokens(void *loaded)
{
    colony__tokens_free(loaded);
}

static const struct colony_reload_part token_file = {
    .name = "events",
    .text = "tokens are read again",
    .load = load_again,
    .apply = apply_tokens,
    .drop = drop_tokens,
};

/* --- its start -------------------------------------------------------------------------------- */

static uint64_t now_us(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* On the clock of boots: field 22 of /proc/PID/stat, in ticks. 0: /proc is hidden from us. */
static uint64_t find_start_us(pid_t pid)
{
    const uint64_t us_per_tick = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    char path[32];
    char text[1024] = "";
    const char *at;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    at = strrchr(text, ')'); /* its name may have anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) * us_per_tick : 0;
}

/* When the keeper was started, else this engine. */
static void note_start(struct colony__daemon *daemon)
{
    uint64_t boot_us = now_us(CLOCK_BOOTTIME);
    uint64_t keeper_us = find_start_us(getppid());

    daemon->started_boot_us = keeper_us > 0 && keeper_us < boot_us ? keeper_us : boot_us;
    daemon->started_us = now_us(CLOCK_REALTIME) - (boot_us - daemon->started_boot_us);
}

static uint32_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return 0;
    memcpy(&v4, &address, sizeof v4);
    memcpy(&v6, &address, sizeof v6);
    return ntohs(address.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

static int make_server(struct colony__daemon *daemon, const struct colony_settings *settings,
                       struct colony_error *err)
{
    struct colony_http_settings http = settings->http;
    struct colony__server_options options = {.loop = colony_engine_uv_loop(daemon->engine),
                                             .engine = daemon->engine,
                                             .routes = &colony__daemon_routes,
                                             .settings = &http,
                                             .owner = daemon};
    struct colony__tokens *tokens = NULL;
    int rc;

    http.body_bytes_max = colony_inbox_size_max(daemon->inbox);
    rc = colony__access_new(&options.access, &settings->http, err);
    if (rc == 0) {
        rc = colony__access_open(options.access, settings->master.host);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot take events");
    }
    if (rc == 0)
        rc = load_tokens(&tokens, settings, err);
    if (rc == 0) {
        colony__access_set_tokens(options.access, tokens);
        rc = colony__server_new(&daemon->server, &options, err);
    }
    if (rc < 0)
        colony__access_free(options.access);
    return rc;
}

static void on_useless_inbox_closed(void *data)
{
    (void)data;
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct controller *controller = calloc(1, sizeof *controller);
    struct colony__daemon *daemon;
    int rc = 0;

    if (!controller)
        return colony_fail_os(err, -ENOMEM, "cannot take events");
    daemon = &controller->daemon;
    daemon->engine = engine;
    daemon->meters = (struct colony_meters){.list = meters, .data = daemon};
    note_start(daemon);
    colony__daemon_open_probes(daemon);
    if (settings->master.is_wanted)
        rc = colony_inbox_new(&daemon->inbox, engine, settings, err);
    if (rc == 0 && settings->master.is_wanted) {
        rc = make_server(daemon, settings, err);
        if (rc < 0)
            colony_inbox_close(daemon->inbox, on_useless_inbox_closed, NULL);
    }
    if (rc < 0) {
        free(controller);
        return rc;
    }
    *out = controller;
    return 0;
}

static bool is_named(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static void listen_on(const char *name, int fd, void *data)
{
    struct controller *controller = data;
    struct colony__daemon *daemon = &controller->daemon;

    if (controller->rc < 0)
        return;
    if (is_named(name, COLONY_DAEMON_UDP_PREFIX)) {
        if (!daemon->datagrams)
            controller->rc =
                colony__datagrams_new(&daemon->datagrams, colony_engine_uv_loop(daemon->engine), fd,
                                      daemon->inbox, controller->err);
        if (controller->rc < 0)
            return;
        colony__datagrams_set_local(daemon->datagrams,
                                    colony_engine_settings(daemon->engine)->events->tokens);
        colony__datagrams_start(daemon->datagrams);
    } else if (is_named(name, COLONY_DAEMON_PREFIX)) {
        daemon->port = port_of(fd);
        controller->rc = colony__server_listen(daemon->server, fd, COLONY__NO_TLS, controller->err);
        if (controller->rc == 0)
            colony_log(SEVERITY_INFO, "takes events on %s", name + strlen(COLONY_DAEMON_PREFIX));
    }
}

static void stop(void *data)
{
    struct colony__daemon *daemon = &((struct controller *)data)->daemon;

    if (!daemon->server)
        return;
    colony_engine_remove_meters(daemon->engine, &daemon->meters);
    colony_engine_remove_reload_part(daemon->engine, &token_file);
    colony__server_stop(daemon->server);
    if (daemon->datagrams)
        colony__datagrams_stop(daemon->datagrams);
    colony__probe_clear(&daemon->ping);
    colony__probe_clear(&daemon->status);
    colony_inbox_stop(daemon->inbox);
}

static int start(void *data, struct colony_error *err)
{
    struct controller *controller = data;
    struct colony__daemon *daemon = &controller->daemon;
    int rc;

    if (!daemon->server)
        return 0;
    rc = colony_inbox_start(daemon->inbox, err);
    if (rc < 0)
        return rc;
    controller->rc = 0;
    controller->err = err;
    colony_engine_each_socket(daemon->engine, listen_on, controller);
    controller->err = NULL;
    if (controller->rc < 0) {
        stop(controller);
        return controller->rc;
    }
    colony_engine_add_meters(daemon->engine, &daemon->meters);
    if (colony_engine_settings(daemon->engine)->events->tokens)
        colony_engine_add_reload_part(daemon->engine, &token_file, daemon);
    return 0;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void on_part_closed(void *data)
{
    struct controller *controller = data;
    colony_front_closed_cb cb = controller->closed_cb;
    void *closed_data = controller->closed_data;

    if (--controller->open_parts > 0)
        return;
    free(controller);
    if (cb)
        cb(closed_data);
}

/* Who waits for the answer to an event gets it before the server goes. */
static void on_inbox_closed(void *data)
{
    struct controller *controller = data;
    struct colony__daemon *daemon = &controller->daemon;

    if (daemon->datagrams) {
        controller->open_parts++;
        colony__datagrams_close(daemon->datagrams, on_part_closed, controller);
    }
    colony__server_close(daemon->server, on_part_closed, controller);
}

static void close_controller(void *data, colony_front_closed_cb cb, void *closed_data)
{
    struct controller *controller = data;

    controller->closed_cb = cb;
    controller->closed_data = closed_data;
    controller->open_parts = 1;
    if (controller->daemon.server)
        colony_inbox_close(controller->daemon.inbox, on_inbox_closed, controller);
    else
        on_part_closed(controller);
}

const struct colony_front colony_daemon_front = {
    .name = "events",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
