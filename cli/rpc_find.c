/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_find.c - where a daemon is: by the registry of this machine, or of its own; ls and lookup. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "columns.h"
#include "core/error.h"
#include "core/value.h"
#include "rpc/place.h"
#include "rpc/registry.h"
#include "rpc_internal.h"

/* --- entries of a registry -------------------------------------------------------------------- */

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
    char host[RPC_ENDPOINT_SIZE];

    host_of(endpoint, host, sizeof host);
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
        (void)snprintf(out, size, "tcp://127.0.0.1:%d", port);
    else if (strcmp(host, "[::]") == 0)
        (void)snprintf(out, size, "tcp://[::1]:%d", port);
    else
        (void)snprintf(out, size, "%s", endpoint);
}

static void take_entry(struct rpc_daemon *daemon, const struct colony_rpc_entry *entry)
{
    localize(entry->endpoint, entry->port, daemon->endpoint, sizeof daemon->endpoint);
    (void)snprintf(daemon->public_key, sizeof daemon->public_key, "%s", entry->public_key);
    daemon->message_bytes_max = entry->message_bytes_max;
    daemon->pid = entry->pid;
    daemon->keeper = entry->keeper;
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

/* What `colony rpc lookup --json` printed there. -EBADMSG: it is something else. */
static int read_entry(struct rpc_daemon *daemon, const char *text, const char *host)
{
    struct colony_value *entry = NULL;
    const struct colony_value *port;
    int rc = colony_value_parse_json(&entry, text, strlen(text), NULL);
    char own[RPC_ENDPOINT_SIZE];

    port = rc == 0 && entry->type == VALUE_MAP ? colony_value_get(entry, "port") : NULL;
    if (rc == 0 &&
        (!port || port->type != VALUE_NUMBER || !(port->number >= 1 && port->number <= 65535) ||
         strlen(text_of(entry, "public_key")) >= sizeof daemon->public_key))
        rc = -EBADMSG;
    if (rc == 0)
        rc = colony_rpc_place_format(daemon->endpoint, sizeof daemon->endpoint, host,
                                     (unsigned)port->number);
    if (rc == 0) {
        host_of(text_of(entry, "endpoint"), own, sizeof own);
        daemon->is_private = strncmp(own, "127.", 4) == 0 || strcmp(own, "[::1]") == 0;
        (void)snprintf(daemon->public_key, sizeof daemon->public_key, "%s",
                       text_of(entry, "public_key"));
        daemon->message_bytes_max = bytes_of(entry, "max_message_bytes");
    }
    colony_value_free(entry);
    return rc;
}

static int find_there(struct rpc *rpc, const struct colony_rpc_place *place)
{
    char *text = NULL;
    int exit_code = rpc_ssh_lookup(rpc, place->host, place->name, &text);
    int rc = exit_code == EXIT_OK ? read_entry(&rpc->daemon, text, place->host) : 0;

    free(text);
    if (rc < 0)
        return rpc_fail(
            EXIT_UNREACHABLE,
            "cannot find %s on %s: what its colony says of it is no entry of a registry",
            place->name, place->host);
    return exit_code;
}

/* --- finding ---------------------------------------------------------------------------------- */

static int take_direct(struct rpc *rpc, const char *host, unsigned port)
{
    struct rpc_daemon *daemon = &rpc->daemon;

    if (rpc->server_key && !colony_rpc_is_key(rpc->server_key))
        return rpc_fail(EXIT_USAGE,
                        "--server-key: a key is 40 characters of Z85, as keygen prints "
                        "it: %.50s",
                        rpc->server_key);
    if (colony_rpc_place_format(daemon->endpoint, sizeof daemon->endpoint, host, port) < 0)
        return rpc_fail(EXIT_USAGE, "cannot use the host %.60s…: it is too long", host);
    if (rpc->server_key)
        (void)snprintf(daemon->public_key, sizeof daemon->public_key, "%s", rpc->server_key);
    return EXIT_OK;
}

/* NAME:PORT when there is such a daemon here; else X:PORT is that port of the host X. */
static int find_here(struct rpc *rpc, const struct colony_rpc_place *place)
{
    struct colony_rpc_entry entry;
    struct colony_error err = {0};
    int rc = colony_rpc_registry_find(&entry, place->name, (int)place->port, &err);

    if (rc == 0) {
        take_entry(&rpc->daemon, &entry);
        return EXIT_OK;
    }
    if (rc == -ENOENT && place->port)
        return take_direct(rpc, place->name, place->port);
    return rpc_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
}

int rpc_find(struct rpc *rpc, const char *text)
{
    struct colony_rpc_place place;
    struct colony_error err = {0};

    if (rpc->daemon.endpoint[0] != '\0')
        return EXIT_OK;
    if (colony_rpc_place_parse(&place, text, &err) < 0)
        return rpc_fail(EXIT_USAGE, "%s", err.message);
    if (place.host[0] != '\0' && place.port)
        return take_direct(rpc, place.host, place.port);
    if (place.host[0] != '\0')
        return find_there(rpc, &place);
    return find_here(rpc, &place);
}

/* --- ls and lookup ---------------------------------------------------------------------------- */

static cJSON *entry_to_json(const struct colony_rpc_entry *entry)
{
    cJSON *json = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(json, "name", entry->name);
    if (entry->pid > 0)
        (void)cJSON_AddNumberToObject(json, "pid", entry->pid);
    (void)cJSON_AddStringToObject(json, "endpoint", entry->endpoint);
    (void)cJSON_AddNumberToObject(json, "port", entry->port);
    if (entry->public_key[0] != '\0')
        (void)cJSON_AddStringToObject(json, "public_key", entry->public_key);
    else
        (void)cJSON_AddNullToObject(json, "public_key");
    if (entry->message_bytes_max > 0)
        (void)cJSON_AddNumberToObject(json, "max_message_bytes", (double)entry->message_bytes_max);
    return json;
}

/* @json is freed. */
static int print_json(cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    cJSON_Delete(json);
    if (!text)
        return rpc_fail(EXIT_FAILED, "cannot print this: out of memory");
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}

static int print_table(const struct colony_rpc_entry *entries, size_t count)
{
    static const char *const headers[] = {"NAME", "PID", "ENDPOINT", "KEY"};
    struct colony_columns *columns = NULL;
    int rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        char pid[16];

        (void)snprintf(pid, sizeof pid, "%d", (int)entries[i].pid);
        rc = colony_columns_add(columns,
                                (const struct colony_cell[]){{entries[i].name, NULL},
                                                             {pid, NULL},
                                                             {entries[i].endpoint, NULL},
                                                             {entries[i].public_key, NULL}});
    }
    if (rc == 0 && count > 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    return rc == 0 ? EXIT_OK : rpc_fail(EXIT_FAILED, "cannot print this: out of memory");
}

static int print_list(const struct colony_rpc_entry *entries, size_t count)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < count; i++)
        (void)cJSON_AddItemToArray(list, entry_to_json(&entries[i]));
    return print_json(list);
}

