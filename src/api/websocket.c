/* SPDX-License-Identifier: Apache-2.0 */
/*
 * websocket.c - GET /wstreams/ID: messages in go to stdin of a process (to a custom stream where
 * LABEL is one), what it writes comes back.
 *
 * What comes back is a follower of the same channel as that of /streams. What goes in is written
 * message by message: while one waits for room in the pipe, nothing more is read from the client.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/frames_internal.h"
#include "api/handlers_internal.h"
#include "api/handshake_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "api/streams_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/template.h"

enum {
    /* What frames.c may have read before it was paused, and what waits for it at the end. */
    HELD_MORE = 8192 + 2 * COLONY__READ_SIZE,
    ENDING_MS = 1000, /* for who reads no more to end, which says more than a failure */
};

struct websocket {
    struct colony__connection *connection; /* NULL: it has gone */
    struct colony__server *server;
    struct colony__frames *frames;
    uint64_t id;                      /* of the process */
    char label[COLONY_LABEL_MAX + 1]; /* where messages go: "stdin", or that of a custom stream */
    bool may_write;
    bool is_deaf;                   /* the process reads no more */
    struct colony__buffer held;     /* messages that came before the pause was felt */
    struct colony_input_write *job; /* what is being written; NULL: nothing */
    uv_timer_t timer; /* its close ends the memory: calls of others may be on their way back here */
};

static void on_written(int rc, const char *why, void *data);
static void on_timer(uv_timer_t *timer);

static void pause_or_go_on(struct websocket *websocket)
{
    colony__frames_pause(websocket->frames, websocket->job || websocket->is_deaf);
}

/* It may have ended, and that be told in a moment: then its last words are due, and a 1000. */
static void become_deaf(struct websocket *websocket)
{
    websocket->is_deaf = true;
    (void)uv_timer_start(&websocket->timer, on_timer, ENDING_MS, 0);
}

/* Input. */

static void refuse_input(struct websocket *websocket, enum colony__close_code code, const char *why)
{
    char reason[COLONY_LABEL_MAX + 96];

    (void)snprintf(reason, sizeof reason, "cannot write to its %s: %s", websocket->label, why);
    colony__frames_close(websocket->frames, code, reason);
}

static void write_input(struct websocket *websocket, const char *bytes, size_t size)
{
    int rc = colony_engine_write_input(
        websocket->server->engine,
        &(struct colony_input_wish){.id = websocket->id,
                                    .label = websocket->label,
                                    .bytes = bytes,
                                    .size = size,
                                    .is_patient = true,
                                    .cb = websocket->connection ? on_written : NULL,
                                    .data = websocket},
        &websocket->job);

    if (rc == -EPERM)
        refuse_input(websocket, CLOSE_POLICY, "its template does not say redirect_input: true");
    else if (rc == -ENOENT || rc == -ESRCH || rc == -EINVAL) /* it is being replaced */
        become_deaf(websocket);
    else if (rc < 0)
        refuse_input(websocket, CLOSE_FAILED, "out of memory");
    pause_or_go_on(websocket);
}

/* Several become one piece, in which none is torn all the same. */
static void hold(struct websocket *websocket, const char *bytes, size_t size)
{
    size_t max = websocket->server->message_max + HELD_MORE;

    if (colony__buffer_append(&websocket->held, bytes, size, max) < 0)
        refuse_input(websocket, CLOSE_FAILED, "out of memory");
}

static void on_message(const char *bytes, size_t size, void *data)
{
    struct websocket *websocket = data;

    if (!websocket->may_write)
        refuse_input(websocket, CLOSE_POLICY, "your token may only read");
    else if (websocket->job || !websocket->connection)
        hold(websocket, bytes, size);
    else if (!websocket->is_deaf && size > 0)
        write_input(websocket, bytes, size);
}

static void write_held(struct websocket *websocket)
{
    struct colony__buffer held = websocket->held;

    websocket->held = (struct colony__buffer){0};
    if (held.size > 0)
        write_input(websocket, held.data, held.size);
    colony__buffer_clear(&held);
}

/* Replies. */

