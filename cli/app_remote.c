/* SPDX-License-Identifier: Apache-2.0 */
/* app_remote.c - load, unload, scale and ps of `colony app`: what a running colony does with it. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app_internal.h"
#include "core/error.h"
#include "core/template.h"

/* `GROUP:*`, as an operand of ctl's. */
static void write_pattern(const struct app *app, char pattern[CTL_GROUP_MAX])
{
    (void)snprintf(pattern, CTL_GROUP_MAX, "%s:*", app->group);
}

/* True: there is a group of that name there. */
static bool is_loaded(const struct app *app)
{
    char path[CTL_PATH_MAX];
    struct cJSON *members;
    bool is_there;

    if (colony__ctl_path(path, "/groups/", app->group, "") != EXIT_OK)
        return false;
    members = colony__ctl_peek(&app->ctl, path);
    is_there = members != NULL;
    cJSON_Delete(members);
    return is_there;
}

static int load_type(const struct app *app, size_t index)
{
    char name[CTL_GROUP_MAX];
    char warning[APP_WARNING_MAX];
    bool is_taken = app->ctl.target.is_unix && /* on this machine */
                    colony__app_find_taken_port(app, index, warning, sizeof warning);
    struct cJSON *json;
    int exit_code;

    colony__app_template_name(app, index, name);
    json = colony__app_template(app, index, name);
    exit_code = colony__app_send(&app->ctl.target, json, "load");
    cJSON_Delete(json);
    if (exit_code != EXIT_OK)
        return exit_code;
    colony__ctl_print_text(name);
    printf(": loaded, %u process%s\n", app->counts[index], app->counts[index] == 1 ? "" : "es");
    if (is_taken)
        (void)colony__app_fail(EXIT_OK, "%s", warning);
    return EXIT_OK;
}

/* An application is there as a whole or not at all. */
static void take_back(const struct app *app)
{
    char path[CTL_PATH_MAX];
    const struct colony_request request = {
        .method = "DELETE", .path = path, .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct colony_reply reply;

    if (colony__ctl_path(path, "/groups/", app->group, "") == EXIT_OK) {
        (void)colony_client_request(&app->ctl.target, &request, &reply, NULL);
        colony_client_clear(&reply);
    }
}

/* What it is called there may be said as an operand, as gaffer has it. */
static int take_name(struct app *app, int argc, char **argv)
{
    if (argc > 1 && app->name && strcmp(app->name, argv[1]) != 0)
        return colony__app_fail(EXIT_USAGE, "cannot %s %s: --app says that it is called %s",
                                argv[0], argv[1], app->name);
    if (argc > 1)
        app->name = argv[1];
    return EXIT_OK;
}

int colony__app_load(struct app *app, int argc, char **argv)
{
    int exit_code = take_name(app, argc, argv);
    size_t done = 0;

    if (exit_code == EXIT_OK)
        exit_code = colony__app_read(app);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (is_loaded(app))
        return colony__app_fail(EXIT_CONFLICT,
                                "cannot load %s: there is such a group already: unload it first, "
                                "or choose another name with --app",
                                app->group);
    for (; done < app->procfile.count && exit_code == EXIT_OK; done++)
        exit_code = load_type(app, done);
    if (exit_code != EXIT_OK && done > 1)
        take_back(app);
    return exit_code;
}

int colony__app_unload(struct app *app, int argc, char **argv)
{
    char pattern[CTL_GROUP_MAX];
    char *words[] = {argv[0], pattern, NULL};
    int exit_code = take_name(app, argc, argv);

    if (exit_code == EXIT_OK)
        exit_code = colony__app_place(app);
    write_pattern(app, pattern);
    return exit_code == EXIT_OK ? colony__ctl_del_process(&app->ctl, 2, words) : exit_code;
}

int colony__app_ps(struct app *app, int argc, char **argv)
{
    char pattern[CTL_GROUP_MAX];
    char *words[] = {argv[0], pattern, NULL};
    int exit_code = take_name(app, argc, argv);

    if (exit_code == EXIT_OK)
        exit_code = colony__app_place(app);
    write_pattern(app, pattern);
    return exit_code == EXIT_OK ? colony__ctl_ps(&app->ctl, 2, words) : exit_code;
}

static void free_words(char **words, int count)
{
    for (int i = 1; words && i < count; i++)
        free(words[i]);
    free(words);
}

/* `web=3` becomes `GROUP:web=3`. */
int colony__app_scale(struct app *app, int argc, char **argv)
{
    char **words = calloc((size_t)argc + 1, sizeof *words);
    int exit_code = colony__app_place(app);
    bool is_whole = words != NULL;

    for (int i = 1; i < argc && is_whole; i++) {
        is_whole = asprintf(&words[i], "%s:%s", app->group, argv[i]) >= 0;
        if (!is_whole)
            words[i] = NULL;
    }
    if (!is_whole)
        exit_code = colony__app_fail(EXIT_FAILED, "cannot scale %s: out of memory", app->group);
    if (words && exit_code == EXIT_OK) {
        words[0] = argv[0];
        exit_code = colony__ctl_scale(&app->ctl, argc, words);
    }
    free_words(words, argc);
    return exit_code;
}
