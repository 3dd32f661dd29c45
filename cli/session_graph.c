/* SPDX-License-Identifier: Apache-2.0 */
#include "session_graph.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "session/view.h"

enum {
    DEPTH_MAX = 64,
    LINE_BYTES_MAX = 2048,
};

struct graph {
    const struct colony_view *view;
    bool *was_printed; /* of each of the list */
    bool is_last[DEPTH_MAX];
    const char *const *branches; /* middle, last, pass, blank */
};

static const char *const utf8_branches[] = {"├─ ", "└─ ", "│  ", "   "};
static const char *const ascii_branches[] = {"|- ", "`- ", "|  ", "   "};

/* The next dependence on @parent after *at. */
static const struct colony_dependence *next_child(const struct colony_view *view, size_t parent,
                                                  size_t *at, size_t *child)
{
    while (*at < view->config.dependence_count) {
        size_t index = (*at)++;

        *child = view->edges[index].child;
        if (*child < view->list.count && view->edges[index].parent == parent)
            return &view->config.dependences[index];
    }
    return NULL;
}

static bool has_children(const struct colony_view *view, size_t parent)
{
    size_t at = 0;
    size_t child;

    return next_child(view, parent, &at, &child) != NULL;
}

/* "master.trader: stopped, when master.tws is operative" */
static void print_line(struct graph *graph, size_t depth, size_t item,
                       const struct colony_dependence *dependence)
{
    const struct colony_sight *sight = &graph->view->sights[item];
    bool is_known = graph->was_printed[item] && has_children(graph->view, item);
    char line[LINE_BYTES_MAX];
    char clean[LINE_BYTES_MAX];

    for (size_t i = 1; i < depth; i++)
        (void)fputs(graph->branches[graph->is_last[i] ? 3 : 2], stdout);
    if (depth > 0)
        (void)fputs(graph->branches[graph->is_last[depth] ? 1 : 0], stdout);
    (void)snprintf(line, sizeof line, "%s: %s%s%s%s%s",
                   colony_session_process_title(sight->process), sight->state,
                   dependence ? ", when " : "", dependence ? dependence->parent : "",
                   dependence && dependence->state ? " is "
                   : dependence                    ? " runs"
                                                   : "",
                   dependence && dependence->state ? dependence->state : "");
    (void)colony_columns_clean(clean, sizeof clean, line, 0);
    printf("%s%s\n", clean, is_known ? " (see above)" : "");
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX */
static void print_below(struct graph *graph, size_t depth, size_t item,
                        const struct colony_dependence *dependence)
{
    bool is_known = graph->was_printed[item];
    const struct colony_dependence *next;
    size_t at = 0;
    size_t next_item;

    print_line(graph, depth, item, dependence);
    graph->was_printed[item] = true;
    if (is_known || depth + 1 >= DEPTH_MAX)
        return;
    next = next_child(graph->view, item, &at, &next_item);
    while (next) {
        const struct colony_dependence *one = next;
        size_t child = next_item;

        next = next_child(graph->view, item, &at, &next_item);
        graph->is_last[depth + 1] = !next;
        print_below(graph, depth + 1, child, one);
    }
}

int session_graph_print(const struct colony_view *view, struct colony_error *err)
{
    struct graph graph = {
        .view = view,
        .was_printed = calloc(view->list.count + 1, sizeof *graph.was_printed),
        .branches = colony_columns_shows_utf8() ? utf8_branches : ascii_branches,
    };

    if (!graph.was_printed)
        return colony_fail(err, -ENOMEM, "cannot show the session: out of memory");
    for (size_t i = 0; i < view->list.count; i++)
        if (view->levels[i] == 0)
            print_below(&graph, 0, i, NULL);
    free(graph.was_printed);
    return 0;
}

/* --- graphviz -----------------------------------------------------------------------------------
 */

static void print_quoted(const char *text)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)putchar('\\');
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static void print_edge(const struct colony_view *view, size_t index)
{
    const struct colony_dependence *dependence = &view->config.dependences[index];
    size_t parent = view->edges[index].parent;
    size_t child = view->edges[index].child;

    if (parent == view->list.count || child == view->list.count)
        return;
    printf("    ");
    print_quoted(view->list.items[parent].name);
    printf(" -> ");
    print_quoted(view->list.items[child].name);
    if (dependence->state) {
        printf(" [label=");
        print_quoted(dependence->state);
        printf("]");
    }
    printf(";\n");
}

void session_graph_print_dot(const struct colony_view *view)
{
    printf("digraph session {\n    edge [style=\"dashed\"];\n");
    for (size_t i = 0; i < view->list.count; i++) {
        char label[LINE_BYTES_MAX];

        (void)snprintf(label, sizeof label, "%s:%s",
                       colony_session_process_title(&view->list.items[i]), view->sights[i].state);
        printf("    ");
        print_quoted(view->list.items[i].name);
        printf(" [label=");
        print_quoted(label);
        printf("];\n");
    }
    for (size_t i = 0; i < view->config.dependence_count; i++)
        print_edge(view, i);
    printf("}\n");
}
