/* SPDX-License-Identifier: Apache-2.0 */
/* controller.c - the front-end as the engine starts and ends it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/front.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/state_dir.h"
#include "core/zmq.h"
#include "rpc/attributes_internal.h"
#include "rpc/curve.h"
#include "rpc/engine_internal.h"
#include "rpc/listen.h"
#include "rpc/program.h"
#include "rpc/pst.h"
#include "rpc/registry.h"
#include "rpc/rpc.h"
#include "rpc/server.h"

struct rpc {
    struct rpc_engine object;
    struct colony_rpc_server *server;   /* NULL: nobody wants any of this */
    struct colony_rpc_program *program; /* that is served instead of the engine; or NULL */
    struct colony_rpc_curve curve;
    struct colony_rpc_entry entry;
    struct colony_meters meters;
    bool is_wanted;
    bool has_curve;
    bool is_registered;
    bool is_program_ready;
    bool has_loaded;
    bool is_loading;
    bool is_started;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

int colony_rpc_check(const struct colony_rpc_settings *settings, struct colony_error *err)
{
    const struct colony_zmq *zmq;
    struct colony_rpc_curve *curve;
    struct colony_rpc_pst *pst = NULL;
    int rc;

    if (!settings->is_wanted)
        return 0;
    rc = colony_zmq_get(&zmq, err); /* without it no engine could ever begin */
    if (rc == 0 && settings->keys) {
        curve = calloc(1, sizeof *curve);
        rc = curve ? colony_rpc_curve_load(curve, settings->keys, settings->allow, err)
                   : colony_fail_os(err, -ENOMEM, "cannot read the keys");
        free(curve);
    }
    if (rc == 0)
        rc = colony_rpc_pst_new(&pst, NULL, &settings->pst, "", "", err);
    colony_rpc_pst_free(pst);
    return rc;
}

static int make_attributes(struct rpc *rpc, const struct colony_settings *settings,
                           const char *folder, struct colony_error *err)
{
    struct uv_loop_s *loop = colony_engine_uv_loop(rpc->object.engine);
    const struct colony_pst_settings *wanted = &settings->rpc.pst;
    struct colony_rpc_pst *pst = NULL;
    char path[PATH_MAX];
    int rc;

    (void)snprintf(path, sizeof path, "%.4000s/rpc.%s", folder,
                   wanted->class_name == PST_SQLITE ? "db" : "json");
    rc = colony_rpc_pst_new(&pst, loop, wanted, path, "colony", err);
    if (rc == 0)
        rc = rpc_attributes_new(
            &rpc->object.attributes, loop, pst,
            settings->rpc.program ? wanted->frequency_ms / 2 : wanted->frequency_ms, err);
    if (rc < 0)
        colony_rpc_pst_free(pst);
    return rc;
}

static int make_server(struct rpc *rpc, const struct colony_settings *settings, const char *folder,
                       struct colony_error *err)
{
    const uid_t uids[] = {colony_engine_owner(rpc->object.engine), geteuid()};
    const struct colony_rpc_server_options options = {
        .loop = colony_engine_uv_loop(rpc->object.engine),
        .object = rpc->program ? colony_rpc_program_object(rpc->program) : &rpc_engine_object,
        .data = rpc->program ? (void *)rpc->program : &rpc->object,
        .folder = folder,
        .message_bytes_max = settings->rpc.message_bytes_max,
        .uids = uids,
        .uid_count = sizeof uids / sizeof uids[0],
        .curve = rpc->has_curve ? &rpc->curve : NULL,
    };

    return colony_rpc_server_new(&rpc->server, &options, err);
}

static void on_program_ready(void *data);
static void close_controller(void *controller, colony_front_closed_cb cb, void *data);

/* Saved is what was told last: half the time for the look, half for the disk. */
static int make_program(struct rpc *rpc, const struct colony_settings *settings,
                        struct colony_error *err)
{
    const struct colony_rpc_program_options options = {
        .engine = rpc->object.engine,
        .name = settings->rpc.program,
        .attributes = rpc->object.attributes,
        .frequency_ms = settings->rpc.pst.frequency_ms / 2,
        .ready = on_program_ready,
        .data = rpc,
    };

