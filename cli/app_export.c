/* SPDX-License-Identifier: Apache-2.0 */
/* app_export.c - `colony app export`: the application as settings, for colony or for gaffer. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app_internal.h"
#include "core/error.h"
#include "core/fresh.h"

typedef int (*write_cb)(const struct app *app, FILE *out);

/* --- JSON and YAML ---------------------------------------------------------------------------- */

static struct cJSON *make_list(const struct app *app)
{
    struct cJSON *json = cJSON_CreateObject();
    struct cJSON *list = cJSON_AddArrayToObject(json, "processes");

    for (size_t i = 0; list && i < app->procfile.count; i++) {
        char name[CTL_GROUP_MAX];
        struct cJSON *one;

        colony__app_template_name(app, i, name);
        one = colony__app_template(app, i, name);
        if (cJSON_AddItemToArray(list, one))
            continue;
        cJSON_Delete(one);
        list = NULL;
    }
    if (list)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static int write_json(const struct app *app, FILE *out)
{
    struct cJSON *json = make_list(app);
    char *text = json ? cJSON_Print(json) : NULL;

    if (text)
        (void)fprintf(out, "%s\n", text);
    cJSON_Delete(json);
    cJSON_free(text);
    return text ? EXIT_OK : colony__app_fail(EXIT_FAILED, "cannot export: out of memory");
}

/* In double quotes nothing but these means anything to YAML; C1 controls may not stand as they are.
 */
static void write_quoted(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        unsigned char next = (unsigned char)text[1];

        if (byte == '"' || byte == '\\')
            (void)fprintf(out, "\\%c", byte);
        else if (byte < ' ' || byte == 0x7f)
            (void)fprintf(out, "\\x%02x", byte);
        else if (byte == 0xc2 && next >= 0x80 && next < 0xa0)
            (void)fprintf(out, "\\x%02x", (unsigned char)*++text);
        else
            (void)fputc(byte, out);
    }
    (void)fputc('"', out);
}

static void write_variables(const struct app *app, FILE *out)
{
    if (app->env.count > 0)
        (void)fprintf(out, "    env:\n");
    for (size_t i = 0; i < app->env.count; i++) {
        const char *sign = strchr(app->env.items[i], '=');

        (void)fprintf(out, "      \"%.*s\": ", (int)(sign - app->env.items[i]), app->env.items[i]);
        write_quoted(out, sign + 1);
        (void)fputc('\n', out);
    }
}

static int write_yaml(const struct app *app, FILE *out)
{
    (void)fprintf(out, "processes:\n");
    for (size_t i = 0; i < app->procfile.count; i++) {
        char name[CTL_GROUP_MAX];

        colony__app_template_name(app, i, name);
        (void)fprintf(out, "  ");
        write_quoted(out, name);
        (void)fprintf(out, ":\n    cmd: ");
        write_quoted(out, app->procfile.types[i].command);
        (void)fprintf(out, "\n    shell: true\n    cwd: ");
        write_quoted(out, app->root);
        (void)fprintf(out, "\n    numprocesses: %u\n    port: %u\n", app->counts[i],
                      colony__app_port(app, i));
        write_variables(app, out);
    }
    return EXIT_OK;
}

/* --- INI -------------------------------------------------------------------------------------- */

/* What INI has no way to say: it has no quotes. */
static const char *why_not_ini(const char *text)
{
    if (strpbrk(text, "\n\r"))
        return "it has more than one line";
    if (text[0] == ' ' || text[0] == '\t' ||
        (text[0] != '\0' && strchr(" \t", text[strlen(text) - 1])))
        return "it begins or ends with a blank";
    if (text[0] == ';' || strstr(text, " ;") || strstr(text, "\t;"))
        return "` ;` begins a comment there";
    return NULL;
}

static int check_ini(const char *what, const char *text)
{
    const char *why = why_not_ini(text);

    if (!why)
        return EXIT_OK;
    return colony__app_fail(EXIT_BAD_CONFIG, "cannot write %s as INI: %s: use --format yaml", what,
                            why);
}

static int check_variables(const struct app *app)
{
    int exit_code = EXIT_OK;

    for (size_t i = 0; i < app->env.count && exit_code == EXIT_OK; i++) {
        const char *sign = strchr(app->env.items[i], '=');
        char name[256];

        (void)snprintf(name, sizeof name, "%.*s", (int)(sign - app->env.items[i]),
                       app->env.items[i]);
        if (strpbrk(name, "abcdefghijklmnopqrstuvwxyz"))
            return colony__app_fail(EXIT_BAD_CONFIG,
                                    "cannot write %s as INI: names become upper case there: use "
                                    "--format yaml",
                                    name);
        exit_code = check_ini(name, sign + 1);
    }
    return exit_code;
}

