/* SPDX-License-Identifier: Apache-2.0 */
/* options_children.c - commands of colony and actions of a command: found, missed and read. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "core/template.h"
#include "options.h"

enum {
    NAMES_MAX = 128,
    COMMAND_MAX = 64,
    SUMMARY_MAX = 128,
};

int colony_options_find_child(const struct colony_usage *usage, const char *name)
{
    size_t length = strlen(name);
    struct colony_usage child;

    for (size_t i = 0; usage->child(i, &child); i++)
        if (colony_options_is_name(name, length, child.command))
            return (int)i;
    return -1;
}

/* What is one of another: `colony top` of ctl, and ctl's actions of colony. */
static bool complain_of_place(const struct colony_usage *usage, const char *name)
{
    const bool is_top = usage == &colony_usage;
    const struct colony_usage *other = is_top ? &colony_ctl_usage : &colony_usage;
    int noun_length = (int)strlen(usage->children) - 1;

    if (colony_options_find_child(other, name) < 0)
        return false;
    colony_options_complain(usage, "no such %.*s: %s: did you mean %s %s?", noun_length,
                            usage->children, name, other->command, name);
    return true;
}

void colony_options_complain_of_child(const struct colony_usage *usage, const char *name)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    int noun_length = (int)strlen(usage->children) - 1; /* without its plural's s */
    struct colony_usage child;
    const char *nearest;

    if (complain_of_place(usage, name))
        return;
    for (size_t i = 0; i < NAMES_MAX && usage->child(i, &child); i++)
        names[i] = child.command;
    nearest = colony_name_nearest(name, names);
    if (nearest)
        colony_options_complain(usage, "no such %.*s: %s: did you mean %s?", noun_length,
                                usage->children, name, nearest);
    else
        colony_options_complain(usage, "no such %.*s: %s: see %s --help", noun_length,
                                usage->children, name, usage->command);
}

int colony_options_choose_child(const struct colony_usage *usage, int argc, char **argv,
                                int *exit_code)
{
    int child = colony_options_find_child(usage, argv[1]);

    if (strcmp(argv[1], "help") == 0 && argc == 2) {
        colony_options_help(usage);
        *exit_code = EXIT_OK;
        return -1;
    }
    if (child < 0) {
        colony_options_complain_of_child(usage, argv[1]);
        *exit_code = EXIT_USAGE;
    }
    return child;
}

/* NOLINTNEXTLINE(readability-function-size): as colony_options_parse(), and which child of whom */
bool colony_options_parse_child(const struct colony_usage *parent, size_t index, void *target,
                                int *argc, char **argv, int *exit_code)
{
    char command[COMMAND_MAX];
    char summary[SUMMARY_MAX];
    struct colony_usage usage;

    (void)parent->child(index, &usage);
    (void)snprintf(command, sizeof command, "%s %s", parent->command, usage.command);
    (void)snprintf(summary, sizeof summary, "%c%s.", toupper((unsigned char)usage.summary[0]),
                   usage.summary + 1);
    usage.command = command;
    usage.summary = summary;
    return colony_options_parse(&usage, target, argc, argv, exit_code);
}
