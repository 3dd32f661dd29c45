/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route_internal.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* An argument that stands for all that is left of the path. */
static const char rest[] = "PATH";

static bool are_all_named(const struct colony__request *request, size_t first)
{
    for (size_t i = first; i < request->segment_count; i++)
        if (request->segments[i][0] == '\0')
            return false;
    return true;
}

static bool is_same(const char *part, size_t length, const char *segment)
{
    return strlen(segment) == length && memcmp(part, segment, length) == 0;
}

/* Does @pattern ("/processes/NAME/_stop") fit the path? Fills @args with what its names stand for.
 */
static bool is_match(const char *pattern, const struct colony__request *request,
                     const char *args[COLONY__ARGS_MAX])
{
    size_t arg_count = 0;
    size_t i = 0;

    for (const char *part = pattern + 1; *part != '\0'; i++) {
        const char *segment = i < request->segment_count ? request->segments[i] : NULL;
        bool is_argument = *part >= 'A' && *part <= 'Z' && arg_count < COLONY__ARGS_MAX;
        size_t length = strcspn(part, "/");

        if (!segment || *segment == '\0' || (!is_argument && !is_same(part, length, segment)))
            return false;
        if (is_argument)
            args[arg_count++] = segment;
        if (strcmp(part, rest) == 0)
            return are_all_named(request, i);
        part += length + (part[length] == '/');
    }
    return i == request->segment_count;
}

const struct colony__route *colony__route_find(const struct colony__routes *routes,
                                               struct colony__request *request, unsigned *allowed)
{
    const struct colony__route *found = NULL;
    const char *args[COLONY__ARGS_MAX] = {NULL};

    *allowed = METHOD_NONE;
    for (size_t i = 0; i < routes->count; i++) {
        const struct colony__route *route = &routes->rows[i];
        unsigned methods = route->methods | (route->methods & METHOD_GET ? METHOD_HEAD : 0U);

        if (!is_match(route->pattern, request, args))
            continue;
        *allowed |= methods;
        if (!found && (methods & request->method)) {
            found = route;
            memcpy(request->args, args, sizeof args);
        }
    }
    return found;
}

void colony__route_format_methods(unsigned methods, char *text, size_t size)
{
    static const struct {
        enum colony__method method;
        const char *name;
    } names[] = {
        {METHOD_GET, "GET, "}, {METHOD_HEAD, "HEAD, "},     {METHOD_POST, "POST, "},
        {METHOD_PUT, "PUT, "}, {METHOD_DELETE, "DELETE, "}, {METHOD_OPTIONS, "OPTIONS"},
    };
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strlen(names[i].name);

        if (!((methods | METHOD_OPTIONS) & names[i].method) || used + length >= size)
            continue;
        memcpy(text + used, names[i].name, length + 1);
        used += length;
    }
}
