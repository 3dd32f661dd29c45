/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - `colony check FILE...`: says whether `colony serve --config FILE` would start. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/endpoint.h"
#include "commands.h"
#include "core/error.h"
#include "core/settings.h"
#include "core/value.h"
#include "lib/built_in_internal.h"
#include "options.h"

struct check {
    bool is_json;
};

static const struct colony_option check_options[] = {
    {"json", 0, NULL, "print JSON, one line a file: ok, file, templates, files, error", OPTION_FLAG,
     offsetof(struct check, is_json), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};

const struct colony_usage colony_check_usage = {
    .command = "colony check",
    .arguments = "FILE...",
    .summary =
        "Validate configurations, each with all it includes and the certificates and tokens\n"
        "it names, without starting anything. A file whose name ends in .ini, or that begins\n"
        "with a [section], is gaffer's INI, any other is YAML. Exit 78: one is not valid.",
    .examples = "colony check colony.yaml\n"
                "colony check conf.d/*.yaml gaffer.ini\n"
                "colony check /etc/colony/colony.yaml --json\n",
    .options = check_options,
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
};

static bool add_templates(struct cJSON *json, const struct colony_settings *settings)
{
    struct cJSON *names = cJSON_AddArrayToObject(json, "templates");
    struct cJSON *files = cJSON_AddArrayToObject(json, "files");
    bool is_whole = names && files;

    for (size_t i = 0; i < settings->template_count && is_whole; i++)
        is_whole = cJSON_AddItemToArray(names, cJSON_CreateString(settings->templates[i]->name));
    for (size_t i = 0; i < settings->file_count && is_whole; i++)
        is_whole = cJSON_AddItemToArray(files, cJSON_CreateString(settings->files[i].path));
    return is_whole;
}

/* {"ok":true,"file":"a","templates":["web"],"files":["a"]} or {"ok":false,"file":"a","error":"…"}
 */
static int print_json(const char *file, const struct colony_settings *settings,
                      const struct colony_error *err)
{
    struct cJSON *json = cJSON_CreateObject();
    char *text = NULL;
    bool is_whole = cJSON_AddBoolToObject(json, "ok", settings != NULL) &&
                    cJSON_AddStringToObject(json, "file", file);

    if (is_whole && settings)
        is_whole = add_templates(json, settings);
    else if (is_whole)
        is_whole = cJSON_AddStringToObject(json, "error", err->message) != NULL;
    if (is_whole)
        text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (!text) {
        colony_options_complain(&colony_check_usage, "cannot print JSON: out of memory");
        return EXIT_FAILED;
    }
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void print_found(const char *file, const struct colony_settings *settings)
{
    size_t count = settings->template_count;

    printf("%s: ok (%zu template%s", file, count, plural(count));
    if (settings->file_count > 1)
        printf(" in %zu files", settings->file_count);
    printf(")\n");
    for (size_t i = 0; i < settings->file_count && settings->file_count > 1; i++) {
        count = settings->files[i].template_count;
        printf("  %s: %zu template%s\n", settings->files[i].path, count, plural(count));
    }
}

/* FILE:LINE:COLUMN first, where an editor looks for it. */
static void print_error(const struct colony_error *err)
{
    if (strncmp(err->message, "cannot ", strlen("cannot ")) != 0)
        (void)fprintf(stderr, "%s\n", err->message);
    else
        colony_options_complain(&colony_check_usage, "%s", err->message);
}

static int check_bind(const char *bind, int tls, const struct colony_http_settings *http,
                      struct colony_error *err)
{
    const struct colony_endpoint endpoint = {.bind = bind, .tls = tls};

    return strcmp(bind, "none") == 0 ? 0 : colony_endpoint_check(&endpoint, http, err);
}

static int check_binds(const struct colony_http_settings *http, struct colony_error *err)
{
    int tls = http->tls.certfile ? 0 : COLONY_ENDPOINT_PLAIN;
    int rc = 0;

    for (char **bind = http->bind; rc == 0 && bind && *bind; bind++)
        rc = check_bind(*bind, tls, http, err);
    for (size_t i = 0; rc == 0 && i < http->endpoint_count; i++)
        rc = check_bind(http->endpoints[i].bind,
                        http->endpoints[i].tls.certfile ? (int)i + 1 : COLONY_ENDPOINT_PLAIN, http,
                        err);
    return rc;
}

/* With the certificates, tokens and webhooks it names, as serve reads them; NULL if one fails. */
static int load(struct colony_settings **out, const char *file, struct colony_error *err)
{
    struct colony_settings *settings = NULL;
    struct colony_error reason;
    int rc = colony_settings_load(&settings, file, err);

    if (rc < 0)
        return rc;
    rc = colony__built_in_check(settings, &reason);
    if (rc == 0)
        rc = check_binds(&settings->http, &reason);
    if (rc == 0) {
        *out = settings;
        return 0;
    }
    colony_settings_free(settings);
    return colony_fail(err, rc, "%s: %.400s", file, reason.message);
}

static int check_file(const char *file, bool is_json)
{
    struct colony_settings *settings = NULL;
    struct colony_error err = {0};
    int rc = load(&settings, file, &err);
    int exit_code = EXIT_OK;

    if (is_json)
        exit_code = print_json(file, settings, &err);
    else if (settings)
        print_found(file, settings);
    else
        print_error(&err);
    colony_settings_free(settings);
    if (rc == -ENOMEM)
        return EXIT_FAILED;
    return rc < 0 ? EXIT_BAD_CONFIG : exit_code;
}

int colony_cmd_check(int argc, char **argv)
{
    struct check check = {false};
    int worst = EXIT_OK;
    int exit_code;

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    if (!colony_options_parse(&colony_check_usage, &check, &argc, argv, &exit_code))
        return exit_code;
    for (int i = 1; i < argc; i++) {
        exit_code = check_file(argv[i], check.is_json);
        if (exit_code > worst)
            worst = exit_code;
    }
    return worst;
}
