/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi_internal.h - what /openapi.json tells of routes beyond their own table.
 *
 * Methods, paths, rights and texts are those of routes.c; here is a row for each of its rows, and a
 * unit test holds the two against each other.
 */
#ifndef COLONY_API_OPENAPI_INTERNAL_H
#define COLONY_API_OPENAPI_INTERNAL_H

#include <stddef.h>

struct colony__json;
struct colony__routes;

struct colony__operation {
    unsigned methods;    /* of the row of routes.c */
    const char *pattern; /* of the row of routes.c */
    const char *tag;
    const char *query;  /* names of parameters: "feed heartbeat", or "" */
    const char *body;   /* a body of colony__openapi_bodies, or NULL */
    const char *answer; /* an answer of colony__openapi_answers */
    const char *errors; /* statuses beside those that any request may get: "404 409" */
};

/* Something with a name, and JSON that says what it is. Lists end with a row without a name. */
struct colony__openapi_part {
    const char *name;
    const char *json;
};

extern const struct colony__operation colony__operations[];           /* openapi_routes.c */
extern const struct colony__openapi_part colony__openapi_arguments[]; /* of paths, by their words */
extern const struct colony__openapi_part colony__openapi_parameters[];
extern const struct colony__openapi_part colony__openapi_schemas[]; /* openapi_schemas.c */
extern const struct colony__openapi_part colony__openapi_bodies[];
extern const struct colony__openapi_part colony__openapi_answers[];

/* NULL: there is none of that name. @length bytes of @name count. */
const struct colony__openapi_part *colony__openapi_find(const struct colony__openapi_part *list,
                                                        const char *name, size_t length);
/* The row of @methods and @pattern, or NULL. */
const struct colony__operation *colony__operation_find(unsigned methods, const char *pattern);
/* The whole document. */
void colony__openapi_write(struct colony__json *json, const struct colony__routes *routes);

#endif
