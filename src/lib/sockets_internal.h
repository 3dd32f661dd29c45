/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets_internal.h - listening sockets of front-ends, opened before there is an engine: its
 * keeper holds them, and they stay while engines come and go. For `colony serve` and for programs.
 */
#ifndef COLONY_LIB_SOCKETS_INTERNAL_H
#define COLONY_LIB_SOCKETS_INTERNAL_H

#include <stdbool.h>

struct colony_error;
struct colony_keeper_options;
struct colony_passed;
struct colony_settings;

struct colony__sockets_plan {
    const struct colony_settings *settings;
    const char *control;          /* path of the control socket; NULL: no control endpoint */
    bool has_default;             /* 127.0.0.1:5000, where no address is said */
    bool has_events;              /* what `master` says */
    bool has_rpc;                 /* what `rpc` says */
    struct colony_passed *passed; /* by a service manager; NULL: none */
};

/*
 * Adds what @plan has to @keeper->sockets, of which those that are there when it fails are the
 * caller's, too. An address in use is tried for half a second: a killed engine's is free a moment
 * after its lock. What endpoint.h, daemon.h and listen.h say; -E2BIG.
 */
int colony__sockets_open(struct colony_keeper_options *keeper,
                         const struct colony__sockets_plan *plan, struct colony_error *err);

#endif
