/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - routes of the program's on the engine's HTTP server; api/extras has the work. */
#include "api/extras.h"
#include "lib/life_internal.h"

/* NOLINTNEXTLINE(readability-function-size): one parameter more than elsewhere, as colony.h says */
int colony_http_add_route(struct colony *colony, const char *method, const char *pattern,
                          void (*fn)(struct colony_http_request *request, void *data), void *data,
                          struct colony_error *err)
{
    return colony_extras_add(colony->extras, method, pattern, fn, data, err);
}

int colony_http_remove_route(struct colony *colony, const char *method, const char *pattern,
                             struct colony_error *err)
{
    return colony_extras_remove(colony->extras, method, pattern, err);
}

const char *colony_http_request_method(const struct colony_http_request *request)
{
    return colony_extra_method(request);
}

const char *colony_http_request_argument(const struct colony_http_request *request, size_t number)
{
    return colony_extra_argument(request, number);
}

const char *colony_http_request_query(const struct colony_http_request *request, const char *name)
{
    return colony_extra_query(request, name);
}

const char *colony_http_request_header(const struct colony_http_request *request, const char *name)
{
    return colony_extra_header(request, name);
}

const char *colony_http_request_body(const struct colony_http_request *request, size_t *size)
{
    return colony_extra_body(request, size);
}

void colony_http_request_answer(struct colony_http_request *request, int status, const char *type,
                                const void *body, size_t size)
{
    colony_extra_answer(request, status, type, body, size);
}
