/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_tree.c - `colony ctl tree`: templates, their slots, and the processes below them. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

enum {
    DEPTH_MAX = 100,
    BRANCH_WIDTH = 3, /* columns of "|- " */
    LINE_MAX_BYTES = 4096,
};

static const struct branches {
    const char *middle;
    const char *last;
    const char *pass; /* below a middle one */
} utf8_branches = {"├─ ", "└─ ", "│  "}, ascii_branches = {"|- ", "`- ", "|  "};

/* The way from the root to the node that is printed. */
struct tree {
    const struct branches *branches;
    size_t width; /* of the terminal; 0: lines are never cut */
    size_t depth;
    bool is_last[DEPTH_MAX];
};

static void print_line(const struct tree *tree, const char *text)
{
    size_t indent = tree->depth * BRANCH_WIDTH;
    size_t width = tree->width > indent + 8 ? tree->width - indent : 0;
    char clean[LINE_MAX_BYTES];

    for (size_t i = 0; i + 1 < tree->depth; i++)
        printf("%s", tree->is_last[i] ? "   " : tree->branches->pass);
    if (tree->depth > 0)
        printf("%s",
               tree->is_last[tree->depth - 1] ? tree->branches->last : tree->branches->middle);
    (void)colony_columns_clean(clean, sizeof clean, text, width);
    printf("%s\n", clean);
}

static void print_processes(struct tree *tree, const struct cJSON *processes)
{
    const struct cJSON *process;
    char line[LINE_MAX_BYTES];

    if (tree->depth == DEPTH_MAX)
        return;
    tree->depth++;
    cJSON_ArrayForEach(process, processes)
    {
        (void)snprintf(line, sizeof line, "%.0f %s", colony__ctl_number(process, "pid"),
                       colony__ctl_text(process, "command"));
        tree->is_last[tree->depth - 1] = !process->next;
        print_line(tree, line);
        print_processes(tree, cJSON_GetObjectItemCaseSensitive(process, "children"));
    }
    tree->depth--;
}

static void print_slots(struct tree *tree, const struct cJSON *slots)
{
    const struct cJSON *slot;
    char line[LINE_MAX_BYTES];

    tree->depth = 1;
    cJSON_ArrayForEach(slot, slots)
    {
        (void)snprintf(line, sizeof line, "slot %.0f: %s", colony__ctl_number(slot, "slot"),
                       colony__ctl_text(slot, "state"));
        tree->is_last[0] = !slot->next;
        print_line(tree, line);
        print_processes(tree, cJSON_GetObjectItemCaseSensitive(slot, "processes"));
    }
    tree->depth = 0;
}

static void print_tree(const struct cJSON *templates)
{
    struct tree tree = {.branches = &ascii_branches, .width = colony_columns_terminal()};
    const struct cJSON *template;

    if (colony_columns_shows_utf8())
        tree.branches = &utf8_branches;
    cJSON_ArrayForEach(template, templates)
    {
        print_line(&tree, colony__ctl_text(template, "name"));
        print_slots(&tree, cJSON_GetObjectItemCaseSensitive(template, "slots"));
    }
}

/* What is asked for is moved from one list to the other. */
struct choice {
    struct cJSON *all;
    struct cJSON *chosen;
};

static int choose(const struct ctl *ctl, const char *name, void *data)
{
    struct choice *choice = data;
    struct cJSON *template = choice->all->child;
    struct cJSON *status = NULL;
    int exit_code;

    while (template && strcmp(colony__ctl_text(template, "name"), name) != 0)
        template = template->next;
    if (template) {
        template = cJSON_DetachItemViaPointer(choice->all, template);
        (void)cJSON_AddItemToArray(choice->chosen, template);
        return EXIT_OK;
    }
    exit_code = colony__ctl_get(ctl, "/status/", "show the tree of", name, &status);
    cJSON_Delete(status); /* it is there twice on the command line, or has just come */
    return exit_code;
}

int colony__ctl_tree(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_question question = colony__ctl_look("/tree", "show the tree", NULL);
    struct choice choice = {.chosen = cJSON_CreateArray()};
    const struct ctl_deed deed = {"show the tree of", choose, &choice};
    const struct cJSON *shown;
    int exit_code = choice.chosen ? colony__ctl_ask_json(ctl, &question, &choice.all)
                                  : colony__ctl_fail(EXIT_FAILED, "cannot show: out of memory");

    if (choice.all && argc > 1)
        exit_code = colony__ctl_each_name(ctl, argc, argv, &deed);
    shown = argc > 1 ? choice.chosen : choice.all;
    if (choice.all && !ctl->is_json)
        print_tree(shown);
    else if (choice.all && colony__ctl_print_tree(shown) != EXIT_OK)
        exit_code = EXIT_FAILED;
    cJSON_Delete(choice.chosen);
    cJSON_Delete(choice.all);
    return exit_code;
}
