/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_internal.h - one HTTP request as the handlers see it.
 *
 * A plain value in its connection; all texts are borrowed from it and end with the request.
 */
#ifndef COLONY_API_REQUEST_INTERNAL_H
#define COLONY_API_REQUEST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

struct colony__route;
struct colony_error;

enum {
    COLONY__SEGMENTS_MAX = 16,
    COLONY__QUERY_MAX = 32,
    COLONY__ARGS_MAX = 4,
};

enum colony__method {
    METHOD_NONE = 0,
    METHOD_GET = 1 << 0,
    METHOD_HEAD = 1 << 1,
    METHOD_POST = 1 << 2,
    METHOD_PUT = 1 << 3,
    METHOD_DELETE = 1 << 4,
    METHOD_OPTIONS = 1 << 5,
    METHOD_OTHER = 1 << 6, /* one that no route takes */
};

struct colony__query {
    const char *name;
    const char *value;
};

struct colony__request {
    enum colony__method method;
    bool is_http10;
    const char *authority; /* of a target such as http://HOST:PORT/path, else NULL */
    size_t segment_count;
    const char *segments[COLONY__SEGMENTS_MAX]; /* of the path, decoded */
    bool has_slash;                             /* at the end of the path */
    size_t query_count;
    struct colony__query query[COLONY__QUERY_MAX]; /* decoded */
    const char *headers;                           /* name NUL value NUL … */
    size_t headers_size;
    const char *body;
    size_t body_size;
    const char *args[COLONY__ARGS_MAX]; /* what stands for the upper-case parts of the route */
    const struct colony__route *route;  /* during its handler's call, where that is one of many */
};

/*
 * Splits and decodes the target in place: path, query and, in the absolute form, authority.
 * -EINVAL for what is not a path or has bad escapes, NUL, control bytes or invalid UTF-8, and for
 * too many parameters; -ENOENT for more segments than any route has.
 */
int colony__request_parse_target(struct colony__request *request, char *target,
                                 struct colony_error *err);

/* The value of the first header @name, or NULL; *count (may be NULL): how many there are. */
const char *colony__request_header(const struct colony__request *request, const char *name,
                                   size_t *count);

/* The value of the first parameter @name ("" when it has none), or NULL. */
const char *colony__request_query(const struct colony__request *request, const char *name);

/* *flag from "true", "1", "", "false" or "0"; false when it is absent. -EINVAL. */
int colony__request_query_bool(const struct colony__request *request, const char *name, bool *flag,
                               struct colony_error *err);

/* Digits only. -EINVAL, also above @max. */
int colony__parse_number(const char *text, unsigned long long max, unsigned long long *number);

bool colony__utf8_is_valid(const char *text);

#endif
