/* SPDX-License-Identifier: Apache-2.0 */
#include "session/uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/error.h"
#include "core/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

/* A text while it is taken apart; columns are of its whole. */
struct reading {
    const char *text;
    struct colony_error *err;
};

static unsigned column_of(const struct reading *reading, const char *at)
{
    struct colony_utf8_place place;

    colony_utf8_locate(reading->text, (size_t)(at - reading->text), &place);
    return place.column;
}

static int fail(const struct reading *reading, const char *at, const char *why)
{
    return colony_fail(reading->err, -EINVAL, "cannot use the uri: column %u: %s",
                       column_of(reading, at), why);
}

static int digit_of(char byte)
{
    const char *digit = byte == '\0' ? NULL : strchr(hex_digits, tolower((unsigned char)byte));

    return digit ? (int)(digit - hex_digits) : -1;
}

/* *out is @size bytes from @from on with each %XX replaced (RFC 3986 §2.1); `+` is itself. */
static int decode(char **out, const struct reading *reading, const char *from, size_t size)
{
    char *text = malloc(size + 1);
    const char *end = from + size;
    size_t length = 0;
    const char *fault = NULL;

    if (!text)
        return colony_fail_os(reading->err, -ENOMEM, "cannot read the uri");
    for (const char *at = from; at < end; at++) {
        int high = *at == '%' && end - at > 2 ? digit_of(at[1]) : -1;
        int low = high >= 0 ? digit_of(at[2]) : -1;

        if (*at == '%' && low < 0)
            fault = "`%` must be followed by two hexadecimal digits (`%` itself is %25)";
        else if (*at == '%' && high == 0 && low == 0)
            fault = "no argument of a program can hold a NUL (%00)";
        if (fault) {
            free(text);
            return fail(reading, at, fault);
        }
        text[length++] = (char)(*at == '%' ? high * 16 + low : *at);
        at += *at == '%' ? 2 : 0;
    }
    text[length] = '\0';
    if (colony_utf8_length(text, length) < length) {
        free(text);
        return fail(reading, from, "what follows is not UTF-8 once it is decoded");
    }
    *out = text;
    return 0;
}

static int check_text(const struct reading *reading)
{
    size_t length = strnlen(reading->text, COLONY_URI_MAX + 1);

    if (length > COLONY_URI_MAX)
        return colony_fail(reading->err, -EINVAL, "cannot use the uri: it has more than %d bytes",
                           COLONY_URI_MAX);
    length = colony_utf8_length(reading->text, length);
    if (reading->text[length] != '\0')
        return fail(reading, reading->text + length, "it is not UTF-8");
    for (const char *at = reading->text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return fail(reading, at, "a control byte must be written as % and two digits");
        if (*at == '#')
            return fail(reading, at, "a `#` must be written as %23");
    }
    return 0;
}

/* Leaves *at after the "://". */
static int read_scheme(struct colony_uri *out, const struct reading *reading, const char **at)
{
    const char *text = reading->text;
    size_t length = 0;

    while (isalnum((unsigned char)text[length]) ||
           (length > 0 && text[length] != '\0' && strchr("+-.", text[length])))
        length++;
    if (length == 0 || !isalpha((unsigned char)*text) || strncmp(text + length, "://", 3) != 0)
        return fail(reading, text + length,
                    "it must begin with a scheme and `://`, as exec:///PROGRAM does");
    out->scheme = strndup(text, length);
    if (!out->scheme)
        return colony_fail_os(reading->err, -ENOMEM, "cannot read the uri");
    for (char *letter = out->scheme; *letter != '\0'; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    *at = text + length + 3;
    return 0;
}

static int read_port(struct colony_uri *out, const struct reading *reading, const char *at,
                     size_t size)
{
    unsigned long number = 0;

    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)at[i]) || i >= 5)
            return fail(reading, at + i, "a port is a number up to 65535");
        number = number * 10 + (unsigned long)(at[i] - '0');
    }
    if (number > 65535)
        return fail(reading, at, "a port is a number up to 65535");
    return decode(&out->port, reading, at, size);
}

