/* SPDX-License-Identifier: Apache-2.0 */
#include "api/response_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/json_internal.h"
#include "api/route_internal.h"
#include "api/server_internal.h"
#include "core/error.h"

enum {
    METHODS_TEXT_MAX = 64,
};

struct colony_engine *colony__connection_engine(struct colony__connection *connection)
{
    return connection->server->engine;
}

const char *colony__connection_why(const struct colony__connection *connection)
{
    return connection->peer.why;
}

/* A text of the head. What can't be queued ends the connection: the client must see that. */
static void put(struct colony__connection *connection, const char *text)
{
    if (colony__connection_write(connection, text, strlen(text)) < 0)
        colony__connection_give_up(connection);
}

static void put_status(struct colony__connection *connection, int status)
{
#define HEAD(phrase) "HTTP/1.1 " phrase "\r\nServer: colony/" COLONY_VERSION "\r\n"
    static const struct {
        int status;
        const char *head;
    } heads[] = {
        {101, HEAD("101 Switching Protocols") "Upgrade: websocket\r\nConnection: Upgrade\r\n"},
        {200, HEAD("200 OK")},
        {204, HEAD("204 No Content")},
        {301, HEAD("301 Moved Permanently")},
        {304, HEAD("304 Not Modified")},
        {400, HEAD("400 Bad Request")},
        {401, HEAD("401 Unauthorized") "WWW-Authenticate: Bearer\r\n"},
        {403, HEAD("403 Forbidden")},
        {404, HEAD("404 Not Found")},
        {405, HEAD("405 Method Not Allowed")},
        {408, HEAD("408 Request Timeout")},
        {409, HEAD("409 Conflict")},
        {411, HEAD("411 Length Required")},
        {413, HEAD("413 Content Too Large")},
        {426, HEAD("426 Upgrade Required") "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                           "Sec-WebSocket-Version: 13\r\n"},
        {431, HEAD("431 Request Header Fields Too Large")},
        {500, HEAD("500 Internal Server Error")},
        {501, HEAD("501 Not Implemented")},
        {503, HEAD("503 Service Unavailable")},
        {505, HEAD("505 HTTP Version Not Supported")},
    };
#undef HEAD
    char other[64];

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (heads[i].status == status) {
            put(connection, heads[i].head);
            return;
        }
    /* Of a choice of a program around us: the phrase may be empty (RFC 9112 §4). */
    (void)snprintf(other, sizeof other, "HTTP/1.1 %d \r\nServer: colony/" COLONY_VERSION "\r\n",
                   status);
    put(connection, other);
}

static void put_methods(struct colony__connection *connection, const char *name)
{
    char methods[METHODS_TEXT_MAX];

    colony__route_format_methods(connection->allowed, methods, sizeof methods);
    put(connection, name);
    put(connection, methods);
    put(connection, "\r\n");
}

/* What gaffer sent, but to whom the settings list only. */
static void put_cors(struct colony__connection *connection)
{
    put(connection, "Access-Control-Allow-Origin: ");
    put(connection, connection->cors_origin);
    put(connection, "\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n");
}

/* To whoever asks what may be asked, as in gaffer; without the origin they grant a page nothing. */
static void put_preflight(struct colony__connection *connection)
{
    put_methods(connection, "Access-Control-Allow-Methods: ");
    put(connection, "Access-Control-Allow-Headers: X-Requested-With, X-HTTP-Method-Override, "
                    "Content-Type, Accept, Authorization\r\n"
                    "Access-Control-Max-Age: 86400\r\n");
}

static void put_retry_after(struct colony__connection *connection)
{
    char line[sizeof "Retry-After: \r\n" + 10];

    (void)snprintf(line, sizeof line, "Retry-After: %u\r\n", connection->retry_after_s);
    put(connection, line);
}

/* All of the head but how the body is delimited. */
static void begin(struct colony__connection *connection, int status, const char *type)
{
    connection->is_begun = true;
    connection->server->answers[status / 100]++;
    put_status(connection, status);
    if (connection->allowed)
        put_methods(connection, "Allow: ");
    if (connection->retry_after_s)
        put_retry_after(connection);
    if (connection->cors_origin)
        put_cors(connection);
    if (connection->parser.request.method == METHOD_OPTIONS && status == 204)
        put_preflight(connection);
    if (type) {
        put(connection, "Content-Type: ");
        put(connection, type);
        put(connection, "\r\n");
    }
    if (!connection->keeps_alive)
        put(connection, "Connection: close\r\n");
    else if (connection->parser.request.is_http10)
        put(connection, "Connection: keep-alive\r\n");
}

void colony__respond_text(struct colony__connection *connection, int status, const char *type,
                          const char *body, size_t size)
{
    char line[64];

    begin(connection, status, type);
    (void)snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", size);
    put(connection, line);
    if (connection->parser.request.method != METHOD_HEAD &&
        colony__connection_write(connection, body, size) < 0)
        colony__connection_give_up(connection);
    colony__connection_end(connection);
}

void colony__respond_nothing(struct colony__connection *connection)
{
    begin(connection, 204, NULL);
    put(connection, "\r\n");
    colony__connection_end(connection);
}

void colony__respond_upgrade(struct colony__connection *connection, const char *accept)
{
    connection->is_begun = true;
    connection->server->answers[1]++;
    put_status(connection, 101);
    put(connection, "Sec-WebSocket-Accept: ");
    put(connection, accept);
    put(connection, "\r\n\r\n");
}

int colony__respond_no_memory(struct colony__connection *connection)
{
    static const char body[] =
        "{\"error\":\"unavailable\",\"reason\":\"cannot answer: out of memory; "
        "what was asked for may be done all the same\"}\n";

    const char *other = connection->server->routes->exhausted;

    colony__respond_text(connection, 503, "application/json", other ? other : body,
                         other ? strlen(other) : sizeof body - 1);
    return 0;
}

int colony__respond_json(struct colony__connection *connection, int status,
                         struct colony__json *json)
{
    struct colony__json answer = *json;

    *json = (struct colony__json){0};
    if (answer.failed)
        (void)colony__respond_no_memory(connection);
    else
        colony__respond_text(connection, status, "application/json", answer.text.data,
                             answer.text.size);
    colony__json_clear(&answer);
    return 0;
}

int colony__respond_ok(struct colony__connection *connection)
{
    static const char body[] = "{\"ok\":true}";

    colony__respond_text(connection, 200, "application/json", body, sizeof body - 1);
    return 0;
}

void colony__json_open_ok(struct colony__json *json)
{
    colony__json_open(json, NULL, '{');
    colony__json_add_bool(json, "ok", true);
}

void colony__json_put_failure(struct colony__json *json, const char *word, const char *reason)
{
    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "error", word);
    colony__json_add_text(json, "reason", reason);
    colony__json_close(json, '}');
}

