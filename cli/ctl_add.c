/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_add.c - add_process, update_process, load_process and get_process of `colony ctl`. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"
#include "ctl_internal.h"

enum {
    FILE_MAX = 16 << 20, /* bytes of a file to load */
};

static int fail_memory(const char *name)
{
    return colony__ctl_fail(EXIT_FAILED, "cannot add %s: out of memory", name);
}

/* Sends the settings @json of the template @name: a new one, or in place of those it has. */
static int send_settings(const struct ctl *ctl, const struct cJSON *json, const char *name,
                         bool is_new)
{
    char path[CTL_PATH_MAX] = "/processes";
    struct ctl_question question = {.method = is_new ? "POST" : "PUT",
                                    .path = path,
                                    .doing = is_new ? "add" : "update",
                                    .name = name,
                                    .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    char *body = cJSON_PrintUnformatted(json);
    struct cJSON *answer = NULL;
    int exit_code = is_new ? EXIT_OK : colony__ctl_path(path, "/processes/", name, "");

    if (!body)
        return fail_memory(name);
    question.body = body;
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_json(ctl, &question, &answer);
    if (exit_code == EXIT_OK) {
        colony__ctl_print_text(name);
        printf(": %s\n", is_new ? "added" : "updated");
        (void)fflush(stdout); /* in order with errors */
    }
    cJSON_Delete(answer);
    cJSON_free(body);
    return exit_code;
}

/* Sets `start` if it was said on the command line. */
static int apply_start(struct cJSON *json, const struct ctl_settings *settings)
{
    if (!settings->start && !settings->no_start)
        return EXIT_OK;
    if (settings->start && settings->no_start)
        return colony__ctl_fail(EXIT_USAGE, "cannot use both --start and --no-start");
    cJSON_DeleteItemFromObjectCaseSensitive(json, "start");
    if (!cJSON_AddBoolToObject(json, "start", settings->start))
        return fail_memory("it");
    return EXIT_OK;
}

/* `K=V` of --env. */
static int add_variables(struct cJSON *json, const struct colony_option_list *list)
{
    struct cJSON *env = list->count > 0 ? cJSON_AddObjectToObject(json, "env") : NULL;

    for (size_t i = 0; i < list->count; i++) {
        size_t length = strcspn(list->items[i], "=");
        char *name = strndup(list->items[i], length);
        bool is_added;

        if (!name)
            return fail_memory("it");
        if (length == 0 || list->items[i][length] == '\0') {
            free(name);
            return colony__ctl_fail(EXIT_USAGE, "cannot use --env %s: write --env NAME=VALUE",
                                    list->items[i]);
        }
        cJSON_DeleteItemFromObjectCaseSensitive(env, name); /* the last one counts */
        is_added = cJSON_AddStringToObject(env, name, list->items[i] + length + 1);
        free(name);
        if (!is_added)
            return fail_memory("it");
    }
    return EXIT_OK;
}

/* A list of @count texts. */
static bool add_texts(struct cJSON *json, const char *key, const char *const *texts, size_t count)
{
    struct cJSON *list = cJSON_CreateStringArray(texts, (int)count);

    if (list && cJSON_AddItemToObject(json, key, list))
        return true;
    cJSON_Delete(list);
    return false;
}

/* Users and groups are names or numbers. */
static bool add_identity(struct cJSON *json, const char *key, const char *text)
{
    bool is_number = *text != '\0' && text[strspn(text, "0123456789")] == '\0';

    return is_number ? cJSON_AddNumberToObject(json, key, strtod(text, NULL)) != NULL
                     : cJSON_AddStringToObject(json, key, text) != NULL;
}

static bool add_plain_settings(struct cJSON *json, const struct ctl_settings *settings)
{
    const struct {
        const char *key;
        bool is_given;
        bool value;
    } flags[] = {
        {"os_env", settings->os_env || settings->no_os_env, settings->os_env},
        {"shell", settings->shell, true},
        {"detach", settings->detach, true},
        {"redirect_input", settings->redirect_input, true},
    };

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].is_given && !cJSON_AddBoolToObject(json, flags[i].key, flags[i].value))
            return false;
    if (settings->uid && !add_identity(json, "uid", settings->uid))
        return false;
    if (settings->gid && !add_identity(json, "gid", settings->gid))
        return false;
    if (settings->cwd && !cJSON_AddStringToObject(json, "cwd", settings->cwd))
        return false;
    if (settings->numprocesses != UINT64_MAX &&
        !cJSON_AddNumberToObject(json, "numprocesses", (double)settings->numprocesses))
        return false;
    return settings->redirect_output.count == 0 ||
           add_texts(json, "redirect_output", settings->redirect_output.items,
                     settings->redirect_output.count);
}