    return colony_rpc_program_new(&rpc->program, &options, err);
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct rpc *rpc = calloc(1, sizeof *rpc);
    char folder[PATH_MAX];
    int rc = 0;

    if (!rpc)
        return colony_fail_os(err, -ENOMEM, "cannot serve RPC");
    rpc->object.engine = engine;
    rpc->object.started_ms = uv_now(colony_engine_uv_loop(engine));
    rpc->is_wanted = settings->rpc.is_wanted;
    rpc->has_curve = settings->rpc.keys != NULL;
    (void)snprintf(folder, sizeof folder, "%.4000s/engine", colony_engine_state_dir(engine));
    if (rpc->is_wanted && rpc->has_curve)
        rc = colony_rpc_curve_load(&rpc->curve, settings->rpc.keys, settings->rpc.allow, err);
    if (rc == 0 && rpc->is_wanted)
        rc = make_attributes(rpc, settings, folder, err);
    if (rc == 0 && rpc->is_wanted && settings->rpc.program)
        rc = make_program(rpc, settings, err);
    if (rc == 0 && rpc->is_wanted)
        rc = make_server(rpc, settings, folder, err);
    if (rc == 0) {
        *out = rpc;
        return 0;
    }
    close_controller(rpc, NULL, NULL);
    return rc;
}

/* Where it is found. Without, it still can be reached by who knows its port. */
static void enter_registry(struct rpc *rpc, const char *address)
{
    const struct colony_settings *settings = colony_engine_settings(rpc->object.engine);
    struct colony_rpc_entry *entry = &rpc->entry;
    struct colony_error err;

    (void)snprintf(entry->name, sizeof entry->name, "%s",
                   settings->rpc.name ? settings->rpc.name : settings->name);
    (void)snprintf(entry->endpoint, sizeof entry->endpoint, "tcp://%.*s", COLONY_RPC_ADDRESS_MAX,
                   address);
    entry->port = (int)strtol(strrchr(address, ':') + 1, NULL, 10);
    entry->keeper = colony_engine_keeper_pid(rpc->object.engine);
    entry->message_bytes_max = settings->rpc.message_bytes_max;
    if (rpc->has_curve)
        (void)snprintf(entry->public_key, sizeof entry->public_key, "%s", rpc->curve.keys.public);
    rpc->is_registered = colony_rpc_registry_add(entry, &err) == 0;
    if (!rpc->is_registered)
        colony_log(SEVERITY_WARNING, "%s: clients find this colony by tcp://%s only", err.message,
                   address);
}

static void listen_on(const char *name, int fd, void *data)
{
    struct rpc *rpc = data;
    struct colony_error err;

    if (strncmp(name, COLONY_RPC_PREFIX, strlen(COLONY_RPC_PREFIX)) != 0)
        return;
    if (colony_rpc_server_listen(rpc->server, fd, &err) < 0) {
        colony_log(SEVERITY_ERROR, "%s", err.message);
        return;
    }
    colony_log(SEVERITY_INFO, "serves RPC on tcp://%s", name + strlen(COLONY_RPC_PREFIX));
}

/* Whoever finds it by that and connects waits until it listens. */
static void register_one(const char *name, int fd, void *data)
{
    (void)fd;
    if (strncmp(name, COLONY_RPC_PREFIX, strlen(COLONY_RPC_PREFIX)) == 0)
        enter_registry(data, name + strlen(COLONY_RPC_PREFIX));
}

/* Nobody comes in before what was saved is there again, and a program has said what it has. */
static void listen_when_ready(struct rpc *rpc)
{
    if (rpc->is_started && rpc->has_loaded && (!rpc->program || rpc->is_program_ready))
        colony_engine_each_socket(rpc->object.engine, listen_on, rpc);
}

static void on_program_ready(void *data)
{
    struct rpc *rpc = data;

    rpc->is_program_ready = true;
    listen_when_ready(rpc);
}

static void go_on(struct rpc *rpc)
{
    bool was_ready = rpc->is_program_ready;

    rpc->is_loading = false;
    rpc->has_loaded = true;
    if (rpc->program)
        colony_rpc_program_loaded(rpc->program);
    if (!rpc->program || was_ready)
        listen_when_ready(rpc);
}

static void on_loaded(const struct colony_error *err, void *data)
{
    if (err)
        colony_log(SEVERITY_ERROR,
                   "%s: attributes are not saved before that is mended, and colony "
                   "started again",
                   err->message);
    go_on(data);
}

