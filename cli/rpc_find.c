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
#include "rpc/find.h"
#include "rpc/registry.h"
#include "rpc/ssh.h"
#include "rpc_internal.h"

/* A daemon that is not there has been told of by the other end. */
static int tell_ssh(const struct rpc *rpc, const struct colony_error *err)
{
    if (err->code == -ENOENT)
        return EXIT_NO_SUCH_NAME;
    if (err->code == -ETIMEDOUT)
        return rpc_fail(EXIT_TIMED_OUT, "%s: no answer in %g seconds", err->message,
                        (double)rpc->timeout_ms / 1000);
    return rpc_fail(EXIT_UNREACHABLE, "%s", err->message);
}

static int find_there(struct rpc *rpc, const struct colony_rpc_place *place)
{
    const struct colony_rpc_ssh ask = {
        .host = place->host,
        .name = place->name,
        .options = rpc->ssh_options.items,
        .option_count = rpc->ssh_options.count,
        .deadline_ms = rpc->deadline_ms,
    };
    struct colony_error err = {0};
    char *text = NULL;
    int rc = colony_rpc_ssh_lookup(&ask, &text, &err);

    if (rc < 0)
        return tell_ssh(rpc, &err);
    rc = colony_rpc_find_told(&rpc->daemon, text, place->host, &err);
    free(text);
    return rc < 0 ? rpc_fail(EXIT_UNREACHABLE, "%s", err.message) : EXIT_OK;
}

int rpc_find(struct rpc *rpc, const char *text)
{
    struct colony_rpc_place place;
    struct colony_error err = {0};
    int rc;

    if (rpc->daemon.endpoint[0] != '\0')
        return EXIT_OK;
    if (colony_rpc_place_parse(&place, text, &err) < 0)
        return rpc_fail(EXIT_USAGE, "%s", err.message);
    rc = colony_rpc_find(&rpc->daemon, &place, &err);
    if (rc == -EREMOTE)
        return find_there(rpc, &place);
    if (rc < 0)
        return rpc_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
    if (rpc->daemon.pid || !rpc->server_key)
        return EXIT_OK; /* it is known by its entry, or wants no key */
    if (!colony_rpc_is_key(rpc->server_key))
        return rpc_fail(EXIT_USAGE,
                        "--server-key: a key is 40 characters of Z85, as keygen prints "
                        "it: %.50s",
                        rpc->server_key);
    (void)snprintf(rpc->daemon.public_key, sizeof rpc->daemon.public_key, "%s", rpc->server_key);
    return EXIT_OK;
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
    else if (colony_rpc_default_key(path, sizeof path) == 0)
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