/* Queues them where nothing else is: who pings and never reads is not read from. */
static void send_replies(struct websocket *websocket)
{
    struct colony__connection *connection = websocket->connection;
    struct colony__buffer *replies = colony__frames_replies(websocket->frames);
    bool is_over = colony__frames_is_over(websocket->frames);

    if (connection->is_ended)
        return; /* a Close is on its way */
    if (replies->size > 0 && (is_over || connection->out.size == 0)) {
        if (colony__connection_write(connection, replies->data, replies->size) < 0) {
            colony__connection_close(connection);
            return;
        }
        colony__buffer_reset(replies);
        colony__connection_flush(connection);
    }
    if (is_over)
        colony__connection_hang_up(connection);
}

static void close_with(struct websocket *websocket, enum colony__close_code code,
                       const char *reason)
{
    colony__frames_close(websocket->frames, code, reason);
    if (websocket->connection)
        send_replies(websocket);
}

static void on_timer(uv_timer_t *timer)
{
    struct websocket *websocket = timer->data;

    if (websocket->is_deaf) {
        refuse_input(websocket, CLOSE_FAILED, "it has closed it");
        if (websocket->connection)
            send_replies(websocket);
    } else if (websocket->job) /* it is not the client who is late */
        (void)uv_timer_start(timer, on_timer, websocket->server->request_ms_max, 0);
    else
        close_with(websocket, CLOSE_POLICY, "cannot wait any longer for the rest of the message");
}

/* A message must come within the time that a request has. */
static void watch_message(struct websocket *websocket)
{
    uv_timer_t *timer = &websocket->timer;

    if (!websocket->connection || websocket->is_deaf)
        return;
    if (!colony__frames_is_midway(websocket->frames))
        (void)uv_timer_stop(timer);
    else if (!uv_is_active((uv_handle_t *)timer))
        (void)uv_timer_start(timer, on_timer, websocket->server->request_ms_max, 0);
}

/* What the connection calls. */

static size_t on_received(struct colony__connection *connection, const char *bytes, size_t size,
                          void *data)
{
    struct websocket *websocket = data;
    size_t used = 0;

    (void)connection;
    send_replies(websocket);
    if (!websocket->connection || size == 0)
        return 0;
    used = colony__frames_feed(websocket->frames, bytes, size);
    send_replies(websocket);
    watch_message(websocket);
    return used;
}

static void on_retired(struct colony__connection *connection, void *data)
{
    (void)connection;
    close_with(data, CLOSE_GOING_AWAY, "colony ends or is replaced");
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct websocket *websocket = handle->data;
    struct colony__server *server = websocket->server;

    colony__frames_free(websocket->frames);
    colony__buffer_clear(&websocket->held);
    free(websocket);
    colony__server_release(server); /* which may be gone after this */
}

static void let_go(struct websocket *websocket)
{
    websocket->connection = NULL;
    uv_close((uv_handle_t *)&websocket->timer, on_timer_closed);
}

/* What has come as a whole is written, whether its client stays or not. */
static void take_last_messages(struct websocket *websocket, const struct colony__buffer *pending)
{
    colony__buffer_reset(colony__frames_replies(websocket->frames));
    colony__frames_pause(websocket->frames, false);
    if (pending->size > 0)
        (void)colony__frames_feed(websocket->frames, pending->data, pending->size);
    write_held(websocket);
}

static void on_closed(void *data)
{
    struct websocket *websocket = data;
    const struct colony__buffer *pending = &websocket->connection->pending;

    websocket->connection = NULL;
    if (websocket->job)
        colony_input_write_forget(websocket->job);
    take_last_messages(websocket, pending);
    let_go(websocket);
}

static const struct colony__duplex websocket_duplex = {
    .received = on_received,
    .retired = on_retired,
    .closed = on_closed,
};

static void on_written(int rc, const char *why, void *data)
{
    struct websocket *websocket = data;

    (void)why;
    websocket->job = NULL;
    if (rc < 0)
        become_deaf(websocket);
    else
        write_held(websocket);
    pause_or_go_on(websocket);
    if (websocket->connection)
        colony__connection_resume(websocket->connection);
}

