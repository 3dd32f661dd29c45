/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - `colony check FILE`: says whether `colony serve --config FILE` would start. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "core/settings.h"
#include "options.h"

struct check {
    bool is_json;
};

static const struct colony_option check_options[] = {
    {"json", 0, NULL, "print JSON: ok, templates, error", OPTION_FLAG,
     offsetof(struct check, is_json), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};

static const struct colony_usage check_usage = {
    .command = "colony check",
    .arguments = "FILE",
    .summary = "Validate a configuration without starting anything. Exit 78: it is not valid.",
    .examples = "colony check colony.yaml\n"
                "colony check /etc/colony/colony.yaml --json\n",
    .options = check_options,
    .operands_min = 1,
    .operands_max = 1,
};

/* {"ok":true,"templates":["web"]} or {"ok":false,"error":"…"} */
static int print_json(const struct colony_settings *settings, const struct colony_error *err)
{
    struct cJSON *json = cJSON_CreateObject();
    struct cJSON *names = NULL;
    char *text = NULL;
    bool is_whole = cJSON_AddBoolToObject(json, "ok", settings != NULL) != NULL;

    if (settings) {
        names = cJSON_AddArrayToObject(json, "templates");
        is_whole = is_whole && names;
    } else {
        is_whole = is_whole && cJSON_AddStringToObject(json, "error", err->message);
    }
    for (size_t i = 0; settings && is_whole && i < settings->template_count; i++)
        is_whole = cJSON_AddItemToArray(names, cJSON_CreateString(settings->templates[i]->name));
    if (is_whole)
        text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (!text) {
        colony_options_complain(&check_usage, "cannot print JSON: out of memory");
        return EXIT_FAILED;
    }
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}

/* FILE:LINE:COLUMN first, where an editor looks for it. */
static void print_error(const char *file, const struct colony_error *err)
{
    if (strncmp(err->message, file, strlen(file)) == 0)
        (void)fprintf(stderr, "%s\n", err->message);
    else
        colony_options_complain(&check_usage, "%s", err->message);
}

int colony_cmd_check(int argc, char **argv)
{
    struct check check = {false};
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};
    int exit_code;
    int rc;

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    if (!colony_options_parse(&check_usage, &check, &argc, argv, &exit_code))
        return exit_code;
    rc = colony_settings_load(&settings, argv[1], &err);
    exit_code = EXIT_OK;
    if (check.is_json)
        exit_code = print_json(settings, &err);
    else if (rc < 0)
        print_error(argv[1], &err);
    else
        printf("%s: ok (%zu template%s)\n", argv[1], settings->template_count,
               settings->template_count == 1 ? "" : "s");
    colony_settings_free(settings);
    if (rc == -ENOMEM)
        return EXIT_FAILED;
    return rc < 0 ? EXIT_BAD_CONFIG : exit_code;
}
