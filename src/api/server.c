/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/access_internal.h"
#include "api/connection_internal.h"
#include "api/extras_internal.h"
#include "api/response_internal.h"
#include "api/route_internal.h"
#include "core/error.h"
#include "core/settings.h"

enum {
    ACCEPTS_PER_TURN = 32,
    REFUSED_MAX = 64, /* clients being told that they cannot be served; more are just closed */
    RESUME_MS = 1000, /* after a failure to accept */
};

struct colony__listener {
    uv_poll_t poll;
    struct colony__server *server;
    struct colony__listener *next;
    enum colony__rule rule;
    int tls;
    int fd;
};

static void on_acceptable(uv_poll_t *poll, int status, int events);

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void finish_close(struct colony__server *server)
{
    colony__server_closed_cb cb = server->closed_cb;
    void *data = server->closed_data;

    if (!server->is_closing || !server->is_timer_closed || server->listener_count > 0 ||
        server->connection_count > 0 || server->job_count > 0)
        return;
    if (server->spare_fd >= 0)
        (void)close(server->spare_fd);
    colony__access_free(server->access);
    colony__credentials_clear(&server->credentials);
    free(server);
    if (cb)
        cb(data);
}

static void resume_accepting(struct colony__server *server)
{
    server->resume_ms = 0;
    if (server->spare_fd < 0)
        server->spare_fd = open_spare();
    for (struct colony__listener *at = server->listeners; at; at = at->next)
        (void)uv_poll_start(&at->poll, UV_READABLE, on_acceptable);
}

static void on_timer(uv_timer_t *timer)
{
    struct colony__server *server = timer->data;
    uint64_t now = uv_now(server->loop);
    uint64_t next = 0;

    if (server->resume_ms && server->resume_ms <= now)
        resume_accepting(server);
    colony__server_check_left(server);
    next = server->left_cb ? server->leave_ms : server->resume_ms;
    for (struct colony__connection *at = server->connections; at; at = at->next) {
        if (at->deadline_ms && at->deadline_ms <= now)
            colony__connection_expire(at);
        if (at->deadline_ms && (next == 0 || at->deadline_ms < next))
            next = at->deadline_ms;
    }
    if (next)
        colony__server_schedule(server, next);
}

/* A deadline that moves away leaves the timer as it is: it then fires once for nothing. */
void colony__server_schedule(struct colony__server *server, uint64_t deadline_ms)
{
    uint64_t now = uv_now(server->loop);

    if (server->is_closing ||
        (uv_is_active((const uv_handle_t *)&server->timer) && server->due_ms <= deadline_ms))
        return;
    server->due_ms = deadline_ms;
    (void)uv_timer_start(&server->timer, on_timer, deadline_ms > now ? deadline_ms - now : 0, 0);
}

static void pause_accepting(struct colony__server *server)
{
    for (struct colony__listener *at = server->listeners; at; at = at->next)
        (void)uv_poll_stop(&at->poll);
    server->resume_ms = uv_now(server->loop) + RESUME_MS;
    colony__server_schedule(server, server->resume_ms);
}

/* No descriptor is left: takes a client with the spare one to tell it so. False: nor that. */
static bool shed_client(struct colony__server *server, int listening_fd)
{
    int fd;

    if (server->spare_fd < 0)
        return false;
    (void)close(server->spare_fd);
    fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        colony__connection_refuse_fd(server, fd);
        (void)close(fd);
    }
    server->spare_fd = open_spare();
    return fd >= 0 && server->spare_fd >= 0;
}

/* Closes @fd, with a word on why, but for a peer that nobody knows: that one is closed unread. */
static void refuse(struct colony__server *server, int fd, const struct colony__peer *peer,
                   int peer_rc)
{
    struct colony__connection *connection;

    if (server->refused_count >= REFUSED_MAX || peer->is_tls ||
        (peer_rc < 0 && peer_rc != -EACCES)) {
        (void)close(fd);
        return;
    }
    if (colony__connection_new(&connection, server, fd, peer, true) < 0)
        return;
    if (peer_rc < 0)
        colony__respond_failure(connection, 403, "forbidden",
                                "cannot control this colony: only root, its owner, the group "
                                "colony and whom `http: allow:` names can");
    else
        colony__respond_failure(connection, 503, "unavailable",
                                "cannot serve you: there are too many connections");
}

/* Whoever is far away and as yet unknown leaves room for those who can put an end to it, where
 * anybody can. */