int rpc_ls(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_entry *entries = NULL;
    struct colony_error err = {0};
    size_t count = 0;
    int rc = colony_rpc_registry_list(&entries, &count, &err);
    int exit_code;

    (void)argc, (void)argv;
    if (rc < 0)
        exit_code = rpc_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
    else
        exit_code = rpc->is_json ? print_list(entries, count) : print_table(entries, count);
    free(entries);
    return exit_code;
}

/* Where our own keys are, which programs that ask for us do not know. */
static cJSON *add_key(const struct rpc *rpc, cJSON *json)
{
    char path[PATH_MAX];

    if (rpc->key_file)
        (void)cJSON_AddStringToObject(json, "key", rpc->key_file);
    else if (rpc_default_key(path, sizeof path) == 0)
        (void)cJSON_AddStringToObject(json, "key", path);
    return json;
}

/* One that is here is told as it is registered: whoever asks from another host makes of that how it
 * is reached from there. */
int rpc_lookup(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_place place = {0};
    struct colony_rpc_entry entry = {0};
    int exit_code = rpc_find(rpc, argv[1]);
    bool has_scheme = strstr(rpc->daemon.endpoint, "://") != NULL;
    const char *colon;

    (void)argc;
    if (exit_code != EXIT_OK)
        return exit_code;
    (void)colony_rpc_place_parse(&place, argv[1], NULL);
    if (!rpc->daemon.pid ||
        colony_rpc_registry_find(&entry, place.name, (int)place.port, NULL) < 0) {
        colon = strrchr(rpc->daemon.endpoint, ':');
        (void)snprintf(entry.name, sizeof entry.name, "%s", place.name);
        (void)snprintf(entry.endpoint, sizeof entry.endpoint, "%s%.*s", has_scheme ? "" : "tcp://",
                       (int)sizeof entry.endpoint - 8, rpc->daemon.endpoint);
        (void)snprintf(entry.public_key, sizeof entry.public_key, "%s", rpc->daemon.public_key);
        entry.port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
        entry.message_bytes_max = rpc->daemon.message_bytes_max;
    }
    if (rpc->is_json)
        return print_json(add_key(rpc, entry_to_json(&entry)));
    printf("%s\n", entry.endpoint);
    return EXIT_OK;
}