static int write_ini(const struct app *app, FILE *out)
{
    int exit_code = check_variables(app);

    if (exit_code == EXIT_OK)
        exit_code = check_ini("the folder", app->root);
    for (size_t i = 0; i < app->procfile.count && exit_code == EXIT_OK; i++) {
        const struct colony_procfile_type *type = &app->procfile.types[i];

        exit_code = check_ini(type->name, type->command);
        (void)fprintf(out,
                      "[process:%s:%s]\ncmd = %s\nshell = true\ncwd = %s\nnumprocesses = %u\n"
                      "port = %u\n\n",
                      app->group, type->name, type->command, app->root, app->counts[i],
                      colony__app_port(app, i));
        if (app->env.count > 0)
            (void)fprintf(out, "[env:%s:%s]\n", app->group, type->name);
        for (size_t j = 0; j < app->env.count; j++) {
            const char *sign = strchr(app->env.items[j], '=');

            (void)fprintf(out, "%.*s = %s\n", (int)(sign - app->env.items[j]), app->env.items[j],
                          sign + 1);
        }
        (void)fprintf(out, app->env.count > 0 ? "\n" : "");
    }
    return exit_code;
}

/* --- files ------------------------------------------------------------------------------------ */

static int fail_write(const char *path)
{
    return colony__app_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
}

static bool put_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, text, size);

        if (count < 0 && errno != EINTR)
            return false;
        text += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return fsync(fd) == 0;
}

/* For its owner only: what the env files say may be secret. */
int colony__app_write_file(const char *path, const char *text, size_t size)
{
    char temporary[PATH_MAX];
    bool is_done;
    int fd;

    fd = colony_fresh_open(AT_FDCWD, path, 0600, temporary, sizeof temporary);
    if (fd < 0) {
        errno = -fd;
        return fail_write(path);
    }
    is_done = put_all(fd, text, size) && rename(temporary, path) == 0;
    size = (size_t)errno;
    if (!is_done)
        (void)unlink(temporary);
    (void)close(fd);
    errno = (int)size;
    return is_done ? EXIT_OK : fail_write(path);
}

/* Nothing is written unless all of it can be. */
static int write_settings(const struct app *app, write_cb write_form, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int exit_code;

    if (!out)
        return colony__app_fail(EXIT_FAILED, "cannot export: out of memory");
    exit_code = write_form(app, out);
    if (fclose(out) != 0 && exit_code == EXIT_OK)
        exit_code = colony__app_fail(EXIT_FAILED, "cannot export: out of memory");
    if (exit_code == EXIT_OK && path)
        exit_code = colony__app_write_file(path, text, size);
    else if (exit_code == EXIT_OK)
        (void)fwrite(text, 1, size, stdout); /* main() looks whether it went well */
    free(text);
    return exit_code;
}

static int export_systemd(const struct app *app, const char *path)
{
    if (!path)
        return colony__app_fail(EXIT_USAGE, "cannot export units: give a folder for them: "
                                            "colony app export --format systemd DIR");
    return colony__app_export_systemd(app, path);
}

static const struct form {
    const char *name;
    write_cb write; /* NULL: systemd, which is more than one file */
} forms[] = {{"yaml", write_yaml}, {"json", write_json}, {"ini", write_ini}, {"systemd", NULL}};

static const struct form *find_form(const char *name)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(name, forms[i].name) == 0)
            return &forms[i];
    return NULL;
}

/* `export ini FILE`, as gaffer has it, is `export --format ini FILE`; a file may be called `./ini`.
 */
int colony__app_export(struct app *app, int argc, char **argv)
{
    bool is_told = !app->format && argc > 1 && (argc > 2 || find_form(argv[1]));
    const char *format = is_told ? argv[1] : app->format ? app->format : forms[0].name;
    int place = is_told ? 2 : 1;
    const char *path = place < argc ? argv[place] : NULL;
    const struct form *form = find_form(format);
    int exit_code;

    if (argc > place + 1)
        return colony__app_fail(EXIT_USAGE, "cannot export to %s and %s: give one OUT", argv[1],
                                argv[2]);
    if (!form)
        return colony__app_fail(EXIT_USAGE, "cannot export as %s: use yaml, json, ini or systemd",
                                format);
    exit_code = colony__app_read(app);
    if (exit_code != EXIT_OK)
        return exit_code;
    return form->write ? write_settings(app, form->write, path) : export_systemd(app, path);
}