void colony__respond_failure(struct colony__connection *connection, int status, const char *word,
                             const char *reason)
{
    const colony__failure_cb put_failure = connection->server->routes->put_failure;
    struct colony__json json = {0};

    if (put_failure)
        put_failure(connection, &json, word, reason);
    else
        colony__json_put_failure(&json, word, reason);
    (void)colony__respond_json(connection, status, &json);
}

void colony__respond_error(struct colony__connection *connection, const struct colony_error *err)
{
    const struct colony_error_info *info = colony_error_info(err->code);

    colony__respond_failure(connection, info->http_status, info->word, err->message);
}

bool colony__stream_begin(struct colony__connection *connection, const char *type,
                          const struct colony__source *source, void *data)
{
    connection->is_chunked = !connection->parser.request.is_http10;
    if (!connection->is_chunked)
        connection->keeps_alive = false; /* its end is the end of the body */
    colony__connection_set_source(connection, source, data);
    begin(connection, 200, type);
    put(connection, "Cache-Control: no-cache\r\n"); /* it is what happens now */
    put(connection, connection->is_chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    if (connection->parser.request.method == METHOD_HEAD) {
        colony__connection_end(connection);
        return false;
    }
    colony__connection_flush(connection);
    return connection->phase == PHASE_ANSWERING;
}

bool colony__stream_begin_sized(struct colony__connection *connection,
                                const struct colony__sized_head *head,
                                const struct colony__source *source, void *data)
{
    char line[64];

    connection->is_chunked = false;
    colony__connection_set_source(connection, source, data);
    begin(connection, head->status, head->type);
    put(connection, head->lines);
    (void)snprintf(line, sizeof line, "Content-Length: %" PRIu64 "\r\n", head->size);
    put(connection, head->status == 304 ? "" : line);
    put(connection, "\r\n");
    if (head->size > 0 && connection->parser.request.method != METHOD_HEAD)
        return connection->phase == PHASE_ANSWERING;
    colony__connection_end(connection);
    return false;
}

void colony__stream_put(struct colony__connection *connection, const char *data, size_t size)
{
    char line[32];

    if (size == 0)
        return;
    if (connection->is_chunked) {
        (void)snprintf(line, sizeof line, "%zx\r\n", size);
        put(connection, line);
    }
    if (colony__connection_write(connection, data, size) < 0)
        colony__connection_close(connection);
    if (connection->is_chunked)
        put(connection, "\r\n");
}

void colony__stream_write(struct colony__connection *connection, const char *data, size_t size)
{
    colony__stream_put(connection, data, size);
    colony__connection_flush(connection);
}

void colony__stream_end(struct colony__connection *connection)
{
    if (connection->is_chunked)
        put(connection, "0\r\n\r\n");
    colony__connection_end(connection);
}
