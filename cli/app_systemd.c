/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_systemd.c - an application as units: NAME.target, and NAME-TYPE@.service for each type,
 * whose instances are called after their ports.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app_internal.h"
#include "core/error.h"

/* What a unit may not have in its name is written as \xHH, as systemd-escape(1) does. */
static void write_unit_name(FILE *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.-";

    for (const char *byte = text; *byte != '\0'; byte++)
        if (strchr(plain, *byte) && !(*byte == '.' && byte == text))
            (void)fputc(*byte, out);
        else
            (void)fprintf(out, "\\x%02x", (unsigned char)*byte);
}

/* NAME-TYPE */
static void write_service_name(FILE *out, const struct app *app, size_t index)
{
    write_unit_name(out, app->group);
    (void)fputc('-', out);
    write_unit_name(out, app->procfile.types[index].name);
}

/* In double quotes; `%` is systemd's own everywhere, `$` in commands. */
static void write_quoted(FILE *out, const char *text, bool is_command)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fprintf(out, "\\%c", *text);
        else if (*text == '%' || (*text == '$' && is_command))
            (void)fprintf(out, "%c%c", *text, *text);
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            (void)fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

/* A path, which takes no quotes. */
static void write_path(FILE *out, const char *path)
{
    for (; *path != '\0'; path++)
        (void)fprintf(out, *path == '%' ? "%%%%" : "%c", *path);
}

static int write_service(const struct app *app, size_t index, FILE *out)
{
    const struct colony_procfile_type *type = &app->procfile.types[index];

    (void)fprintf(out, "[Unit]\nDescription=%s of ", type->name);
    write_path(out, app->group);
    (void)fprintf(out, "\nPartOf=");
    write_unit_name(out, app->group);
    (void)fprintf(out, ".target\n\n[Service]\nWorkingDirectory=");
    write_path(out, app->root);
    (void)fprintf(out, "\n");
    for (size_t i = 0; i < app->env.count; i++) {
        (void)fprintf(out, "Environment=");
        write_quoted(out, app->env.items[i], false);
        (void)fprintf(out, "\n");
    }
    (void)fprintf(out, "Environment=PORT=%%i\nExecStart=/bin/sh -c ");
    write_quoted(out, type->command, true);
    (void)fprintf(out, "\nRestart=always\n\n[Install]\nWantedBy=");
    write_unit_name(out, app->group);
    (void)fprintf(out, ".target\n");
    return EXIT_OK;
}

static int write_target(const struct app *app, size_t index, FILE *out)
{
    (void)index;
    (void)fprintf(out, "[Unit]\nDescription=");
    write_path(out, app->group);
    (void)fprintf(out, "\n");
    for (size_t i = 0; i < app->procfile.count; i++)
        for (unsigned k = 0; k < app->counts[i]; k++) {
            (void)fprintf(out, "Wants=");
            write_service_name(out, app, i);
            (void)fprintf(out, "@%u.service\n", colony__app_port(app, i) + k);
        }
    (void)fprintf(out, "\n[Install]\nWantedBy=multi-user.target\n");
    return EXIT_OK;
}

/* A text made by @write_unit; NULL: out of memory. */
static char *make_text(const struct app *app, size_t index,
                       int (*write_unit)(const struct app *, size_t, FILE *), size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);

    if (!out)
        return NULL;
    (void)write_unit(app, index, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* The name of a file: that of a type, or of the target. */
static int write_target_file_name(const struct app *app, size_t index, FILE *out)
{
    (void)index;
    write_unit_name(out, app->group);
    (void)fprintf(out, ".target");
    return EXIT_OK;
}

static int write_service_file_name(const struct app *app, size_t index, FILE *out)
{
    write_service_name(out, app, index);
    (void)fprintf(out, "@.service");
    return EXIT_OK;
}

static int write_unit_file(const struct app *app, const char *folder, size_t index, bool is_target)
{
    size_t size = 0;
    size_t name_size = 0;
    char path[PATH_MAX];
    char *name = make_text(app, index, is_target ? write_target_file_name : write_service_file_name,
                           &name_size);
    char *text = make_text(app, index, is_target ? write_target : write_service, &size);
    int exit_code = EXIT_FAILED;

    if (!name || !text)
        (void)colony__app_fail(EXIT_FAILED, "cannot export: out of memory");
    else if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        (void)colony__app_fail(EXIT_FAILED, "cannot write %s: its path is too long", name);
    else
        exit_code = colony__app_write_file(path, text, size);
    if (exit_code == EXIT_OK)
        printf("%s\n", path);
    free(name);
    free(text);
    return exit_code;
}

int colony__app_export_systemd(const struct app *app, const char *path)
{
    int exit_code = EXIT_OK;

    for (size_t i = 0; i < app->procfile.count; i++) {
        unsigned last = colony__app_port(app, i) + (app->counts[i] > 0 ? app->counts[i] - 1 : 0);

        if (last > APP_PORT_MAX)
            return colony__app_fail(EXIT_USAGE, "cannot number ports of %s up to %u",
                                    app->procfile.types[i].name, last);
    }
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return colony__app_fail(EXIT_FAILED, "cannot make the folder %s: %s", path,
                                strerror(errno));
    for (size_t i = 0; i < app->procfile.count && exit_code == EXIT_OK; i++)
        exit_code = write_unit_file(app, path, i, false);
    return exit_code == EXIT_OK ? write_unit_file(app, path, 0, true) : exit_code;
}
