/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_serve.c - `colony rpc serve`: a colony of one process, which is served over ZeroMQ.
 *
 * It is `colony serve` with settings that are made here, on a state folder of the daemon's own.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "commands.h"
#include "core/error.h"
#include "core/paths.h"
#include "core/settings.h"
#include "core/template.h"
#include "rpc/program.h"
#include "rpc_internal.h"
#include "serve_internal.h"

enum {
    PORT_MAX = 65535,
};

/* What stands in template settings for a program and its arguments. */
struct command {
    const char *own; /* path of colony itself */
    int argc;
    char **argv; /* of the program, from 0 */
};

/* --- what is asked for ------------------------------------------------------------------------ */

static int check_name(const char *name)
{
    struct colony_error err;

    if (colony_name_check(name, &err) < 0)
        return rpc_fail(EXIT_USAGE, "%s", err.message);
    if (strchr(name, ':'))
        return rpc_fail(EXIT_USAGE, "cannot use the name `%s`: it has a `:`, as NAME:HOST has",
                        name);
    return EXIT_OK;
}

/* --name, or what the program is called. */
static const char *choose_name(const struct rpc *rpc, const char *program)
{
    const char *slash = strrchr(program, '/');

    if (rpc->name)
        return rpc->name;
    return slash ? slash + 1 : program;
}

/* As execvp(3) will look for it: a slip is told here rather than by a program that never runs. */
static bool can_run(const char *program)
{
    const char *path = getenv("PATH");
    char file[PATH_MAX];

    if (strchr(program, '/'))
        return access(program, X_OK) == 0;
    for (; path && *path != '\0'; path += *path == ':') {
        size_t length = strcspn(path, ":");

        (void)snprintf(file, sizeof file, "%.*s/%s", (int)length, path, program);
        if (access(file, X_OK) == 0)
            return true;
        path += length;
    }
    return !path;
}

/* "HOST:PORT" of --bind and --port; NULL: neither is given. */
static int place_bind(const struct rpc *rpc, char *out, size_t size)
{
    const char *host = rpc->bind ? rpc->bind : rpc->keys ? "0.0.0.0" : "127.0.0.1";

    if (rpc->port != UINT64_MAX && (rpc->port == 0 || rpc->port > PORT_MAX))
        return rpc_fail(EXIT_USAGE, "--port: a port is a number from 1 to 65535");
    if (rpc->port == UINT64_MAX)
        (void)snprintf(out, size, "%s", host);
    else
        (void)snprintf(out, size, "%s:%u", host, (unsigned)rpc->port);
    return EXIT_OK;
}

/* --- the state folder ------------------------------------------------------------------------- */

/* A folder of the daemon's own below the user's state. */
static int place_state(const struct rpc *rpc, const char *name, char *path, size_t size)
{
    char base[PATH_MAX - 300];

    if (rpc->state) {
        (void)snprintf(path, size, "%s", rpc->state);
        return EXIT_OK;
    }
    if (colony_default_state_dir(base, sizeof base) < 0)
        return rpc_fail(EXIT_FAILED, "cannot find a state folder: you have no home, give one with "
                                     "--state DIR");
    (void)snprintf(path, size, "%s/rpc/%s", base, name);
    colony_make_folders_above(path, 0711);
    return EXIT_OK;
}

/* --- the settings ----------------------------------------------------------------------------- */

/* In `args` a $ begins the name of a variable. */
static cJSON *quote(const char *text)
{
    char *quoted = malloc(2 * strlen(text) + 1);
    char *at = quoted;
    cJSON *json;

    if (!quoted)
        return NULL;
    for (; *text != '\0'; text++) {
        if (*text == '$')
            *at++ = '$';
        *at++ = *text;
    }
    *at = '\0';
    json = cJSON_CreateString(quoted);
    free(quoted);
    return json;
}

static cJSON *make_template(const struct command *command, bool forwards)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *args = cJSON_AddArrayToObject(json, "args");
    cJSON *log = cJSON_AddObjectToObject(json, "log");

    (void)cJSON_AddStringToObject(json, "cmd", command->own);
    (void)cJSON_AddItemToArray(args, cJSON_CreateString("rpc-program"));
    for (int i = 0; i < command->argc; i++)
        (void)cJSON_AddItemToArray(args, quote(command->argv[i]));
    (void)cJSON_AddStringToObject(json, "custom_streams", COLONY_RPC_STREAM);
    (void)cJSON_AddStringToObject(json, "stop_signal", COLONY_RPC_STOP_SIGNAL);
    (void)cJSON_AddBoolToObject(log, "forward", forwards);
    if (cJSON_GetArraySize(args) == command->argc + 1 && cJSON_GetArraySize(json) == 5)
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* `--pst K=V`, in the words of `rpc: {pst: …}`. */
static int add_pst(const struct rpc *rpc, cJSON *json)
{
    cJSON *pst = cJSON_AddObjectToObject(json, "pst");

    for (size_t i = 0; i < rpc->pst.count; i++) {
        const char *text = rpc->pst.items[i];
        size_t length = strcspn(text, "=");
        char key[64];

        if (text[length] == '\0' || length >= sizeof key)
            return rpc_fail(EXIT_USAGE, "--pst: not K=V, such as file_path=FILE: %s", text);
        (void)snprintf(key, sizeof key, "%.*s", (int)length, text);
        (void)cJSON_AddStringToObject(pst, key, text + length + 1);
    }
    return EXIT_OK;
}