#define METER(function, field)                                                                     \
    static void function(colony_figure_cb cb, void *to, void *data)                                \
    {                                                                                              \
        const struct rpc *rpc = data;                                                              \
                                                                                                   \
        cb(NULL, 0, colony_rpc_server_counters(rpc->server)->field, to);                           \
    }
METER(each_requests, requests)
METER(each_repeated, repeated)
METER(each_malformed, malformed)
METER(each_too_large, too_large)
METER(each_refused, refused)
METER(each_dropped, dropped)
METER(each_connections, connections)
METER(each_rejected, rejected)

/* clang-format off */
static const struct colony_meter meters[] = {
    {"colony_rpc_requests_total", "counter", "Requests of RPC that were carried out.", each_requests},
    {"colony_rpc_repeated_requests_total", "counter", "Requests that were answered from a first result.", each_repeated},
    {"colony_rpc_malformed_requests_total", "counter", "Messages and requests that were none.", each_malformed},
    {"colony_rpc_too_large_messages_total", "counter", "Messages above max_message_bytes, whose connections were closed.", each_too_large},
    {"colony_rpc_refused_requests_total", "counter", "Requests refused because too many were under way.", each_refused},
    {"colony_rpc_dropped_answers_total", "counter", "Answers that their clients did not read.", each_dropped},
    {"colony_rpc_connections_total", "counter", "Connections that were accepted.", each_connections},
    {"colony_rpc_rejected_connections_total", "counter", "Connections closed unread.", each_rejected},
    {0},
};
/* clang-format on */

static void stop(void *controller)
{
    struct rpc *rpc = controller;

    if (!rpc->is_started)
        return;
    rpc->is_started = false;
    colony_engine_remove_meters(rpc->object.engine, &rpc->meters);
    if (rpc->is_registered)
        colony_rpc_registry_remove(&rpc->entry);
    rpc->is_registered = false;
    colony_rpc_server_stop(rpc->server);
    if (rpc->program)
        colony_rpc_program_stop(rpc->program);
}

static int start(void *controller, struct colony_error *err)
{
    struct rpc *rpc = controller;

    if (!rpc->is_wanted || rpc->is_started)
        return 0;
    rpc->is_started = true;
    rpc->meters = (struct colony_meters){.list = meters, .data = rpc};
    colony_engine_add_meters(rpc->object.engine, &rpc->meters);
    colony_engine_each_socket(rpc->object.engine, register_one, rpc);
    rpc->is_program_ready = false;
    if (rpc->program && colony_rpc_program_start(rpc->program, err) < 0) {
        stop(rpc);
        return -ENOMEM;
    }
    if (rpc->has_loaded) {
        go_on(rpc);
    } else if (!rpc->is_loading) {
        rpc->is_loading = true;
        rpc_attributes_load(rpc->object.attributes, on_loaded, rpc);
    }
    return 0;
}

static void on_attributes_closed(const struct colony_error *err, void *data)
{
    struct rpc *rpc = data;
    colony_front_closed_cb cb = rpc->closed_cb;
    void *closed_data = rpc->closed_data;

    if (err)
        colony_log(SEVERITY_ERROR, "%s", err->message);

    free(rpc);
    if (cb)
        cb(closed_data);
}

static void on_program_closed(void *data)
{
    struct rpc *rpc = data;

    if (rpc->object.attributes)
        rpc_attributes_close(rpc->object.attributes, on_attributes_closed, rpc);
    else
        on_attributes_closed(NULL, rpc);
}

static void on_server_closed(void *data)
{
    struct rpc *rpc = data;

    if (rpc->program)
        colony_rpc_program_close(rpc->program, on_program_closed, rpc);
    else
        on_program_closed(rpc);
}

/* What asks first, what it asks for last. */
static void close_controller(void *controller, colony_front_closed_cb cb, void *data)
{
    struct rpc *rpc = controller;

    rpc->closed_cb = cb;
    rpc->closed_data = data;
    if (rpc->server)
        colony_rpc_server_close(rpc->server, on_server_closed, rpc);
    else
        on_server_closed(rpc);
}

const struct colony_front colony_rpc_front = {
    .name = "rpc",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
