/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /openapi.json: all routes for programs, from their own table and what stands beside it; then
 * those that a program has added.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/extras_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/openapi_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"

enum {
    PATH_MAX_BYTES = 3 * COLONY__EXTRA_PATTERN_MAX + 2 * COLONY__ARGS_MAX + 1, /* all is escaped */
};

#define JSON(...) #__VA_ARGS__

static const char info[] =
    "Keeps processes alive. Every GET answers HEAD, every path OPTIONS with the methods it has. "
    "Local clients are known by their user; others need TLS and a token.";

static const char security_schemes[] = JSON({
    "token" : {
        "type" : "http",
        "scheme" : "bearer",
        "description" : "needed on endpoints beyond the machine"
    }
});

static const char error_answer[] = JSON({
    "description" : "What is wrong, as a word and a line.",
    "content" : {"application/json" : {"schema" : {"$ref" : "#/components/schemas/Error"}}}
});

static const char event_webhook[] = JSON({
    "post" : {
        "operationId" : "webhook_event",
        "summary" : "what happens is posted to each of `webhooks:`",
        "parameters" : [
            {
                "in" : "header",
                "name" : "X-Colony-Event",
                "required" : true,
                "schema" : {"type" : "string"}
            },
            {
                "in" : "header",
                "name" : "X-Colony-Signature",
                "schema" : {"type" : "string"},
                "description" : "sha256= and the HMAC-SHA256 of the body, in hexadecimal"
            }
        ],
        "requestBody" : {
            "required" : true,
            "content" :
                {"application/json" : {"schema" : {"$ref" : "#/components/schemas/Event"}}}
        },
        "responses" : {"2XX" : {"description" : "it is taken"}}
    }
});

static void add_text_raw(struct colony__json *json, const char *key, const char *text)
{
    colony__json_add_raw(json, key, text, strlen(text));
}

/* --- paths ------------------------------------------------------------------------------------ */

static bool is_argument(const char *part)
{
    return *part >= 'A' && *part <= 'Z';
}

/* Both stand for the same paths: arguments are the same whatever they are called. */
static bool has_same_paths(const char *left, const char *right)
{
    while (*left != '\0' && *right != '\0') {
        size_t a = strcspn(++left, "/");
        size_t b = strcspn(++right, "/");
        bool are_arguments = is_argument(left) && is_argument(right);

        if (!are_arguments && (a != b || memcmp(left, right, a) != 0))
            return false;
        left += a;
        right += b;
    }
    return *left == *right;
}

/* Nobody knows more of it than the program that has added it. */
static bool is_added(const struct colony__route *route)
{
    return !colony__operation_find(route->methods, route->pattern);
}

/* Appends a part of a path, of which arguments are in capitals, as an URL has it. */
static void put_part(char out[PATH_MAX_BYTES], const char *part, size_t length)
{
    static const char plain[] = "-._~!$&'()*+,;=:@";
    size_t used = strlen(out);

    for (size_t i = 0; i < length && used + 1 < PATH_MAX_BYTES; i++) {
        unsigned char byte = (unsigned char)part[i];
        bool is_plain = byte < 0x80 && (isalnum(byte) || strchr(plain, byte));
        int size = snprintf(out + used, PATH_MAX_BYTES - used, is_plain ? "%c" : "%%%02X",
                            is_argument(part) ? tolower(byte) : byte);

        used += (size_t)size;
    }
}

static void put_text(char out[PATH_MAX_BYTES], const char *text)
{
    size_t used = strlen(out);

    (void)snprintf(out + used, PATH_MAX_BYTES - used, "%s", text);
}

/* "/processes/NAME/_stop" as "/processes/{name}/_stop". */
static void write_path(char out[PATH_MAX_BYTES], const char *pattern)
{
    out[0] = '\0';
    for (const char *at = pattern; *at != '\0'; at += 1 + strcspn(at + 1, "/")) {
        bool has_braces = is_argument(at + 1);

        put_text(out, has_braces ? "/{" : "/");
        put_part(out, at + 1, strcspn(at + 1, "/"));
        put_text(out, has_braces ? "}" : "");
    }
}

/* The same as "_processes_name_stop". */
static void write_word(char out[PATH_MAX_BYTES], const char *pattern)
{
    out[0] = '\0';
    for (const char *at = pattern; *at != '\0'; at += 1 + strcspn(at + 1, "/")) {
        const char *part = at + 1 + (at[1] == '_');

        put_text(out, "_");
        put_part(out, part, strcspn(part, "./"));
    }
}