static int add_rpc(const struct rpc *rpc, const char *name, cJSON *sections)
{
    cJSON *json = cJSON_AddObjectToObject(sections, "rpc");
    char bind[COLONY_RPC_PLACE_MAX];
    int exit_code = place_bind(rpc, bind, sizeof bind);

    (void)cJSON_AddStringToObject(json, "bind", bind);
    (void)cJSON_AddStringToObject(json, "name", name);
    (void)cJSON_AddStringToObject(json, "program", name);
    if (rpc->keys)
        (void)cJSON_AddStringToObject(json, "keys", rpc->keys);
    if (rpc->allow)
        (void)cJSON_AddStringToObject(json, "allow", rpc->allow);
    (void)cJSON_AddBoolToObject(json, "insecure", rpc->is_insecure);
    return exit_code == EXIT_OK ? add_pst(rpc, json) : exit_code;
}

/* The caller frees *text. */
static int make_settings(const struct rpc *rpc, const char *name, const struct command *command,
                         char **text)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *sections = cJSON_AddObjectToObject(json, "colony");
    cJSON *processes = cJSON_AddObjectToObject(sections, "processes");
    int exit_code = add_rpc(rpc, name, sections);

    (void)cJSON_AddStringToObject(sections, "name", name);
    (void)cJSON_AddItemToObject(processes, name, make_template(command, !rpc->goes_to_background));
    if (exit_code == EXIT_OK) {
        *text = cJSON_PrintUnformatted(json);
        if (!*text || cJSON_GetArraySize(processes) != 1)
            exit_code = rpc_fail(EXIT_FAILED, "cannot serve %s: out of memory", name);
    }
    cJSON_Delete(json);
    return exit_code;
}

/* The --pst that @message is about: it quotes the key. NULL: none. */
static const char *find_pst(const struct rpc *rpc, const char *message)
{
    for (size_t i = 0; i < rpc->pst.count; i++) {
        char quoted[66];

        (void)snprintf(quoted, sizeof quoted, "`%.*s`", (int)strcspn(rpc->pst.items[i], "="),
                       rpc->pst.items[i]);
        if (strstr(message, quoted))
            return rpc->pst.items[i];
    }
    return NULL;
}

static int fail_settings(const struct rpc *rpc, const char *message)
{
    const char *pst = find_pst(rpc, message);

    return pst ? rpc_fail(EXIT_USAGE, "--pst %s: %s", pst, message)
               : rpc_fail(EXIT_USAGE, "%s", message);
}

static int load_settings(struct serve *serve, const struct rpc *rpc, const char *name,
                         const struct command *command)
{
    struct colony_error err = {0};
    char *text = NULL;
    int exit_code = make_settings(rpc, name, command, &text);

    if (exit_code == EXIT_OK &&
        colony_settings_parse_json(&serve->settings, text, strlen(text), &err) < 0)
        exit_code = fail_settings(rpc, err.message);
    cJSON_free(text);
    return exit_code;
}

int rpc_serve(struct rpc *rpc, int argc, char **argv)
{
    static struct serve serve; /* too large for the stack */
    static char state[PATH_MAX];
    char own[PATH_MAX] = "";
    const struct command command = {own, argc - 1, argv + 1};
    const char *name = choose_name(rpc, argv[1]);
    int exit_code = check_name(name);

    if (exit_code == EXIT_OK && !can_run(argv[1]))
        exit_code = rpc_fail(EXIT_FAILED, "cannot run %s: %s", argv[1], strerror(ENOENT));
    if (exit_code == EXIT_OK && readlink("/proc/self/exe", own, sizeof own - 1) < 0)
        exit_code = rpc_fail(EXIT_FAILED, "cannot find our own program (is /proc mounted?)");
    if (exit_code == EXIT_OK)
        exit_code = place_state(rpc, name, state, sizeof state);
    if (exit_code == EXIT_OK)
        exit_code = load_settings(&serve, rpc, name, &command);
    if (exit_code != EXIT_OK)
        return exit_code;
    serve_init(&serve);
    serve.state = state;
    serve.daemon = rpc->goes_to_background;
    serve.pidfile = rpc->pidfile;
    serve.log_file = rpc->log_file;
    (void)snprintf(serve.keeper.title, sizeof serve.keeper.title, "%s", name);
    return serve_run(&serve, &colony_rpc_usage);
}
