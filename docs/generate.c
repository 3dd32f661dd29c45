/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c - writes a page of the reference: `generate markdown|scdoc SOURCE` prints SOURCE with
 * what the program's own tables say in the place of each line `@WHAT@` or `@WHAT ARGUMENT@`. So no
 * page tells what is no longer true of a setting, an option, an action or a route.
 */
#include "generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/commands.h"
#include "../cli/files_ctl.h"
#include "../cli/options.h"
#include "api/route_internal.h"
#include "core/error.h"

/* @options may be NULL. */
static bool has_option(const struct colony_option *options, const char *name)
{
    for (; options && options->name; options++)
        if (options->help && strcmp(options->name, name) == 0)
            return true;
    return false;
}

static void write_option(enum form form, const struct colony_option *option, bool is_inner)
{
    char term[128];

    if (option->letter)
        (void)snprintf(term, sizeof term, "-%c, --%s", option->letter, option->name);
    else
        (void)snprintf(term, sizeof term, "--%s", option->name);
    page_row(form, &(struct row){.term = term,
                                 .argument = option->argument,
                                 .help = option->help,
                                 .is_inner = is_inner});
}

/* @name as the table of commands has it. */
static bool find_command(const char *name, struct colony_usage *usage)
{
    for (size_t i = 0; colony_usage.child(i, usage); i++)
        if (strcmp(usage->command, name) == 0)
            return true;
    return false;
}

/* `@options COMMAND@` */
static bool write_options(enum form form, const char *name)
{
    struct colony_usage usage = colony_usage;
    bool is_found = strcmp(name, colony_usage.command) == 0 || find_command(name, &usage);

    if (!is_found || !usage.options)
        return false;
    page_begin(form, "option", false);
    for (const struct colony_option *option = usage.options; option->name; option++)
        if (option->help)
            write_option(form, option, false);
    return true;
}

/* `@commands@` */
static bool write_commands(enum form form, const char *argument)
{
    struct colony_usage usage;

    page_begin(form, "command", false);
    for (size_t i = 0; colony_usage.child(i, &usage); i++)
        page_row(form, &(struct row){.term = usage.command,
                                     .argument = usage.arguments,
                                     .help = usage.summary});
    return argument[0] == '\0';
}

/* In man pages only: options that all actions may have are told once, with the command's own. */
static void write_action(const struct colony_usage *action, const struct colony_option *common)
{
    const enum form form = FORM_SCDOC;

    page_row(form, &(struct row){.term = action->command,
                                 .argument = action->arguments,
                                 .help = action->summary});
    for (const struct colony_option *option = action->options; option->name; option++) {
        if (option->help && !has_option(common, option->name))
            write_option(form, option, true);
    }
    page_literal(form, action->examples, "\t");
}

/* `@actions COMMAND@` */
static bool write_actions(enum form form, const char *name)
{
    struct colony_usage command;
    struct colony_usage action;

    if (form != FORM_SCDOC || !find_command(name, &command) || !command.child)
        return false;
    for (size_t i = 0; command.child(i, &action); i++)
        write_action(&action, command.options);
    return true;
}

/* `@file-actions@`: those of `colony ctl --messages DIR --config DIR`. */
static bool write_file_actions(enum form form, const char *argument)
{
    static const struct colony_option none[] = {{.type = OPTION_END}};
    struct colony_usage action;

    if (form != FORM_SCDOC)
        return false;
    for (size_t i = 0; colony_files_ctl_usage.child(i, &action); i++)
        write_action(&action, none);
    return argument[0] == '\0';
}

/* `@exits@` */
static bool write_exits(enum form form, const char *argument)
{
    page_begin(form, "exit code", false);
    for (const struct colony_exit_info *info = colony_exits; info->help; info++) {
        char code[16];

        (void)snprintf(code, sizeof code, "%d", info->code);
        page_row(form, &(struct row){.term = code, .help = info->help});
    }
    return argument[0] == '\0';
}

/* `@routes@`; the test of the reference of the control API reads it. */
static bool write_routes(enum form form, const char *argument)
{
    const struct colony__routes *routes = &colony__control_routes;

    page_begin(form, "request", false);
    for (size_t i = 0; i < routes->count; i++) {
        char methods[64];

        colony__route_format_methods(routes->rows[i].methods, methods, sizeof methods);
        *strstr(methods, ", OPTIONS") = '\0'; /* which every path has */
        page_row(form, &(struct row){.term = methods,
                                     .argument = routes->rows[i].pattern,
                                     .help = routes->rows[i].help});
    }
    return argument[0] == '\0';
}

/* `@title NAME SECTION@`: how the source of a man page begins. */
static bool write_title(enum form form, const char *argument)
{
    const char *blank = strchr(argument, ' ');

    if (!blank || form != FORM_SCDOC)
        return false;
    printf("%.*s(%s) \"colony %s\" \"colony\"\n", (int)(blank - argument), argument, blank + 1,
           COLONY_VERSION);
    return true;
}

/* clang-format off */
static const struct {
    const char *name;
    bool (*write)(enum form form, const char *argument); /* false: there is no such thing */
} parts[] = {
    {"actions",  write_actions},  {"commands", write_commands}, {"exits",    write_exits},
    {"file-actions", write_file_actions},                       {"fixed",    write_fixed},
    {"later",    write_later},    {"live",     write_live},     {"options",  write_options},
    {"routes",   write_routes},   {"sections", write_sections}, {"settings", write_settings},
    {"tables",   write_tables},   {"title",    write_title},
};
/* clang-format on */

/* @line is "@WHAT ARGUMENT@" and is changed. */
static bool write_part(enum form form, char *line)
{
    char *argument;
    char *what = line + 1;

    line[strlen(line) - 1] = '\0';
    argument = strchr(what, ' ');
    if (argument)
        *argument++ = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i].name, what) == 0)
            return parts[i].write(form, argument ? argument : "");
    return false;
}

static int fail(const char *path, unsigned number, const char *why)
{
    (void)fprintf(stderr, "generate: %s:%u: %s\n", path, number, why);
    return EXIT_FAILED;
}

static int write_page(enum form form, const char *path, FILE *source)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int exit_code = EXIT_OK;

    for (unsigned number = 1; (length = getline(&line, &size, source)) > 0; number++) {
        if (line[length - 1] == '\n')
            line[--length] = '\0';
        if (length < 3 || line[0] != '@' || line[length - 1] != '@')
            printf("%s\n", line);
        else if (!write_part(form, line))
            exit_code = fail(path, number, "cannot use this line: no table is called so");
    }
    if (ferror(source))
        exit_code = fail(path, 0, strerror(errno));
    free(line);
    return exit_code;
}

int main(int argc, char **argv)
{
    static const char *const forms[] = {[FORM_MARKDOWN] = "markdown", [FORM_SCDOC] = "scdoc"};
    enum form form = FORM_MARKDOWN;
    FILE *source;
    int exit_code;

    if (argc == 3 && strcmp(argv[1], forms[FORM_SCDOC]) == 0) {
        form = FORM_SCDOC;
    } else if (argc != 3 || strcmp(argv[1], forms[FORM_MARKDOWN]) != 0) {
        (void)fprintf(stderr, "usage: generate markdown|scdoc SOURCE\n");
        return EXIT_USAGE;
    }
    source = fopen(argv[2], "re");
    if (!source)
        return fail(argv[2], 0, strerror(errno));
    exit_code = write_page(form, argv[2], source);
    (void)fclose(source);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "generate: cannot write: %s\n", strerror(errno));
        exit_code = EXIT_FAILED;
    }
    return exit_code;
}