/* @words: the program and its arguments, or one command line that the server splits. */
static int add_command(struct cJSON *json, const char *args, int count, char **words)
{
    bool is_added = cJSON_AddStringToObject(json, "cmd", words[0]);

    if (args && count > 1)
        return colony__ctl_fail(EXIT_USAGE, "cannot use --args and more arguments: %s", words[1]);
    if (args)
        is_added = is_added && cJSON_AddStringToObject(json, "args", args);
    if (count > 1)
        is_added =
            is_added && add_texts(json, "args", (const char *const *)words + 1, (size_t)count - 1);
    return is_added ? EXIT_OK : fail_memory(words[0]);
}

/* NAME CMD [ARG...] and the options. */
static int send_described(const struct ctl *ctl, int argc, char **argv, bool is_new)
{
    const struct ctl_settings *settings = &ctl->settings;
    struct cJSON *json = cJSON_CreateObject();
    int exit_code;

    if (settings->os_env && settings->no_os_env)
        exit_code = colony__ctl_fail(EXIT_USAGE, "cannot use both --os-env and --no-os-env");
    else if (!cJSON_AddStringToObject(json, "name", argv[1]) || !add_plain_settings(json, settings))
        exit_code = fail_memory(argv[1]);
    else
        exit_code = add_command(json, settings->args, argc - 2, argv + 2);
    if (exit_code == EXIT_OK)
        exit_code = add_variables(json, &settings->env);
    if (exit_code == EXIT_OK)
        exit_code = apply_start(json, settings);
    if (exit_code == EXIT_OK)
        exit_code = send_settings(ctl, json, argv[1], is_new);
    cJSON_Delete(json);
    return exit_code;
}

int colony__ctl_add_process(struct ctl *ctl, int argc, char **argv)
{
    return send_described(ctl, argc, argv, true);
}

int colony__ctl_update_process(struct ctl *ctl, int argc, char **argv)
{
    return send_described(ctl, argc, argv, false);
}

/* All of @file in *text, to be freed. Negative errno. */
static int read_all(FILE *file, char **text, size_t *size)
{
    size_t capacity = 0;

    *text = NULL;
    *size = 0;
    for (;;) {
        size_t count;

        if (*size == capacity) {
            char *grown = realloc(*text, capacity = capacity ? capacity * 2 : 65536);

            if (!grown)
                return -ENOMEM;
            *text = grown;
        }
        count = fread(*text + *size, 1, capacity - *size, file);
        *size += count;
        if (*size > FILE_MAX)
            return -EFBIG;
        if (count == 0)
            return ferror(file) ? -errno : 0;
    }
}

static int read_json(const char *path, struct cJSON **json)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    struct colony_value *value = NULL;
    struct colony_error err = {0};
    char *text = NULL;
    size_t size = 0;
    int rc = file ? read_all(file, &text, &size) : -errno;

    if (file && !is_stdin)
        (void)fclose(file);
    if (rc < 0)
        (void)colony_fail_os(&err, rc, "cannot read it");
    else
        rc = colony_value_parse_json(&value, text, size, &err);
    *json = rc == 0 ? colony_value_to_json(value) : NULL;
    colony_value_free(value);
    free(text);
    if (rc < 0)
        return colony__ctl_fail(EXIT_BAD_CONFIG, "%s: %s", is_stdin ? "standard input" : path,
                                err.message);
    return *json ? EXIT_OK : fail_memory(path);
}

