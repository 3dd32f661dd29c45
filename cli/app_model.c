/* SPDX-License-Identifier: Apache-2.0 */
/* app_model.c - an application: its Procfile, its environment, and how many of each type. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_internal.h"
#include "core/env_file_internal.h"
#include "core/error.h"
#include "core/template.h"

#define ALL "all" /* types, in a formation */
#define DIGITS "0123456789"
#define PORT_IS "PORT="

/* FILE:LINE:COLUMN first, where an editor looks for it. */
static int fail_file(const struct colony_error *err)
{
    if (strncmp(err->message, "cannot ", strlen("cannot ")) == 0)
        return colony__app_fail(EXIT_BAD_CONFIG, "%s", err->message);
    (void)fprintf(stderr, "%s\n", err->message);
    return EXIT_BAD_CONFIG;
}

/* --- where it is ------------------------------------------------------------------------------ */

/* What cannot be in the name of a group becomes `-`. */
static void name_after_folder(struct app *app)
{
    const char *base = strrchr(app->root, '/') + 1;

    (void)snprintf(app->group, sizeof app->group, "%s", base[0] != '\0' ? base : "app");
    for (char *byte = app->group; *byte != '\0'; byte++)
        if ((unsigned char)*byte <= ' ' || strchr(":/\x7f", *byte) || (*byte & 0x80))
            *byte = '-';
}

static int check_group(const struct app *app)
{
    struct colony_error reason = {0};

    if (strchr(app->group, ':'))
        return colony__app_fail(EXIT_USAGE, "cannot call it %s: a group has no `:` in its name",
                                app->group);
    if (strspn(app->group, DIGITS) != strlen(app->group) &&
        colony_name_check(app->group, &reason) < 0)
        return colony__app_fail(EXIT_USAGE, "cannot call it %s: %s", app->group, reason.message);
    return EXIT_OK;
}

int colony__app_place(struct app *app)
{
    const char *slash = app->procfile_path ? strrchr(app->procfile_path, '/') : NULL;
    char folder[PATH_MAX] = ".";

    if (app->root_path)
        (void)snprintf(folder, sizeof folder, "%s", app->root_path);
    else if (slash)
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - app->procfile_path + 1),
                       app->procfile_path);
    if (!realpath(folder, app->root))
        return colony__app_fail(EXIT_BAD_CONFIG, "cannot use the folder %s: %s", folder,
                                strerror(errno));
    if (app->name && strlen(app->name) > APP_NAME_MAX)
        return colony__app_fail(EXIT_USAGE, "cannot call it %.40s...: a name has 1 to %d bytes",
                                app->name, APP_NAME_MAX);
    if (app->name)
        (void)snprintf(app->group, sizeof app->group, "%s", app->name);
    else
        name_after_folder(app);
    return app->name && app->name[0] == '\0'
               ? colony__app_fail(EXIT_USAGE, "cannot call it \"\": a name has 1 to %d bytes",
                                  APP_NAME_MAX)
               : check_group(app);
}

/* --- what it says ----------------------------------------------------------------------------- */

static int read_procfile(struct app *app)
{
    char path[PATH_MAX + 16];
    struct colony_error err = {0};

    (void)snprintf(path, sizeof path, "%s/Procfile", app->root_path ? app->root_path : ".");
    if (app->procfile_path)
        (void)snprintf(path, sizeof path, "%s", app->procfile_path);
    else if (!app->root_path)
        (void)snprintf(path, sizeof path, "Procfile");
    if (colony_procfile_load(&app->procfile, path, &err) == 0)
        return EXIT_OK;
    return fail_file(&err);
}

/* PORT is no variable like the others: each process has its own. */
static int take_port(struct app *app, const char *text, const char *where)
{
    size_t length = strlen(text);

    if (length == 0 || length > 5 || text[strspn(text, DIGITS)] != '\0')
        return colony__app_fail(EXIT_BAD_CONFIG, "cannot use PORT of %s: it is no port", where);
    if (app->port == UINT64_MAX)
        app->first_port = (unsigned)strtoul(text, NULL, 10);
    return EXIT_OK;
}