static bool is_full(const struct colony__server *server, enum colony__rule rule)
{
    if (server->connection_count - server->refused_count >= server->connections_max)
        return true;
    return rule != RULE_PEER && !server->routes->has_public &&
           server->remote_count >= server->connections_max - server->connections_max / 4;
}

static void welcome(struct colony__listener *listener, int fd)
{
    struct colony__server *server = listener->server;
    struct colony__connection *connection;
    struct colony__peer peer;
    int rc = colony__access_check_peer(server->access, fd, listener->rule, &peer);

    peer.is_tls = listener->tls != COLONY__NO_TLS;
    if (rc < 0 || is_full(server, listener->rule))
        refuse(server, fd, &peer, rc);
    else if (colony__connection_new(&connection, server, fd, &peer, false) == 0 && peer.is_tls)
        colony__connection_secure(
            connection, colony__credentials_tls(&server->credentials, (size_t)listener->tls));
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct colony__listener *listener = poll->data;

    (void)events;
    if (status < 0) {
        pause_accepting(listener->server);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            welcome(listener, fd);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if ((errno != EMFILE && errno != ENFILE) || !shed_client(listener->server, listener->fd)) {
            pause_accepting(listener->server);
            return;
        }
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony__server *server = handle->data;

    server->is_timer_closed = true;
    finish_close(server);
}

int colony__server_new(struct colony__server **out, const struct colony__server_options *options,
                       struct colony_error *err)
{
    const struct colony_http_settings *settings = options->settings;
    struct colony__server *server = calloc(1, sizeof *server);
    int rc;

    if (!server)
        return colony_fail_os(err, -ENOMEM, "cannot open the control endpoint");
    rc = uv_timer_init(options->loop, &server->timer);
    if (rc < 0) {
        free(server);
        return colony_fail_os(err, rc, "cannot open the control endpoint");
    }
    colony__loop_watch_init(&server->loop_watch, options->loop);
    server->timer.data = server;
    server->loop = options->loop;
    server->engine = options->engine;
    server->routes = options->routes;
    server->extras = options->extras;
    server->access = options->access;
    server->owner = options->owner;
    server->head_max = settings->header_bytes_max;
    server->body_max = settings->body_bytes_max;
    server->message_max = settings->message_bytes_max;
    server->request_ms_max = settings->request_ms_max;
    server->connections_max = settings->connections_max;
    server->feed_max = settings->feed_bytes_max;
    server->plugins = settings->plugins;
    server->spare_fd = open_spare();
    server->job_count = COLONY__LOOP_HANDLES; /* released as they are closed */
    *out = server;
    return 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct colony__listener *listener = handle->data;
    struct colony__server *server = listener->server;

    (void)close(listener->fd);
    free(listener);
    server->listener_count--;
    finish_close(server);
}

void colony__server_set_credentials(struct colony__server *server,
                                    struct colony__credentials *credentials)
{
    colony__access_set_tokens(server->access, credentials->tokens);
    credentials->tokens = NULL;
    colony__credentials_clear(&server->credentials);
    server->credentials = *credentials;
    *credentials = (struct colony__credentials){0};
}

int colony__server_listen(struct colony__server *server, int fd, int tls, struct colony_error *err)
{
    struct colony__listener *listener = calloc(1, sizeof *listener);
    int rc;

    if (!listener)
        return colony_fail_os(err, -ENOMEM, "cannot accept clients");
    listener->server = server;
    listener->tls = tls;
    listener->rule = colony__access_rule(server->access, fd);
    listener->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (listener->fd < 0) {
        rc = -errno;
        free(listener);
        return colony_fail_os(err, rc, "cannot accept clients");
    }
    rc = uv_poll_init(server->loop, &listener->poll, listener->fd); /* makes it non-blocking */
    if (rc < 0) {
        (void)close(listener->fd);
        free(listener);
        return colony_fail_os(err, rc, "cannot accept clients");
    }
    listener->poll.data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    server->listener_count++;
    server->is_stopped = false;
    rc = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    return rc < 0 ? colony_fail_os(err, rc, "cannot accept clients") : 0;
}

void colony__server_stop(struct colony__server *server)
{
    struct colony__listener *listener;

    server->is_stopped = true;
    server->resume_ms = 0;
    while ((listener = server->listeners)) {
        server->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
    }
    for (struct colony__connection *at = server->connections; at; at = at->next)
        colony__connection_retire(at);
}

static void on_watch_closed(uv_handle_t *handle)
{
    colony__server_release(handle->data);
}

void colony__server_close(struct colony__server *server, colony__server_closed_cb cb, void *data)
{
    server->closed_cb = cb;
    server->closed_data = data;
    server->is_closing = true;
    colony__server_stop(server);
    for (struct colony__connection *at = server->connections; at; at = at->next)
        colony__connection_close(at);
    uv_close((uv_handle_t *)&server->timer, on_timer_closed);
    colony__loop_watch_close(&server->loop_watch, on_watch_closed, server);
}

void colony__server_check_left(struct colony__server *server)
{
    colony__server_left_cb cb = server->left_cb;

    if (!cb)
        return;
    if (uv_now(server->loop) < server->leave_ms)
        for (struct colony__connection *at = server->connections; at; at = at->next)
            if (at->phase == PHASE_READING || at->phase == PHASE_ANSWERING)
                return;
    server->left_cb = NULL;
    cb(server->left_data);
}

void colony__server_leave(struct colony__server *server, colony__server_left_cb cb, void *data)
{
    colony__server_stop(server);
    server->left_cb = cb;
    server->left_data = data;
    server->leave_ms = uv_now(server->loop) + COLONY__LEAVE_MS;
    colony__server_schedule(server, server->leave_ms);
    colony__server_check_left(server);
}

static bool is_remote(const struct colony__connection *connection)
{
    return connection->peer.rule != RULE_PEER && !connection->is_refused;
}

void colony__server_add(struct colony__server *server, struct colony__connection *connection)
{
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    server->refused_count += connection->is_refused;
    server->remote_count += is_remote(connection);
}

void colony__server_remove(struct colony__server *server, struct colony__connection *connection)
{
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    server->connection_count--;
    server->refused_count -= connection->is_refused;
    server->remote_count -= is_remote(connection);
    finish_close(server);
}

void colony__server_hold(struct colony__server *server)
{
    server->job_count++;
}

void colony__server_release(struct colony__server *server)
{
    server->job_count--;
    finish_close(server);
}

/* Without a token there is more to be said than that. */
static int refuse_rights(struct colony__connection *connection, struct colony_error *err)
{
    if (err->code == 0)
        return colony_fail(err, -EACCES, "cannot do this: your token may only read");
    colony__respond_failure(connection, 401, "unauthorized", err->message);
    return 0;
}

/* @err: why the peer has no rights, if it needs a token and has none. */
static int call_route(struct colony__server *server, struct colony__connection *connection,
                      struct colony_error *err)
{
    struct colony__request *request = &connection->parser.request;
    const struct colony__route *route;
    unsigned allowed;

    route = colony__route_find(server->routes, request, &allowed);
    if (!route)
        route = colony__extras_find(server->extras, request, &allowed);
    if (request->method == METHOD_OPTIONS) {
        connection->allowed = allowed | METHOD_OPTIONS;
        colony__respond_nothing(connection);
        return 0;
    }
    if (allowed == METHOD_NONE) {
        /* gaffer's word for an unknown action. */
        bool is_action = request->segment_count > 2 && request->segments[2][0] == '_';

        colony__respond_failure(connection, 404, is_action ? "resource_not_found" : "not_found",
                                "cannot find this path: there is no such resource");
        return 0;
    }
    if (!route) {
        connection->allowed = allowed;
        return colony_fail(err, -ENOTSUP, "cannot use this method here: see Allow");
    }
    if ((connection->peer.rights & route->access) != route->access)
        return refuse_rights(connection, err);
    *err = (struct colony_error){0};
    return route->handler(connection, request, err);
}

void colony__server_dispatch(struct colony__server *server, struct colony__connection *connection)
{
    struct colony__request *request = &connection->parser.request;
    struct colony_error err = {0};
    int rc;

    rc = colony__request_parse_target(request, colony__parser_target(&connection->parser), &err);
    if (rc == 0)
        rc = colony__access_check_request(server->access, &connection->peer, request,
                                          &connection->cors_origin, &err);
    /* A browser asks whether it may send a token without sending it. */
    if (rc == 0 && request->method != METHOD_OPTIONS &&
        colony__access_check_token(server->access, &connection->peer, request, &err) < 0 &&
        !server->routes->has_public) {
        colony__respond_failure(connection, 401, "unauthorized", err.message);
        return;
    }
    if (rc == 0)
        rc = call_route(server, connection, &err);
    if (rc < 0)
        colony__respond_error(connection, &err);
}