/* The list of templates in @json, which it takes; NULL when there is no memory. */
static struct cJSON *take_templates(struct cJSON *json)
{
    struct cJSON *inner = cJSON_GetObjectItemCaseSensitive(json, "processes");
    struct cJSON *list;

    if (cJSON_IsArray(json))
        return json;
    if (cJSON_IsArray(inner)) {
        list = cJSON_DetachItemFromObjectCaseSensitive(json, "processes");
        cJSON_Delete(json);
        return list;
    }
    list = cJSON_CreateArray();
    if (list && cJSON_AddItemToArray(list, json))
        return list;
    cJSON_Delete(list);
    cJSON_Delete(json);
    return NULL;
}

/* Each must be something that can be sent. */
static int check_templates(const struct cJSON *list, const char *path)
{
    const struct cJSON *template;
    int number = 0;

    cJSON_ArrayForEach(template, list)
    {
        number++;
        if (!cJSON_IsObject(template))
            return colony__ctl_fail(EXIT_BAD_CONFIG,
                                    "%s: cannot load template %d: it is no object of settings",
                                    path, number);
        if (colony__ctl_text(template, "name")[0] == '\0')
            return colony__ctl_fail(EXIT_BAD_CONFIG,
                                    "%s: cannot load template %d: its `name` is missing", path,
                                    number);
    }
    if (number == 0)
        return colony__ctl_fail(EXIT_BAD_CONFIG, "%s: cannot load it: it has no templates", path);
    return EXIT_OK;
}

/* All are tried; the first that failed gives the exit code. */
static int send_templates(const struct ctl *ctl, struct cJSON *list)
{
    struct cJSON *template;
    int first_failure = EXIT_OK;

    cJSON_ArrayForEach(template, list)
    {
        int exit_code = apply_start(template, &ctl->settings);

        if (exit_code == EXIT_OK)
            exit_code = send_settings(ctl, template, colony__ctl_text(template, "name"), true);
        if (first_failure == EXIT_OK)
            first_failure = exit_code;
    }
    return first_failure == EXIT_USAGE ? EXIT_BAD_CONFIG : first_failure;
}

int colony__ctl_load_process(struct ctl *ctl, int argc, char **argv)
{
    const char *path = strcmp(argv[1], "-") == 0 ? "standard input" : argv[1];
    struct cJSON *list;
    int exit_code;

    (void)argc;
    if (ctl->settings.start && ctl->settings.no_start)
        return colony__ctl_fail(EXIT_USAGE, "cannot use both --start and --no-start");
    exit_code = read_json(argv[1], &list);
    if (exit_code != EXIT_OK)
        return exit_code;
    list = take_templates(list);
    if (!list)
        return fail_memory(path);
    exit_code = check_templates(list, path);
    if (exit_code == EXIT_OK)
        exit_code = send_templates(ctl, list);
    cJSON_Delete(list);
    return exit_code;
}

int colony__ctl_get_process(struct ctl *ctl, int argc, char **argv)
{
    char path[CTL_PATH_MAX] = "";
    const struct ctl_question question = colony__ctl_look(path, "print the settings of", argv[1]);
    struct cJSON *json = NULL;
    char *text;
    int exit_code = colony__ctl_path(path, "/processes/", argv[1], "");

    (void)argc;
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_to_show(ctl, &question, &json);
    if (!json)
        return exit_code;
    text = cJSON_Print(json);
    cJSON_Delete(json);
    if (!text)
        return colony__ctl_fail(EXIT_FAILED, "cannot print JSON: out of memory");
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}