/* Of variables with one name the last one counts. */
static int settle_env(struct app *app)
{
    char name[] = "PORT";
    char *const port[] = {name, NULL};
    struct colony__words *env = &app->env;
    int exit_code = EXIT_OK;
    int rc = colony__words_settle_env(env);

    for (size_t i = 0; rc == 0 && i < env->count; i++)
        if (strncmp(env->items[i], PORT_IS, strlen(PORT_IS)) == 0)
            exit_code = take_port(app, env->items[i] + strlen(PORT_IS), "the env file");
    if (rc == 0)
        rc = colony__words_remove_env(env, port);
    if (rc < 0)
        return colony__app_fail(EXIT_FAILED, "cannot read the env files: out of memory");
    return exit_code;
}

/* .env is there or is not; what was asked for must be. */
static int read_env(struct app *app)
{
    char path[PATH_MAX + 16];
    struct colony_error err = {0};
    int rc = colony__words_init(&app->env);

    (void)snprintf(path, sizeof path, "%s/.env", app->root);
    if (rc == 0 && app->env_files.count == 0 && access(path, F_OK) == 0)
        rc = colony__env_file_load(&app->env, path, &err);
    for (size_t i = 0; rc == 0 && i < app->env_files.count; i++)
        rc = colony__env_file_load(&app->env, app->env_files.items[i], &err);
    if (rc == -ENOMEM)
        return colony__app_fail(EXIT_FAILED, "cannot read the env files: out of memory");
    return rc < 0 ? fail_file(&err) : settle_env(app);
}

static int find_port(struct app *app)
{
    const char *inherited = getenv("PORT");
    unsigned last;

    if (app->port != UINT64_MAX && (app->port == 0 || app->port > APP_PORT_MAX))
        return colony__app_fail(EXIT_USAGE, "cannot use --port: a port is 1 to %d", APP_PORT_MAX);
    if (app->port != UINT64_MAX)
        app->first_port = (unsigned)app->port;
    else if (app->first_port == 0 && inherited && inherited[0] != '\0' &&
             take_port(app, inherited, "the environment") != EXIT_OK)
        return EXIT_BAD_CONFIG;
    if (app->first_port == 0)
        app->first_port = APP_PORT_FIRST;
    last = colony__app_port(app, app->procfile.count - 1);
    if (last > APP_PORT_MAX)
        return colony__app_fail(EXIT_USAGE,
                                "cannot number ports from %u: the last type would have %u",
                                app->first_port, last);
    return EXIT_OK;
}

/* --- how many --------------------------------------------------------------------------------- */

static int set_count(struct app *app, const char *name, unsigned count)
{
    bool is_all = strcmp(name, ALL) == 0 && colony__app_find(app, ALL) < 0;
    int index = is_all ? 0 : colony__app_find_or_fail(app, "count", name);

    if (index < 0)
        return EXIT_USAGE;
    app->counts[index] = count;
    for (size_t i = 0; is_all && i < app->procfile.count; i++)
        app->counts[i] = count;
    return EXIT_OK;
}

