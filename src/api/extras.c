/* SPDX-License-Identifier: Apache-2.0 */
#include "api/extras_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/response_internal.h"
#include "core/array.h"
#include "core/error.h"

enum {
    EXTRAS_MAX = 256,
};

/* A row of its own for each: requests under way know it only while they are given to it. */
struct extra {
    struct colony__route route; /* first */
    char *pattern;
    colony_extra_cb cb;
    void *data;
};

struct colony_extras {
    struct extra *items;
    size_t count;
    size_t capacity;
};

/* Everything a handler may look at, in one block with its texts. */
struct colony_http_request {
    struct colony__connection *connection; /* NULL: the client has gone */
    struct colony__request request;
    char texts[];
};

static const struct {
    const char *name;
    enum colony__method method;
} methods[] = {
    {"GET", METHOD_GET}, {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
    {"PUT", METHOD_PUT}, {"DELETE", METHOD_DELETE},
};

/* The routes. */

int colony_extras_new(struct colony_extras **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : -ENOMEM;
}

void colony_extras_clear(struct colony_extras *extras)
{
    while (extras->count > 0)
        free(extras->items[--extras->count].pattern);
}

void colony_extras_free(struct colony_extras *extras)
{
    if (!extras)
        return;
    colony_extras_clear(extras);
    free(extras->items);
    free(extras);
}

static enum colony__method parse_method(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0 && methods[i].method != METHOD_HEAD)
            return methods[i].method;
    return METHOD_NONE;
}

/* Its parts are as many as a path can have, and none is empty. */
static bool is_pattern(const char *pattern)
{
    size_t segments = 0;
    size_t arguments = 0;

    if (pattern[0] != '/' || strlen(pattern) > COLONY__EXTRA_PATTERN_MAX)
        return false;
    for (const char *part = pattern; *part == '/'; part += strcspn(part, "/")) {
        part++;
        segments++;
        arguments += *part >= 'A' && *part <= 'Z';
        if (*part == '/' || (*part == '\0' && segments > 1))
            return false;
        if (strcspn(part, "?# \t\r\n") < strcspn(part, "/"))
            return false;
    }
    return segments <= COLONY__SEGMENTS_MAX && arguments <= COLONY__ARGS_MAX &&
           (pattern[1] == '\0' || pattern[strlen(pattern) - 1] != '/');
}

static bool is_same(const struct colony__route *route, enum colony__method method,
                    const char *pattern)
{
    return route->methods & method && strcmp(route->pattern, pattern) == 0;
}

static struct extra *find(struct colony_extras *extras, enum colony__method method,
                          const char *pattern)
{
    for (size_t i = 0; i < extras->count; i++)
        if (is_same(&extras->items[i].route, method, pattern))
            return &extras->items[i];
    return NULL;
}

/* Its paths are answered by an earlier row already, whatever that calls its arguments. */
static int check_free(const struct colony_extras *extras, enum colony__method method,
                      const char *pattern, struct colony_error *err)
{
    struct colony__request request = {.method = method};
    char *path = strdup(pattern);
    unsigned allowed;
    int rc;

    if (!path)
        return colony_fail(err, -ENOMEM, "cannot add a route: out of memory");
    rc = colony__request_parse_target(&request, path, err);
    if (rc == 0 && (colony__route_find(&colony__control_routes, &request, &allowed) ||
                    colony__extras_find(extras, &request, &allowed)))
        rc = colony_fail(err, -EEXIST, "cannot add the route %.100s: %s answers it already",
                         pattern, request.route ? "another one of the program's" : "colony");
    free(path);
    return rc;
}

static int serve(struct colony__connection *connection, const struct colony__request *request,
                 struct colony_error *err);

static int append(struct colony_extras *extras, const struct extra *extra)
{
    struct extra *items =
        colony_array_room(extras->items, extras->count, &extras->capacity, sizeof *items);

    if (!items)
        return -ENOMEM;
    extras->items = items;
    items[extras->count] = *extra;
    items[extras->count].pattern = strdup(extra->route.pattern);
    if (!items[extras->count].pattern)
        return -ENOMEM;
    items[extras->count].route.pattern = items[extras->count].pattern;
    extras->count++;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): one parameter more than elsewhere, as colony.h says */
int colony_extras_add(struct colony_extras *extras, const char *method, const char *pattern,
                      colony_extra_cb cb, void *data, struct colony_error *err)
{
    enum colony__method kind = parse_method(method);
    const struct extra extra = {
        .route = {.methods = kind,
                  .access = kind == METHOD_GET ? ACCESS_READ : ACCESS_CONTROL,
                  .pattern = pattern,
                  .handler = serve,
                  .help = "of the program around this engine"},
        .cb = cb,
        .data = data,
    };
    int rc;

    if (kind == METHOD_NONE)
        return colony_fail(err, -EINVAL,
                           "cannot add a route for `%.20s`: it must be GET, POST, PUT or DELETE",
                           method);
    if (!is_pattern(pattern))
        return colony_fail(err, -EINVAL, "cannot add the route `%.100s`: it is no path", pattern);
    rc = check_free(extras, kind, pattern, err);
    if (rc < 0)
        return rc;
    if (extras->count == EXTRAS_MAX)
        return colony_fail(err, -ENOSPC, "cannot add the route %.100s: %d at most", pattern,
                           EXTRAS_MAX);
    return append(extras, &extra) < 0
               ? colony_fail(err, -ENOMEM, "cannot add a route: out of memory")
               : 0;
}

