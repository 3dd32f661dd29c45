/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_internal.h - an HTTP server on a libuv loop: listeners, connections and one timer.
 *
 * It knows its routes only as a table, so that every HTTP front-end can be one. Nothing wakes the
 * loop while no connection is open. Whoever owns the loop ignores SIGPIPE.
 */
#ifndef COLONY_API_SERVER_INTERNAL_H
#define COLONY_API_SERVER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "api/credentials_internal.h"
#include "api/loop_watch_internal.h"

struct colony__access;
struct colony__channel;
struct colony__connection;
struct colony__listener;
struct colony__routes;
struct colony_engine;
struct colony_extras;
struct colony_error;
struct colony_http_settings;

typedef void (*colony__server_closed_cb)(void *data);
typedef void (*colony__server_left_cb)(void *data);

enum {
    COLONY__READ_SIZE = 65536,
    COLONY__HALF_SIZE = COLONY__READ_SIZE / 2, /* TLS opens what is in one half into the other */
    COLONY__LEAVE_MS = 1000,
    COLONY__NO_TLS = -1,
    COLONY__STATUS_CLASSES = 6, /* 200 is of class 2 */
    COLONY__FEED_UNITS = 3,     /* colony__feed_units[] */
};

struct colony__server_options {
    uv_loop_t *loop;
    struct colony_engine *engine; /* for the handlers; may be NULL */
    const struct colony__routes *routes;
    const struct colony_http_settings *settings; /* its limits are copied */
    struct colony__access *access;               /* becomes the server's, on success */
    void *owner;                                 /* for the handlers; may be NULL */
    const struct colony_extras *extras;          /* after those of @routes; may be NULL */
};

/* The fields are for the files of this folder. */
struct colony__server {
    uv_loop_t *loop;
    struct colony_engine *engine;
    const struct colony__routes *routes;
    const struct colony_extras *extras;
    struct colony__access *access;
    void *owner;
    const char *plugins;                    /* folder of site plugins, borrowed; NULL: none */
    struct colony__credentials credentials; /* but the tokens, which are with @access */
    size_t head_max;
    size_t body_max;
    size_t message_max; /* bytes of a WebSocket's */
    uint64_t request_ms_max;
    size_t connections_max;
    struct colony__loop_watch loop_watch;
    uint64_t answers[COLONY__STATUS_CLASSES];  /* so far, by class of status */
    uint64_t feed_dropped[COLONY__FEED_UNITS]; /* so far, because somebody read too slowly */
    size_t feed_max;                           /* bytes that a channel keeps */
    uv_timer_t timer;                          /* runs to the earliest deadline there is */
    uint64_t due_ms;
    uint64_t resume_ms; /* when accepting goes on; 0: it does not pause */
    struct colony__listener *listeners;
    size_t listener_count; /* with those being closed */
    struct colony__connection *connections;
    size_t connection_count;
    struct colony__channel *channels; /* that clients follow */
    size_t refused_count;             /* of the connections: those only being told so */
    size_t remote_count;              /* of the connections: from beyond this machine */
    size_t job_count; /* work and handles of sources that may outlive their connection */
    int spare_fd;     /* closed to accept, and drop, a client when there is no other left */
    bool is_stopped;
    bool is_closing;
    bool is_timer_closed;
    colony__server_closed_cb closed_cb;
    void *closed_data;
    colony__server_left_cb left_cb; /* NULL: it does not leave */
    void *left_data;
    uint64_t leave_ms;                   /* when it leaves at the latest */
    char read_buffer[COLONY__READ_SIZE]; /* of whoever is being read right now */
};

int colony__server_new(struct colony__server **out, const struct colony__server_options *options,
                       struct colony_error *err);
/* Takes over what is in @credentials; who is connected keeps what it was let in with. */
void colony__server_set_credentials(struct colony__server *server,
                                    struct colony__credentials *credentials);
/*
 * Accepts from a duplicate of the listening socket @fd, until colony__server_stop(). @tls: number
 * of its certificate (colony_http_tls()), or COLONY__NO_TLS.
 */
int colony__server_listen(struct colony__server *server, int fd, int tls, struct colony_error *err);
/* Accepts no more; requests under way are finished. */
void colony__server_stop(struct colony__server *server);
void colony__server_close(struct colony__server *server, colony__server_closed_cb cb, void *data);
/*
 * Stops for good, as another process is going to serve: @cb once the requests under way are
 * answered, or after COLONY__LEAVE_MS; perhaps inside this call.
 */
void colony__server_leave(struct colony__server *server, colony__server_left_cb cb, void *data);

/* For connections: */
void colony__server_add(struct colony__server *server, struct colony__connection *connection);
void colony__server_remove(struct colony__server *server, struct colony__connection *connection);
void colony__server_schedule(struct colony__server *server, uint64_t deadline_ms);
/* A connection has come to another phase: it may be the last that a leaving server waits for. */
void colony__server_check_left(struct colony__server *server);
/* For sources: the server waits with its end until each hold is released. */
void colony__server_hold(struct colony__server *server);
void colony__server_release(struct colony__server *server);
/* Judges the complete request of @connection and has it answered. */
void colony__server_dispatch(struct colony__server *server, struct colony__connection *connection);

#endif