static void add_arguments(struct colony__json *json, const struct colony__route *route)
{
    static const struct colony__openapi_part any = {"any", JSON({"type" : "string"})};
    const char *pattern = route->pattern;

    colony__json_open(json, "parameters", '[');
    for (const char *at = pattern; *at != '\0'; at += 1 + strcspn(at + 1, "/")) {
        size_t length = strcspn(at + 1, "/");
        const struct colony__openapi_part *part =
            is_added(route) ? &any
                            : colony__openapi_find(colony__openapi_arguments, at + 1, length);
        char name[PATH_MAX_BYTES] = "";

        if (!is_argument(at + 1) || !part)
            continue;
        put_part(name, at + 1, length);
        colony__json_open(json, NULL, '{');
        colony__json_add_text(json, "in", "path");
        colony__json_add_text(json, "name", name);
        colony__json_add_bool(json, "required", true);
        add_text_raw(json, "schema", part->json);
        colony__json_close(json, '}');
    }
    colony__json_close(json, ']');
}

/* --- operations ------------------------------------------------------------------------------- */

/* {"$ref": "#/components/KIND/NAME"} */
static void add_reference(struct colony__json *json, const char *key, const char *kind,
                          const char *name, size_t length)
{
    char target[PATH_MAX_BYTES];

    (void)snprintf(target, sizeof target, "#/components/%s/%.*s", kind, (int)length, name);
    colony__json_open(json, key, '{');
    colony__json_add_text(json, "$ref", target);
    colony__json_close(json, '}');
}

static void add_query(struct colony__json *json, const char *query)
{
    if (*query == '\0')
        return;
    colony__json_open(json, "parameters", '[');
    while (*query != '\0') {
        size_t length = strcspn(query, " ");

        add_reference(json, NULL, "parameters", query, length);
        query += length + (query[length] == ' ');
    }
    colony__json_close(json, ']');
}

static void add_content(struct colony__json *json, const struct colony__openapi_part *list,
                        const char *name)
{
    const struct colony__openapi_part *part = colony__openapi_find(list, name, strlen(name));

    add_text_raw(json, "content", part ? part->json : "{}");
}

static void add_answer(struct colony__json *json, const char *answer)
{
    bool is_upgrade = strcmp(answer, "websocket") == 0;

    colony__json_open(json, is_upgrade ? "101" : "200", '{');
    colony__json_add_text(json, "description",
                          is_upgrade ? "From here on it is a WebSocket." : "It is so, or done.");
    if (!is_upgrade)
        add_content(json, colony__openapi_answers, answer);
    colony__json_close(json, '}');
}

static void add_answers(struct colony__json *json, const struct colony__operation *operation)
{
    const char *status = operation->errors;

    colony__json_open(json, "responses", '{');
    add_answer(json, operation->answer);
    while (*status != '\0') {
        char key[4] = "";

        memcpy(key, status, 3);
        add_reference(json, key, "responses", "Error", 5);
        status += 3 + (status[3] == ' ');
    }
    add_reference(json, "default", "responses", "Error", 5);
    colony__json_close(json, '}');
}

/* Whoever is known needs no token; the others one with this scope. */
static void add_security(struct colony__json *json, const struct colony__route *route)
{
    bool controls = (route->access & ACCESS_CONTROL) != 0;

    add_text_raw(json, "security",
                 controls ? JSON([ {}, {"token" : ["control"]} ])
                          : JSON([ {}, {"token" : ["read"]} ]));
}

/* What colony knows of its own, and nobody of what was added. */
static void add_details(struct colony__json *json, const struct colony__route *route,
                        const char *method, const struct colony__operation *operation)
{
    char id[PATH_MAX_BYTES + 8];
    char word[PATH_MAX_BYTES];

    write_word(word, route->pattern);
    (void)snprintf(id, sizeof id, "%s%s", method, strcmp(word, "_") == 0 ? "_welcome" : word);
    colony__json_add_text(json, "operationId", id);
    add_query(json, operation->query);
    if (operation->body) {
        colony__json_open(json, "requestBody", '{');
        colony__json_add_bool(json, "required", true);
        add_content(json, colony__openapi_bodies, operation->body);
        colony__json_close(json, '}');
    }
    add_answers(json, operation);
}

static void add_any_details(struct colony__json *json, const struct colony__route *route)
{
    static const char any_body[] = JSON({"content" : {"*/*" : {}}});
    static const char any_answer[] =
        JSON({"default" : {"description" : "What the program answers.", "content" : {"*/*" : {}}}});

    if (route->methods & (METHOD_POST | METHOD_PUT))
        add_text_raw(json, "requestBody", any_body);
    add_text_raw(json, "responses", any_answer);
}