/* The request. */

static void choose_input(struct websocket *websocket, const char *label)
{
    bool is_custom =
        label && colony_engine_has_custom_stream(websocket->server->engine, websocket->id, label);

    (void)snprintf(websocket->label, sizeof websocket->label, "%s", is_custom ? label : "stdin");
}

/* Then it is worth a connection even if nothing comes back. */
static bool has_input(struct colony_engine *engine, uint64_t id)
{
    const struct colony_template *template = NULL;
    struct colony_slot_info info;

    if (colony_engine_find_process(engine, id, &info) == 0)
        template = colony_engine_find_template(engine, info.name);
    return template && template->redirect_input;
}

static int open_websocket(struct websocket **out, struct colony__connection *connection,
                          const struct colony__stream_wish *wish)
{
    struct websocket *websocket = calloc(1, sizeof *websocket);
    int rc;

    if (!websocket)
        return -ENOMEM;
    websocket->connection = connection;
    websocket->server = connection->server;
    websocket->id = wish->id;
    choose_input(websocket, wish->label);
    websocket->may_write = (connection->peer.rights & ACCESS_CONTROL) != 0;
    websocket->timer.data = websocket;
    rc = colony__frames_new(&websocket->frames, &(struct colony__frames_options){
                                                    .message_max = connection->server->message_max,
                                                    .message = on_message,
                                                    .data = websocket,
                                                });
    if (rc == 0)
        rc = uv_timer_init(connection->server->loop, &websocket->timer);
    if (rc < 0) {
        colony__frames_free(websocket->frames);
        free(websocket);
        return rc;
    }
    colony__server_hold(connection->server);
    *out = websocket;
    return 0;
}

static int refuse_upgrade(struct colony__connection *connection, const struct colony_error *err)
{
    if (err->code != -EPROTONOSUPPORT)
        return err->code;
    colony__respond_failure(connection, 426, "upgrade_required", err->message);
    return 0;
}

/* The form in which output is asked for, and its heartbeat. */
static int parse_wish(const struct colony__request *request, struct colony__feed_wish *wish,
                      struct colony_error *err)
{
    static const struct colony__feed_defaults defaults = {.is_silent = true};
    bool is_binary;
    int rc = colony__request_query_bool(request, "binary", &is_binary, err);

    if (rc == 0)
        rc = colony__feed_parse(request, &defaults, wish, err);
    wish->feed = is_binary ? FEED_BINARY : FEED_TEXT;
    return rc;
}

static int follow(struct websocket *websocket, const struct colony__stream_wish *wish,
                  const struct colony__feed_wish *feed, const char *accept,
                  struct colony_error *err)
{
    struct colony__connection *connection = websocket->connection;
    struct colony__channel *channel;
    int rc = colony__stream_open(&channel, connection, wish, err);

    if (rc != 0) {
        let_go(websocket);
        return rc < 0 ? rc : 0;
    }
    colony__connection_upgrade(connection, &websocket_duplex, websocket);
    colony__respond_upgrade(connection, accept); /* may be the end of it */
    if (colony__channel_follow(channel, connection, feed, NULL, NULL) < 0)
        colony__connection_give_up(connection);
    else
        colony__connection_resume(connection);
    return 0;
}

int colony__get_websocket(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err)
{
    struct colony__feed_wish feed = {0};
    struct colony__stream_wish wish = {.label = request->args[1]};
    struct websocket *websocket = NULL;
    char accept[COLONY__ACCEPT_SIZE];
    int rc = colony__handshake_check(request, err);

    if (rc < 0)
        return refuse_upgrade(connection, err);
    rc = colony__stream_parse_id(request, &wish.id, err);
    if (rc == 0)
        rc = parse_wish(request, &feed, err);
    if (rc < 0)
        return rc;
    wish.feed = feed.feed;
    wish.may_be_silent = has_input(colony__connection_engine(connection), wish.id);
    colony__handshake_accept(request, accept);
    rc = open_websocket(&websocket, connection, &wish);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot open a WebSocket");
    return follow(websocket, &wish, &feed, accept, err);
}
