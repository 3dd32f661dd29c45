/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_engine_internal.h - the daemon endpoint of an engine, for its own files: daemon.c is its
 * life as a controller, daemon_engine.c what the engine says, daemon_probes.c what the user's
 * commands do.
 */
#ifndef COLONY_API_DAEMON_ENGINE_INTERNAL_H
#define COLONY_API_DAEMON_ENGINE_INTERNAL_H

#include "api/daemon_internal.h"
#include "api/probe_internal.h"
#include "core/engine.h"

struct colony_job;

/* A command of the user's. */
struct colony__daemon_command {
    struct colony__probe probe;
    struct colony_engine *engine;
    struct colony_job *job; /* under way; NULL: none */
};

struct colony__daemon_controller {
    struct colony__daemon daemon;
    struct colony_engine *engine;
    struct colony__daemon_command ping;
    struct colony__daemon_command status;
    struct colony_meters meters;
    int rc; /* of the start under way */
    struct colony_error *err;
    void (*closed_cb)(void *data);
    void *closed_data;
};

/* daemon_engine.c */
extern const struct colony__daemon_host colony__daemon_engine;

/* daemon_probes.c */
void colony__daemon_open_probes(struct colony__daemon_controller *controller);
/* Nobody is answered any more. */
void colony__daemon_clear_probes(struct colony__daemon_controller *controller);
int colony__daemon_ask_status(struct colony__daemon *daemon, struct colony__connection *connection,
                              struct colony_error *err);
int colony__daemon_ask_ping(struct colony__daemon *daemon, struct colony__connection *connection,
                            struct colony_error *err);

#endif