static void add_operation(struct colony__json *json, const struct colony__route *route,
                          const char *method)
{
    const struct colony__operation *operation =
        colony__operation_find(route->methods, route->pattern);

    colony__json_open(json, method, '{');
    colony__json_add_text(json, "summary", route->help);
    colony__json_open(json, "tags", '[');
    colony__json_add_text(json, NULL, operation ? operation->tag : "added");
    colony__json_close(json, ']');
    if (operation)
        add_details(json, route, method, operation);
    else
        add_any_details(json, route);
    add_security(json, route);
    colony__json_close(json, '}');
}

static void add_operations(struct colony__json *json, const struct colony__route *route)
{
    static const struct {
        enum colony__method method;
        const char *name;
    } methods[] = {
        {METHOD_GET, "get"}, {METHOD_POST, "post"}, {METHOD_PUT, "put"}, {METHOD_DELETE, "delete"}};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (route->methods & methods[i].method)
            add_operation(json, route, methods[i].name);
}

/* Rows of the same paths are one path, with the names of the first for its arguments. */
static void add_paths(struct colony__json *json, const struct colony__routes *routes)
{
    colony__json_open(json, "paths", '{');
    for (size_t i = 0; i < routes->count; i++) {
        const char *pattern = routes->rows[i].pattern;
        char path[PATH_MAX_BYTES];
        size_t first = 0;

        while (!has_same_paths(routes->rows[first].pattern, pattern))
            first++;
        if (first < i)
            continue;
        write_path(path, pattern);
        colony__json_open(json, path, '{');
        add_arguments(json, &routes->rows[i]);
        for (size_t k = i; k < routes->count; k++)
            if (has_same_paths(pattern, routes->rows[k].pattern))
                add_operations(json, &routes->rows[k]);
        colony__json_close(json, '}');
    }
    colony__json_close(json, '}');
}

/* --- the document ----------------------------------------------------------------------------- */

static void add_parts(struct colony__json *json, const char *key,
                      const struct colony__openapi_part *part)
{
    colony__json_open(json, key, '{');
    for (; part->name; part++)
        add_text_raw(json, part->name, part->json);
    colony__json_close(json, '}');
}

void colony__openapi_write(struct colony__json *json, const struct colony__routes *routes)
{
    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "openapi", "3.1.0");
    colony__json_open(json, "info", '{');
    colony__json_add_text(json, "title", "colony");
    colony__json_add_text(json, "version", COLONY_VERSION);
    colony__json_add_text(json, "description", info);
    add_text_raw(json, "license", JSON({"name" : "Apache-2.0", "identifier" : "Apache-2.0"}));
    colony__json_close(json, '}');
    add_text_raw(json, "servers", JSON([ {"url" : "/"} ]));
    add_paths(json, routes);
    colony__json_open(json, "webhooks", '{');
    add_text_raw(json, "event", event_webhook);
    colony__json_close(json, '}');
    colony__json_open(json, "components", '{');
    add_parts(json, "schemas", colony__openapi_schemas);
    add_parts(json, "parameters", colony__openapi_parameters);
    colony__json_open(json, "responses", '{');
    add_text_raw(json, "Error", error_answer);
    colony__json_close(json, '}');
    add_text_raw(json, "securitySchemes", security_schemes);
    colony__json_close(json, '}');
    colony__json_close(json, '}');
}

/* Colony's rows and then those of @extras, for free(). NULL: no memory. */
static struct colony__route *join(const struct colony_extras *extras, size_t *count)
{
    size_t own = colony__control_routes.count;
    size_t added = colony__extras_count(extras);
    struct colony__route *rows = calloc(own + added, sizeof *rows);

    if (!rows)
        return NULL;
    memcpy(rows, colony__control_routes.rows, own * sizeof *rows);
    for (size_t i = 0; i < added; i++)
        rows[own + i] = *colony__extras_row(extras, i);
    *count = own + added;
    return rows;
}

int colony__get_openapi(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony__json json = {0};
    struct colony__routes routes = {0};
    struct colony__route *rows = join(connection->server->extras, &routes.count);

    (void)request, (void)err;
    if (!rows)
        return colony__respond_no_memory(connection);
    routes.rows = rows;
    colony__openapi_write(&json, &routes);
    free(rows);
    return colony__respond_json(connection, 200, &json);
}