/* HOST, HOST:PORT, [IPv6] or [IPv6]:PORT. */
static int read_host(struct colony_uri *out, const struct reading *reading, const char *at,
                     size_t size)
{
    const char *end = at + size;
    const char *colon = memchr(at, ':', size);
    const char *user = memchr(at, '@', size);
    int rc;

    if (user)
        return fail(reading, user, "a user before the host is not understood: make it a parameter");
    if (size > 0 && *at == '[') {
        const char *bracket = memchr(at, ']', size);

        if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
            return fail(reading, at, "after `[` an address, `]`, and nothing or `:` and a port");
        colon = bracket + 1 < end ? bracket + 1 : NULL;
        rc = decode(&out->host, reading, at + 1, (size_t)(bracket - at - 1));
    } else {
        rc = decode(&out->host, reading, at, (size_t)((colon ? colon : end) - at));
    }
    if (rc < 0)
        return rc;
    return read_port(out, reading, colon ? colon + 1 : end, colon ? (size_t)(end - colon - 1) : 0);
}

static int add_parameter(struct colony_uri *out, size_t *capacity, const struct reading *reading,
                         const char *at)
{
    struct colony_uri_parameter *parameter;
    size_t size = strcspn(at, "&");
    const char *equals = memchr(at, '=', size);
    void *room;
    int rc;

    if (out->parameter_count >= COLONY_URI_PARAMETERS_MAX)
        return colony_fail(reading->err, -EINVAL,
                           "cannot use the uri: column %u: there are more "
                           "than %d parameters",
                           column_of(reading, at), COLONY_URI_PARAMETERS_MAX);
    room =
        colony_array_room(out->parameters, out->parameter_count, capacity, sizeof *out->parameters);
    if (!room)
        return colony_fail_os(reading->err, -ENOMEM, "cannot read the uri");
    out->parameters = room;
    parameter = &out->parameters[out->parameter_count];
    *parameter = (struct colony_uri_parameter){NULL, NULL};
    rc = decode(&parameter->key, reading, at, equals ? (size_t)(equals - at) : size);
    if (rc < 0)
        return rc;
    out->parameter_count++;
    return equals ? decode(&parameter->value, reading, equals + 1, (size_t)(at + size - equals - 1))
                  : 0;
}

static int read_query(struct colony_uri *out, const struct reading *reading, const char *at)
{
    size_t capacity = 0;
    int rc = 0;

    out->query = strdup(at);
    if (!out->query)
        return colony_fail_os(reading->err, -ENOMEM, "cannot read the uri");
    while (*at != '\0' && rc == 0) {
        size_t size = strcspn(at, "&");

        if (size > 0) /* `a&&b`: nothing is meant */
            rc = add_parameter(out, &capacity, reading, at);
        at += size + (at[size] == '&');
    }
    return rc;
}

int colony_uri_parse(struct colony_uri *out, const char *text, struct colony_error *err)
{
    const struct reading reading = {text, err};
    struct colony_uri uri = {0};
    const char *at = text;
    const char *path;
    const char *query;
    int rc = check_text(&reading);

    if (rc < 0)
        return rc;
    rc = read_scheme(&uri, &reading, &at);
    if (rc < 0)
        return rc;
    path = at + strcspn(at, "/?");
    query = path + strcspn(path, "?");
    rc = read_host(&uri, &reading, at, (size_t)(path - at));
    if (rc == 0)
        rc = decode(&uri.path, &reading, path, (size_t)(query - path));
    if (rc == 0)
        rc = read_query(&uri, &reading, query + (*query == '?'));
    if (rc == 0)
        *out = uri;
    else
        colony_uri_clear(&uri);
    return rc;
}

void colony_uri_clear(struct colony_uri *uri)
{
    for (size_t i = 0; i < uri->parameter_count; i++) {
        free(uri->parameters[i].key);
        free(uri->parameters[i].value);
    }
    free(uri->parameters);
    free(uri->scheme);
    free(uri->host);
    free(uri->port);
    free(uri->path);
    free(uri->query);
    *uri = (struct colony_uri){0};
}
