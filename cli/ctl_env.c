/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_env.c - `colony ctl env`: what a process would find in its environment, and why. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

enum {
    GAP = 2,          /* blanks between the columns */
    WIDTH_MIN = 20,   /* of NAME=value on a terminal, however narrow */
    WIDTH_PIPED = 60, /* up to here the second column is lined up when nothing is cut */
    LINE_MAX_BYTES = 65536,
};

/* The widest of the texts @key, at most @limit (0: none). */
static size_t widest_source(const struct cJSON *variables)
{
    const struct cJSON *variable;
    char text[256];
    size_t widest = 0;

    cJSON_ArrayForEach(variable, variables)
    {
        size_t width =
            colony_columns_clean(text, sizeof text, colony__ctl_text(variable, "source"), 0);

        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Writes "NAME=value", as wide as @width_max at most (0: as it is). Returns its width. */
static size_t write_variable(char *line, char *scratch, const struct cJSON *variable,
                             size_t width_max)
{
    (void)snprintf(scratch, LINE_MAX_BYTES, "%s=%s", colony__ctl_text(variable, "name"),
                   colony__ctl_text(variable, "value"));
    return colony_columns_clean(line, LINE_MAX_BYTES, scratch, width_max);
}

/* A value that is cut shows so; one that is only too wide moves its own line's second column. */
static void print_variables(const struct cJSON *variables, char *line, char *scratch)
{
    size_t terminal = colony_columns_terminal();
    size_t source = widest_source(variables) + GAP;
    size_t cut = terminal > 0 ? WIDTH_MIN : 0;
    size_t column = 0;
    const struct cJSON *variable;

    if (terminal > source + WIDTH_MIN)
        cut = terminal - source;
    cJSON_ArrayForEach(variable, variables)
    {
        size_t width = write_variable(line, scratch, variable, cut);

        if (width > column && (cut > 0 || width <= WIDTH_PIPED))
            column = width;
    }
    cJSON_ArrayForEach(variable, variables)
    {
        size_t width = write_variable(line, scratch, variable, cut);

        printf("%s%*s", line, (int)(width < column ? column - width + GAP : GAP), "");
        colony__ctl_print_text(colony__ctl_text(variable, "source"));
        printf("\n");
    }
}

int colony__ctl_env(struct ctl *ctl, int argc, char **argv)
{
    char path[CTL_PATH_MAX] = "";
    const struct ctl_question question = colony__ctl_look(path, "show the environment of", argv[1]);
    struct cJSON *variables = NULL;
    char *buffer;
    int exit_code = colony__ctl_path(path, "/env/", argv[1], "");

    (void)argc;
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_to_show(ctl, &question, &variables);
    if (!variables)
        return exit_code;
    buffer = malloc((size_t)2 * LINE_MAX_BYTES);
    if (buffer)
        print_variables(variables, buffer, buffer + LINE_MAX_BYTES);
    else
        exit_code = colony__ctl_fail(EXIT_FAILED, "cannot show the environment: out of memory");
    free(buffer);
    cJSON_Delete(variables);
    return exit_code;
}
