/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_internal.h - which function answers which request.
 *
 * Lookup, 404, 405 with Allow, and help all come from one table of rows. Upper-case parts of a
 * pattern (/processes/NAME) stand for any one part of the path, and PATH at its end for all that
 * are left.
 */
#ifndef COLONY_API_ROUTE_INTERNAL_H
#define COLONY_API_ROUTE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "api/access_internal.h"
#include "api/request_internal.h"

struct colony__connection;
struct colony__json;
struct colony_error;

/*
 * Answers with the functions of response_internal.h, now or later; or returns a negative errno
 * and the reason, which is then the answer.
 */
typedef int (*colony__handler_cb)(struct colony__connection *connection,
                                  const struct colony__request *request, struct colony_error *err);

struct colony__route {
    unsigned methods; /* enum colony__method; GET includes HEAD */
    unsigned access;  /* enum colony__rights that the peer must have */
    const char *pattern;
    colony__handler_cb handler;
    const char *help;
};

/* Writes the body of an answer that says why there is no other. */
typedef void (*colony__failure_cb)(struct colony__connection *connection, struct colony__json *json,
                                   const char *word, const char *reason);

struct colony__routes {
    const struct colony__route *rows;
    size_t count;
    colony__failure_cb put_failure; /* NULL: {"error": word, "reason": reason} */
    const char *exhausted;          /* that body where memory or descriptors are out; NULL: in the
                                       same form */
    bool needs_length;              /* a POST without Content-Length is refused */
    bool has_public;                /* what a row's access asks of nobody takes no token */
};

/* All of the control endpoint. */
extern const struct colony__routes colony__control_routes;

/*
 * The row of @request, whose args it fills, or NULL. *allowed: the methods of all rows that match
 * the path; METHOD_NONE when there is none.
 */
const struct colony__route *colony__route_find(const struct colony__routes *routes,
                                               struct colony__request *request, unsigned *allowed);

/* "GET, HEAD, OPTIONS"; OPTIONS always is among them. */
void colony__route_format_methods(unsigned methods, char *text, size_t size);

#endif