/* @text: `web=2`, of @length bytes. */
static int read_count(struct app *app, const char *text, size_t length)
{
    char name[CTL_GROUP_MAX];
    char *sign;
    unsigned long count;

    (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
    sign = strchr(name, '=');
    if (!sign || sign == name || sign[1] == '\0' || sign[1 + strspn(sign + 1, DIGITS)] != '\0')
        return colony__app_fail(EXIT_USAGE, "cannot use --concurrency %s: write TYPE=N,TYPE=N",
                                name);
    count = strlen(sign + 1) > 5 ? ULONG_MAX : strtoul(sign + 1, NULL, 10);
    if (count > COLONY_SLOTS_MAX)
        return colony__app_fail(EXIT_USAGE,
                                "cannot use --concurrency %s: a type has 0 to %d processes", name,
                                COLONY_SLOTS_MAX);
    *sign = '\0';
    return set_count(app, name, (unsigned)count);
}

static int read_formation(struct app *app)
{
    int exit_code = EXIT_OK;

    for (size_t i = 0; i < app->procfile.count; i++)
        app->counts[i] = 1;
    for (size_t i = 0; i < app->formation.count; i++) {
        const char *at = app->formation.items[i];

        for (;;) {
            size_t length = strcspn(at, ",");

            if (exit_code == EXIT_OK)
                exit_code = read_count(app, at, length);
            if (at[length] == '\0')
                break;
            at += length + 1;
        }
    }
    return exit_code;
}

int colony__app_read(struct app *app)
{
    int exit_code = colony__app_place(app);

    if (exit_code == EXIT_OK)
        exit_code = read_procfile(app);
    if (exit_code == EXIT_OK)
        exit_code = read_env(app);
    if (exit_code == EXIT_OK)
        exit_code = find_port(app);
    return exit_code == EXIT_OK ? read_formation(app) : exit_code;
}

void colony__app_clear(struct app *app)
{
    colony_procfile_clear(&app->procfile);
    colony__words_free(app->env.items);
    app->env = (struct colony__words){0};
}

int colony__app_find(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->procfile.count; i++)
        if (strcmp(app->procfile.types[i].name, name) == 0)
            return (int)i;
    return -1;
}

int colony__app_find_or_fail(const struct app *app, const char *doing, const char *name)
{
    const char *names[COLONY_PROCFILE_TYPES_MAX + 1] = {NULL};
    int index = colony__app_find(app, name);
    const char *nearest;

    if (index >= 0)
        return index;
    for (size_t i = 0; i < app->procfile.count; i++)
        names[i] = app->procfile.types[i].name;
    nearest = colony_name_nearest(name, names);
    (void)colony__app_fail(EXIT_USAGE, "cannot %s %s: the Procfile has no such type%s%s%s", doing,
                           name, nearest ? ": did you mean " : "", nearest ? nearest : "",
                           nearest ? "?" : "");
    return -1;
}

/* --- as settings ------------------------------------------------------------------------------ */

unsigned colony__app_port(const struct app *app, size_t index)
{
    return app->first_port + (unsigned)index * APP_PORT_STEP;
}

void colony__app_template_name(const struct app *app, size_t index, char name[CTL_GROUP_MAX])
{
    (void)snprintf(name, CTL_GROUP_MAX, "%s:%s", app->group, app->procfile.types[index].name);
}

static bool add_env(struct cJSON *json, const struct colony__words *env)
{
    struct cJSON *map = env->count > 0 ? cJSON_AddObjectToObject(json, "env") : json;

    for (size_t i = 0; map && i < env->count; i++) {
        const char *sign = strchr(env->items[i], '=');
        char *name = strndup(env->items[i], (size_t)(sign - env->items[i]));
        bool is_added = name && cJSON_AddStringToObject(map, name, sign + 1);

        free(name);
        if (!is_added)
            return false;
    }
    return map != NULL;
}

struct cJSON *colony__app_template(const struct app *app, size_t index, const char *name)
{
    struct cJSON *json = cJSON_CreateObject();

    if (cJSON_AddStringToObject(json, "name", name) &&
        cJSON_AddStringToObject(json, "cmd", app->procfile.types[index].command) &&
        cJSON_AddTrueToObject(json, "shell") && cJSON_AddStringToObject(json, "cwd", app->root) &&
        cJSON_AddNumberToObject(json, "numprocesses", app->counts[index]) &&
        cJSON_AddNumberToObject(json, "port", colony__app_port(app, index)) &&
        add_env(json, &app->env))
        return json;
    cJSON_Delete(json);
    return NULL;
}
