/* SPDX-License-Identifier: Apache-2.0 */
#include "api/request_internal.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "core/utf8.h"

bool colony__utf8_is_valid(const char *text)
{
    size_t size = strlen(text);

    return colony_utf8_length(text, size) == size;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes %XX in place (and '+' in a query), which only shortens the text. */
static int decode(char *text, bool is_query)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++, out++) {
        int high;
        int low;

        *out = *in;
        if (is_query && *in == '+')
            *out = ' ';
        if (*in != '%')
            continue;
        high = hex_digit(in[1]);
        low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || (high == 0 && low == 0))
            return -EINVAL;
        *out = (char)(unsigned char)(high << 4 | low);
        in += 2;
    }
    *out = '\0';
    if (!colony__utf8_is_valid(text))
        return -EINVAL;
    for (; *text != '\0' && !is_query; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return -EINVAL;
    return 0;
}

static int parse_query(struct colony__request *request, char *text, struct colony_error *err)
{
    char *next;

    for (; text; text = next) {
        char *value;

        next = strchr(text, '&');
        if (next)
            *next++ = '\0';
        if (*text == '\0')
            continue;
        if (request->query_count == COLONY__QUERY_MAX)
            return colony_fail(err, -EINVAL, "cannot read the query: over %d parameters",
                               COLONY__QUERY_MAX);
        value = strchr(text, '=');
        if (value)
            *value++ = '\0';
        if (decode(text, true) < 0 || (value && decode(value, true) < 0))
            return colony_fail(err, -EINVAL,
                               "cannot read the query: escapes must be %%XX and give UTF-8");
        request->query[request->query_count].name = text;
        request->query[request->query_count].value = value ? value : "";
        request->query_count++;
    }
    return 0;
}

/* "http://HOST:PORT/path" → authority and "/path"; without a path it means "/". */
static char *split_authority(struct colony__request *request, char *target)
{
    static const char scheme[] = "http://";
    size_t skipped = sizeof scheme - 1;
    size_t size;
    char *path;

    if (strncasecmp(target, scheme, skipped) != 0)
        return target;
    size = strcspn(target + skipped, "/");
    path = target + skipped + size;
    memmove(target, target + skipped, size);
    target[size] = '\0';
    if (*path == '\0')
        path = memcpy(target + size + 1, "/", sizeof "/"); /* in the room that became free */
    request->authority = target;
    return path;
}

static int parse_path(struct colony__request *request, char *path, struct colony_error *err)
{
    char *next;

    for (char *segment = path + 1; segment; segment = next) {
        next = strchr(segment, '/');
        if (next)
            *next++ = '\0';
        request->has_slash = !next && *segment == '\0'; /* "/" has one too */
        if (request->has_slash)
            break;
        if (request->segment_count == COLONY__SEGMENTS_MAX)
            return colony_fail(err, -ENOENT, "cannot find this path: there is no such resource");
        if (decode(segment, false) < 0)
            return colony_fail(err, -EINVAL,
                               "cannot read the path: escapes must be %%XX and give UTF-8 without "
                               "control bytes");
        request->segments[request->segment_count++] = segment;
    }
    return 0;
}

int colony__request_parse_target(struct colony__request *request, char *target,
                                 struct colony_error *err)
{
    char *path;
    char *query;

    request->segment_count = 0;
    request->has_slash = false;
    request->query_count = 0;
    request->authority = NULL;
    if (strcmp(target, "*") == 0 && request->method == METHOD_OPTIONS)
        return 0;
    target[strcspn(target, "#")] = '\0';
    query = strchr(target, '?');
    if (query)
        *query++ = '\0';
    path = split_authority(request, target);
    if (*path != '/')
        return colony_fail(err, -EINVAL, "cannot read the path: it must begin with /");
    if (query) {
        int rc = parse_query(request, query, err);

        if (rc < 0)
            return rc;
    }
    return parse_path(request, path, err);
}

const char *colony__request_header(const struct colony__request *request, const char *name,
                                   size_t *count)
{
    const char *end = request->headers + request->headers_size;
    const char *found = NULL;

    if (count)
        *count = 0;
    for (const char *at = request->headers; at < end;) {
        const char *value = at + strlen(at) + 1;

        if (strcasecmp(at, name) == 0) {
            if (!found)
                found = value;
            if (!count)
                return found;
            ++*count;
        }
        at = value + strlen(value) + 1;
    }
    return found;
}

const char *colony__request_query(const struct colony__request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    return NULL;
}

int colony__request_query_bool(const struct colony__request *request, const char *name, bool *flag,
                               struct colony_error *err)
{
    const char *value = colony__request_query(request, name);

    *flag = false;
    if (!value || strcasecmp(value, "false") == 0 || strcmp(value, "0") == 0)
        return 0;
    if (*value != '\0' && strcasecmp(value, "true") != 0 && strcmp(value, "1") != 0)
        return colony_fail(err, -EINVAL, "cannot use %s=%s: true or false", name, value);
    *flag = true;
    return 0;
}

int colony__parse_number(const char *text, unsigned long long max, unsigned long long *number)
{
    unsigned long long value = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned char)*text - (unsigned)'0';

        if (digit > 9 || digit > max || value > (max - digit) / 10)
            return -EINVAL;
        value = value * 10 + digit;
    }
    *number = value;
    return 0;
}
