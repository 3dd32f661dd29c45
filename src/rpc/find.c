/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"
#include "rpc/registry.h"

/* "tcp://127.0.0.1:51000" → "127.0.0.1" */
static void host_of(const char *endpoint, char *host, size_t size)
{
    const char *text = strstr(endpoint, "://");
    const char *end;

    text = text ? text + 3 : endpoint;
    end = strrchr(text, ':');
    (void)snprintf(host, size, "%.*s", end ? (int)(end - text) : (int)strlen(text), text);
}

/* Where one that listens everywhere is reached from here. */
static void localize(const char *endpoint, int port, char *out, size_t size)
{
    char host[COLONY_RPC_PLACE_MAX];

    host_of(endpoint, host, sizeof host);
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
        (void)snprintf(out, size, "tcp://127.0.0.1:%d", port);
    else if (strcmp(host, "[::]") == 0)
        (void)snprintf(out, size, "tcp://[::1]:%d", port);
    else
        (void)snprintf(out, size, "%s", endpoint);
}

static int take_direct(struct colony_rpc_found *out, const char *host, unsigned port,
                       struct colony_error *err)
{
    if (colony_rpc_place_format(out->endpoint, sizeof out->endpoint, host, port) == 0)
        return 0;
    return colony_fail(err, -EINVAL, "cannot use the host %.60s…: it is too long", host);
}

/* NAME:PORT when there is such a daemon here; else X:PORT is that port of the host X. */
static int find_here(struct colony_rpc_found *out, const struct colony_rpc_place *place,
                     struct colony_error *err)
{
    struct colony_rpc_entry entry;
    struct colony_error reason = {0};
    int rc = colony_rpc_registry_find(&entry, place->name, (int)place->port, &reason);

    if (rc == -ENOENT && place->port)
        return take_direct(out, place->name, place->port, err);
    if (rc < 0)
        return colony_fail(err, rc, "%s", reason.message);
    localize(entry.endpoint, entry.port, out->endpoint, sizeof out->endpoint);
    (void)snprintf(out->public_key, sizeof out->public_key, "%s", entry.public_key);
    out->message_bytes_max = entry.message_bytes_max;
    out->port = entry.port;
    out->pid = entry.pid;
    out->pid_start = entry.pid_start;
    out->keeper = entry.keeper;
    return 0;
}

int colony_rpc_find(struct colony_rpc_found *out, const struct colony_rpc_place *place,
                    struct colony_error *err)
{
    *out = (struct colony_rpc_found){0};
    if (place->host[0] == '\0')
        return find_here(out, place, err);
    if (place->port)
        return take_direct(out, place->host, place->port, err);
    return colony_fail(err, -EREMOTE, "cannot find %s here: %s knows where it is", place->name,
                       place->host);
}

/* --- another host ----------------------------------------------------------------------------- */

static const char *text_of(const struct colony_value *map, const char *key)
{
    const struct colony_value *value = colony_value_get(map, key);

    return value && value->type == VALUE_STRING ? value->text : "";
}

static uint64_t bytes_of(const struct colony_value *map, const char *key)
{
    const struct colony_value *value = colony_value_get(map, key);
    bool is_count =
        value && value->type == VALUE_NUMBER && value->number >= 1 && value->number <= UINT32_MAX;

    return is_count ? (uint64_t)value->number : 0;
}

static int read_entry(struct colony_rpc_found *out, const struct colony_value *entry,
                      const char *host)
{
    const struct colony_value *port =
        entry->type == VALUE_MAP ? colony_value_get(entry, "port") : NULL;
    char own[COLONY_RPC_PLACE_MAX];

    if (!port || port->type != VALUE_NUMBER || !(port->number >= 1 && port->number <= 65535) ||
        strlen(text_of(entry, "public_key")) >= sizeof out->public_key ||
        colony_rpc_place_format(out->endpoint, sizeof out->endpoint, host, (unsigned)port->number) <
            0)
        return -EBADMSG;
    host_of(text_of(entry, "endpoint"), own, sizeof own);
    out->is_private = strncmp(own, "127.", 4) == 0 || strcmp(own, "[::1]") == 0;
    (void)snprintf(out->public_key, sizeof out->public_key, "%s", text_of(entry, "public_key"));
    out->message_bytes_max = bytes_of(entry, "max_message_bytes");
    return 0;
}

int colony_rpc_find_told(struct colony_rpc_found *out, const char *text, const char *host,
                         struct colony_error *err)
{
    struct colony_value *entry = NULL;
    int rc = colony_value_parse_json(&entry, text, strlen(text), NULL);

    *out = (struct colony_rpc_found){0};
    if (rc == 0)
        rc = read_entry(out, entry, host);
    colony_value_free(entry);
    if (rc == 0)
        return 0;
    return colony_fail(err, rc,
                       "cannot use what the colony on %s says: it is no entry of a registry", host);
}
