/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_internal.h - the daemon endpoint, for its own files.
 *
 * daemon_server.c is what listens, daemon_routes.c what can be asked, daemon_status.c and
 * daemon_ping.c the longer answers. Whose endpoint it is, is its host: an engine, of which it is a
 * controller (daemon.c, daemon_engine.c, daemon_probes.c), or a program (daemon_hosted.c).
 */
#ifndef COLONY_API_DAEMON_INTERNAL_H
#define COLONY_API_DAEMON_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/buffer_internal.h"
#include "api/events.h"
#include "api/route_internal.h"

struct cJSON;
struct colony__daemon;
struct colony__datagrams;
struct colony__server;
struct colony__tokens;
struct colony_settings;

struct colony__daemon_host {
    /* As they are now; a reload changes them. */
    const struct colony_settings *(*settings)(const struct colony__daemon *daemon);
    /* What runs, added to the list of /status. -ENOMEM. */
    int (*add_slaves)(const struct colony__daemon *daemon, struct cJSON *list);
    /* What else may be amiss: 0, or -EIO and the reason. */
    int (*check)(const struct colony__daemon *daemon, struct colony_error *err);
    /* Answer now or later, or fail; for /ping all else is well. */
    int (*ask_status)(struct colony__daemon *daemon, struct colony__connection *connection,
                      struct colony_error *err);
    int (*ask_ping)(struct colony__daemon *daemon, struct colony__connection *connection,
                    struct colony_error *err);
};

struct colony__daemon {
    const struct colony__daemon_host *host;
    void *owner;                         /* the host's */
    struct colony__server *server;       /* NULL: no such endpoint is wanted */
    struct colony__datagrams *datagrams; /* NULL: not before it is started */
    struct colony_inbox *inbox;
    uint64_t started_us; /* wall clock */
    uint64_t started_boot_us;
    uint32_t port;  /* that it has got */
    bool is_judged; /* the inbox has counted what is answered now */
    int open_parts;
    void (*closed_cb)(void *data);
    void *closed_data;
};

/* --- daemon_server.c -------------------------------------------------------------------------- */

uint64_t colony__daemon_now_us(int clock);

/* Makes queue and server, by host->settings() and @inbox, whose settings that has too. */
int colony__daemon_open(struct colony__daemon *daemon, const struct colony_inbox_options *inbox,
                        struct colony_error *err);
/* Serves on @fd of the name @name (daemon.h), of which it takes a duplicate; other names are not
 * meant. */
int colony__daemon_listen(struct colony__daemon *daemon, const char *name, int fd,
                          struct colony_error *err);
/* Accepts nothing any more. */
void colony__daemon_stop(struct colony__daemon *daemon);
void colony__daemon_close(struct colony__daemon *daemon, void (*cb)(void *data), void *data);

/* NULL: there are none. */
int colony__daemon_load_tokens(struct colony__tokens **out, const struct colony_settings *settings,
                               struct colony_error *err);
/* Events that came to nothing because there was no room for them. */
uint64_t colony__daemon_dropped(const struct colony__daemon *daemon);

/* --- daemon_routes.c: /events, /status and /ping ---------------------------------------------- */

extern const struct colony__routes colony__daemon_routes;

/* {"message": @message, "result": @result}, of which @message is JSON; adds it to @out. -ENOMEM. */
int colony__daemon_wrap(struct colony__buffer *out, const char *message, size_t size, bool result);

/* @status NULL: there was no memory for it. */
void colony__daemon_respond_status(struct colony__connection *connection,
                                   const struct cJSON *status);
void colony__daemon_respond_pong(struct colony__connection *connection);

/* --- daemon_status.c -------------------------------------------------------------------------- */

/* What /status has of its own. NULL: out of memory. */
struct cJSON *colony__daemon_make_status(const struct colony__daemon *daemon);
/* {"message": @status, "result": true}. -ENOMEM, -EMSGSIZE. */
int colony__daemon_write_status(struct colony__buffer *out, const struct cJSON *status);
/* "2018-02-01 18:41:37.876631", of this machine's zone. NULL: out of memory. */
struct cJSON *colony__daemon_make_time(uint64_t wall_us);
/* @item may be NULL, for want of memory. False for that. Takes ownership of it. */
bool colony__daemon_add(struct cJSON *object, const char *key, struct cJSON *item);

/* --- daemon_ping.c ---------------------------------------------------------------------------- */

/* 0, or -EIO and the reason why it is not well. */
int colony__daemon_check(const struct colony__daemon *daemon, struct colony_error *err);

#endif
