/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - the daemon endpoint of an engine, as a controller (front.h). */
#include "api/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/access_internal.h"
#include "api/daemon_engine_internal.h"
#include "api/datagrams_internal.h"
#include "api/server_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/front.h"
#include "core/log.h"
#include "core/settings.h"

/* --- figures ---------------------------------------------------------------------------------- */

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

static int load_again(void **out, const struct colony_settings *next,
                      const struct colony_settings *now, struct colony_error *err)
{
    struct colony__tokens *tokens = NULL;
    int rc = colony__daemon_load_tokens(&tokens, now, err); /* the section takes a restart */

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
    uint64_t keeper_us = find_start_us(getppid());
    uint64_t boot_us = colony__daemon_now_us(CLOCK_BOOTTIME); /* just before the wall clock */

    daemon->started_boot_us = keeper_us > 0 && keeper_us < boot_us ? keeper_us : boot_us;
    daemon->started_us =
        colony__daemon_now_us(CLOCK_REALTIME) - (boot_us - daemon->started_boot_us);
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct colony__daemon_controller *controller = calloc(1, sizeof *controller);
    const struct colony_inbox_options inbox = {.loop = colony_engine_uv_loop(engine),
                                               .engine = engine,
                                               .store = colony_engine_store(engine),
                                               .settings = settings->events};
    int rc = 0;

    if (!controller)
        return colony_fail_os(err, -ENOMEM, "cannot take events");
    controller->engine = engine;
    controller->daemon.host = &colony__daemon_engine;
    controller->daemon.owner = controller;
    controller->meters = (struct colony_meters){.list = meters, .data = &controller->daemon};
    note_start(&controller->daemon);
    colony__daemon_open_probes(controller);
    if (settings->master.is_wanted)
        rc = colony__daemon_open(&controller->daemon, &inbox, err);
    if (rc < 0) {
        free(controller);
        return rc;
    }
    *out = controller;
    return 0;
}

static void listen_on(const char *name, int fd, void *data)
{
    const size_t prefix = sizeof COLONY_DAEMON_PREFIX - 1;
    struct colony__daemon_controller *controller = data;

    if (controller->rc < 0)
        return;
    controller->rc = colony__daemon_listen(&controller->daemon, name, fd, controller->err);
    if (controller->rc == 0 && strncmp(name, COLONY_DAEMON_PREFIX, prefix) == 0)
        colony_log(SEVERITY_INFO, "takes events on %s", name + prefix);
}

static void stop(void *data)
{
    struct colony__daemon_controller *controller = data;

    if (!controller->daemon.server)
        return;
    colony_engine_remove_meters(controller->engine, &controller->meters);
    colony_engine_remove_reload_part(controller->engine, &token_file);
    colony__daemon_clear_probes(controller);
    colony__daemon_stop(&controller->daemon);
}

static int start(void *data, struct colony_error *err)
{
    struct colony__daemon_controller *controller = data;
    struct colony_engine *engine = controller->engine;
    int rc;

    if (!controller->daemon.server)
        return 0;
    rc = colony_inbox_start(controller->daemon.inbox, err);
    if (rc < 0)
        return rc;
    controller->rc = 0;
    controller->err = err;
    colony_engine_each_socket(engine, listen_on, controller);
    controller->err = NULL;
    if (controller->rc < 0) {
        stop(controller);
        return controller->rc;
    }
    colony_engine_add_meters(engine, &controller->meters);
    if (colony_engine_settings(engine)->events->tokens)
        colony_engine_add_reload_part(engine, &token_file, &controller->daemon);
    return 0;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void on_closed(void *data)
{
    struct colony__daemon_controller *controller = data;
    colony_front_closed_cb cb = controller->closed_cb;
    void *closed_data = controller->closed_data;

    free(controller);
    if (cb)
        cb(closed_data);
}

static void close_controller(void *data, colony_front_closed_cb cb, void *closed_data)
{
    struct colony__daemon_controller *controller = data;

    controller->closed_cb = cb;
    controller->closed_data = closed_data;
    if (controller->daemon.server)
        colony__daemon_close(&controller->daemon, on_closed, controller);
    else
        on_closed(controller);
}

const struct colony_front colony_daemon_front = {
    .name = "events",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
