/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/place.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"

enum {
    PORT_MAX = 65535,
    PORT_DIGITS_MAX = 5,
};

static int fail(struct colony_error *err, const char *text, const char *why)
{
    return colony_fail(err, -EINVAL,
                       "cannot use `%.200s`: %s: it must be NAME, NAME:PORT, NAME:HOST[:PORT] or "
                       "HOST:PORT",
                       text, why);
}

static bool is_digits(const char *text, size_t size)
{
    return size > 0 && strspn(text, "0123456789") >= size;
}

/* 0: that is no port. */
static unsigned read_port(const char *text, size_t size)
{
    unsigned long port =
        size <= PORT_DIGITS_MAX && is_digits(text, size) ? strtoul(text, NULL, 10) : 0;

    return port <= PORT_MAX ? (unsigned)port : 0;
}

/* How much of @text is a host, or a name: up to a colon that is not in brackets. */
static size_t span_part(const char *text)
{
    size_t length = 0;
    bool is_inside = false;

    for (; text[length] != '\0' && (is_inside || text[length] != ':'); length++) {
        is_inside |= text[length] == '[';
        is_inside &= text[length] != ']';
    }
    return length;
}

static int take_host(struct colony_rpc_place *place, const char *text, size_t size)
{
    if (size == 0 || size > COLONY_RPC_HOST_MAX || text[0] == '-' ||
        (text[0] == '[') != (text[size - 1] == ']'))
        return -EINVAL;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || text[i] == '/')
            return -EINVAL;
    memcpy(place->host, text, size);
    place->host[size] = '\0';
    return 0;
}

static int take_name(struct colony_rpc_place *place, const char *text, size_t size,
                     struct colony_error *err)
{
    struct colony_error reason = {0};

    if (size > COLONY_RPC_DAEMON_NAME_MAX)
        return fail(err, text, "that name is too long");
    memcpy(place->name, text, size);
    place->name[size] = '\0';
    if (colony_name_check(place->name, &reason) < 0)
        return colony_fail(err, -EINVAL, "%s", reason.message);
    return 0;
}

/* What stands behind the first colon: PORT, HOST or HOST:PORT. */
static int take_rest(struct colony_rpc_place *place, const char *text, const char *rest,
                     struct colony_error *err)
{
    size_t length = span_part(rest);
    const char *port = rest[length] == ':' ? rest + length + 1 : NULL;

    if (!port && is_digits(rest, length))
        port = rest;
    else if (take_host(place, rest, length) < 0)
        return fail(err, text, "that is no host");
    if (!port)
        return 0;
    place->port = read_port(port, strlen(port));
    return place->port ? 0 : fail(err, text, "a port is a number from 1 to 65535");
}

/* `[V6]:PORT`: an address has no name before it, and no host behind. */
static int take_address(struct colony_rpc_place *place, const char *text, size_t size,
                        struct colony_error *err)
{
    if (text[size] == ':')
        place->port = read_port(text + size + 1, strlen(text + size + 1));
    if (!place->port || take_host(place, text, size) < 0)
        return fail(err, text, "an address takes a port from 1 to 65535");
    return 0;
}

int colony_rpc_place_parse(struct colony_rpc_place *place, const char *text,
                           struct colony_error *err)
{
    size_t length = span_part(text);
    struct colony_rpc_place read = {0};
    int rc;

    if (length == 0)
        return fail(err, text, "there is no name");
    if (text[0] == '[') {
        rc = take_address(&read, text, length, err);
    } else {
        rc = take_name(&read, text, length, err);
        if (rc == 0 && text[length] == ':')
            rc = take_rest(&read, text, text + length + 1, err);
    }
    if (rc == 0)
        *place = read;
    return rc;
}

int colony_rpc_place_format(char *text, size_t size, const char *host, unsigned port)
{
    const char *at = strrchr(host, '@');
    int used = snprintf(text, size, "%s:%u", at ? at + 1 : host, port);

    return used > 0 && (size_t)used < size ? 0 : -ENAMETOOLONG;
}