int colony_extras_remove(struct colony_extras *extras, const char *method, const char *pattern,
                         struct colony_error *err)
{
    struct extra *extra = find(extras, parse_method(method), pattern);

    if (!extra)
        return colony_fail(err, -ENOENT, "cannot remove the route %.20s %.100s: it is not there",
                           method, pattern);
    free(extra->pattern);
    extras->count--;
    memmove(extra, extra + 1, (size_t)(extras->items + extras->count - extra) * sizeof *extra);
    return 0;
}

const struct colony__route *colony__extras_find(const struct colony_extras *extras,
                                                struct colony__request *request, unsigned *allowed)
{
    const struct colony__route *found = NULL;

    for (size_t i = 0; extras && i < extras->count && !found; i++) {
        const struct colony__routes one = {.rows = &extras->items[i].route, .count = 1};
        unsigned methods_there;

        found = colony__route_find(&one, request, &methods_there);
        *allowed |= methods_there;
    }
    request->route = found;
    return found;
}

size_t colony__extras_count(const struct colony_extras *extras)
{
    return extras ? extras->count : 0;
}

const struct colony__route *colony__extras_row(const struct colony_extras *extras, size_t number)
{
    return &extras->items[number].route;
}

/* Requests. */

static size_t copied_size(const struct colony__request *request)
{
    size_t size = request->headers_size + request->body_size + 1;

    for (size_t i = 0; i < COLONY__ARGS_MAX; i++)
        size += request->args[i] ? strlen(request->args[i]) + 1 : 0;
    for (size_t i = 0; i < request->query_count; i++)
        size += strlen(request->query[i].name) + strlen(request->query[i].value) + 2;
    return size;
}

/* @text, if there is any, is at *room, which goes on behind it. */
static void move_bytes(const char **text, size_t size, char **room)
{
    if (!*text)
        return;
    memcpy(*room, *text, size);
    *text = *room;
    *room += size;
}

static void move_text(const char **text, char **room)
{
    move_bytes(text, *text ? strlen(*text) + 1 : 0, room);
}

static struct colony_http_request *copy(const struct colony__request *from)
{
    struct colony_http_request *to = calloc(1, sizeof *to + copied_size(from));
    char *room;

    if (!to)
        return NULL;
    room = to->texts;
    to->request.method = from->method;
    memcpy(to->request.args, from->args, sizeof from->args);
    memcpy(to->request.query, from->query, sizeof from->query);
    to->request.query_count = from->query_count;
    to->request.headers = from->headers;
    to->request.headers_size = from->headers_size;
    to->request.body = from->body ? from->body : "";
    to->request.body_size = from->body_size;
    for (size_t i = 0; i < COLONY__ARGS_MAX; i++)
        move_text(&to->request.args[i], &room);
    for (size_t i = 0; i < from->query_count; i++) {
        move_text(&to->request.query[i].name, &room);
        move_text(&to->request.query[i].value, &room);
    }
    move_bytes(&to->request.headers, from->headers_size, &room);
    move_bytes(&to->request.body, from->body_size, &room);
    return to;
}

static void on_client_gone(void *data)
{
    struct colony_http_request *request = data;

    request->connection = NULL;
}

static const struct colony__source source = {.closed = on_client_gone};

static int serve(struct colony__connection *connection, const struct colony__request *request,
                 struct colony_error *err)
{
    const struct extra *extra = (const struct extra *)request->route;
    struct colony_http_request *kept = copy(request);

    (void)err;
    if (!kept)
        return colony__respond_no_memory(connection);
    kept->connection = connection;
    colony__connection_set_source(connection, &source, kept);
    extra->cb(kept, extra->data);
    return 0;
}

const char *colony_extra_method(const struct colony_http_request *request)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == request->request.method)
            return methods[i].name;
    return NULL;
}

const char *colony_extra_argument(const struct colony_http_request *request, size_t number)
{
    return number < COLONY__ARGS_MAX ? request->request.args[number] : NULL;
}

const char *colony_extra_query(const struct colony_http_request *request, const char *name)
{
    return colony__request_query(&request->request, name);
}

const char *colony_extra_header(const struct colony_http_request *request, const char *name)
{
    return colony__request_header(&request->request, name, NULL);
}

const char *colony_extra_body(const struct colony_http_request *request, size_t *size)
{
    if (size)
        *size = request->request.body_size;
    return request->request.body;
}

/* What would end the line of the head that it stands in. */
static bool is_clean(const char *type)
{
    return type && type[strcspn(type, "\r\n")] == '\0';
}

void colony_extra_answer(struct colony_http_request *request, int status, const char *type,
                         const void *body, size_t size)
{
    struct colony__connection *connection = request->connection;

    if (connection) {
        colony__connection_set_source(connection, NULL, NULL); /* frees nothing of ours */
        if (status == 204)
            colony__respond_nothing(connection);
        else
            colony__respond_text(connection, status >= 200 && status <= 599 ? status : 500,
                                 is_clean(type) ? type : NULL, body ? body : "", size);
    }
    free(request);
}
