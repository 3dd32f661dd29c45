/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_internal.h - the daemon endpoint, for its own files: daemon.c is its life as a controller,
 * daemon_routes.c what can be asked, daemon_status.c and daemon_ping.c the longer answers.
 */
#ifndef COLONY_API_DAEMON_INTERNAL_H
#define COLONY_API_DAEMON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/buffer_internal.h"
#include "api/probe_internal.h"
#include "api/route_internal.h"
#include "core/engine.h"

struct colony__datagrams;
struct colony__server;
struct colony_inbox;

struct colony__daemon {
    struct colony_engine *engine;
    struct colony__server *server;       /* NULL: no such endpoint is wanted */
    struct colony__datagrams *datagrams; /* NULL: not before it is started */
    struct colony_inbox *inbox;
    struct colony__probe ping; /* commands of the user's */
    struct colony__probe status;
    struct colony_meters meters;
    uint64_t started_us; /* wall clock: when the keeper was */
    uint64_t started_boot_us;
    uint32_t port;  /* that it has got */
    bool is_judged; /* the inbox has counted what is answered now */
};

/* Events that came to nothing because there was no room for them. */
uint64_t colony__daemon_dropped(const struct colony__daemon *daemon);

/* daemon_routes.c: /events, /status and /ping. */
extern const struct colony__routes colony__daemon_routes;

/* {"message": @message, "result": @result}, of which @message is JSON; adds it to @out. -ENOMEM. */
int colony__daemon_wrap(struct colony__buffer *out, const char *message, size_t size, bool result);

struct cJSON;
void colony__daemon_respond_status(struct colony__connection *connection, const struct cJSON *more);
void colony__daemon_respond_pong(struct colony__connection *connection);

/*
 * daemon_status.c: what /status answers, with the members of the object @more (may be NULL) in the
 * place of its own. -ENOMEM, -EMSGSIZE.
 */
int colony__daemon_status(struct colony__buffer *out, const struct colony__daemon *daemon,
                          const struct cJSON *more);

/* daemon_probes.c: what the user's commands have to say. */
void colony__daemon_open_probes(struct colony__daemon *daemon);

/* daemon_ping.c: 0, or -EIO and the reason why it is not well. */
int colony__daemon_check(const struct colony__daemon *daemon, struct colony_error *err);

#endif
