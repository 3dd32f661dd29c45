/* SPDX-License-Identifier: Apache-2.0 */
/* serving.c - what somebody who has just started colony wants to know first. */
#include <stdio.h>
#include <string.h>

#include "api/endpoint.h"
#include "core/engine.h"
#include "core/log.h"
#include "lib/life_internal.h"

enum {
    ADDRESSES_SIZE = 400,
};

struct addresses {
    char text[ADDRESSES_SIZE]; /* " on unix:/run/colony/colony.sock, 127.0.0.1:5000" */
    size_t used;
};

/* The address in the name of a socket of the control endpoint; NULL: it is another's, who tells. */
static const char *control_address(const char *name)
{
    const size_t plain = strlen(COLONY_ENDPOINT_PREFIX);
    const size_t tls = strlen(COLONY_ENDPOINT_TLS_PREFIX);

    if (strncmp(name, COLONY_ENDPOINT_PREFIX, plain) == 0)
        return name + plain;
    if (strncmp(name, COLONY_ENDPOINT_TLS_PREFIX, tls) != 0)
        return NULL;
    return strchr(name + tls, ':') + 1; /* behind the number of its certificate */
}

static void add_address(const char *name, int fd, void *data)
{
    struct addresses *addresses = data;
    size_t room = sizeof addresses->text - addresses->used;
    const char *address = control_address(name);
    int length;

    (void)fd;
    if (!address)
        return;
    length = snprintf(addresses->text + addresses->used, room, "%s%s",
                      addresses->used > 0 ? ", " : " on ", address);
    if (length > 0 && (size_t)length < room)
        addresses->used += (size_t)length;
    else
        addresses->text[addresses->used] = '\0'; /* those that fit */
}

static void count_template(const struct colony_template *template, void *data)
{
    size_t *count = data;

    (void)template;
    (*count)++;
}

void colony__tell_serving(struct colony *colony)
{
    const char *config = colony_engine_config(colony->engine);
    struct addresses addresses = {.used = 0};
    size_t count = 0;

    colony_engine_each_socket(colony->engine, add_address, &addresses);
    colony_engine_each_template(colony->engine, count_template, &count);
    colony_log(SEVERITY_INFO, "serves %zu template%s (%s%s)%s", count, count == 1 ? "" : "s",
               config ? "settings: " : "no settings file", config ? config : "", addresses.text);
}
