/* SPDX-License-Identifier: Apache-2.0 */
#include "api/response_internal.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
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

static const char *phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {204, "No Content"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Status";
}

/* A text of the head. What can't be queued ends the connection: the client must see that. */
static void put(struct colony__connection *connection, const char *text)
{
    if (colony__connection_write(connection, text, strlen(text)) < 0)
        colony__connection_give_up(connection);
}

static void put_cors(struct colony__connection *connection, const char *methods)
{
    put(connection, "Access-Control-Allow-Origin: ");
    put(connection, connection->cors_origin);
    put(connection, "\r\nVary: Origin\r\n");
    if (connection->parser.request.method != METHOD_OPTIONS)
        return;
    put(connection, "Access-Control-Allow-Methods: ");
    put(connection, methods);
    put(connection, "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type\r\n"
                    "Access-Control-Max-Age: 600\r\n");
}

/* All of the head but how the body is delimited. */
static void begin(struct colony__connection *connection, int status, const char *type)
{
    char line[128];
    char methods[METHODS_TEXT_MAX];

    connection->is_begun = true;
    (void)snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\nServer: colony/%s\r\n", status,
                   phrase_of(status), COLONY_VERSION);
    put(connection, line);
    colony__route_format_methods(connection->allowed, methods, sizeof methods);
    if (connection->allowed) {
        put(connection, "Allow: ");
        put(connection, methods);
        put(connection, "\r\n");
    }
    if (connection->cors_origin)
        put_cors(connection, methods);
    if (type) {
        (void)snprintf(line, sizeof line, "Content-Type: %s\r\n", type);
        put(connection, line);
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

/* The answer for which no memory is needed but the connection's own. */
static void respond_no_memory(struct colony__connection *connection)
{
    static const char body[] =
        "{\"error\":\"unavailable\",\"reason\":\"cannot answer: out of memory; "
        "what was asked for may be done all the same\"}\n";

    colony__respond_text(connection, 503, "application/json", body, sizeof body - 1);
}

int colony__respond_json(struct colony__connection *connection, int status, struct cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    cJSON_Delete(json);
    if (text)
        colony__respond_text(connection, status, "application/json", text, strlen(text));
    else
        respond_no_memory(connection);
    free(text);
    return 0;
}

int colony__respond_ok(struct colony__connection *connection)
{
    static const char body[] = "{\"ok\":true}";

    colony__respond_text(connection, 200, "application/json", body, sizeof body - 1);
    return 0;
}

cJSON *colony__ok_json(void)
{
    cJSON *json = cJSON_CreateObject();

    if (cJSON_AddTrueToObject(json, "ok"))
        return json;
    cJSON_Delete(json);
    return NULL;
}

cJSON *colony__failure_json(const char *word, const char *reason)
{
    char clean[COLONY_ERROR_TEXT_MAX];
    cJSON *json = cJSON_CreateObject();

    (void)snprintf(clean, sizeof clean, "%s", reason);
    colony__utf8_repair(clean); /* a quoted or cut text may be anything */
    if (cJSON_AddStringToObject(json, "error", word) &&
        cJSON_AddStringToObject(json, "reason", clean))
        return json;
    cJSON_Delete(json);
    return NULL;
}

void colony__respond_failure(struct colony__connection *connection, int status, const char *word,
                             const char *reason)
{
    (void)colony__respond_json(connection, status, colony__failure_json(word, reason));
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
    put(connection, connection->is_chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    if (connection->parser.request.method == METHOD_HEAD) {
        colony__connection_end(connection);
        return false;
    }
    colony__connection_flush(connection);
    return connection->phase == PHASE_ANSWERING;
}

void colony__stream_write(struct colony__connection *connection, const char *data, size_t size)
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
    colony__connection_flush(connection);
}

void colony__stream_end(struct colony__connection *connection)
{
    if (connection->is_chunked)
        put(connection, "0\r\n\r\n");
    colony__connection_end(connection);
}
