/* SPDX-License-Identifier: Apache-2.0 */
/* dependences.c - the graph of who waits for whom: its circles, its ranks. */
#include "session/dependences.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/config.h"
#include "session/process.h"
#include "session/process_internal.h"

int colony_dependence_split(const char *word, char *name, size_t size, const char **state,
                            struct colony_error *err)
{
    const char *colon = strrchr(word, ':');
    size_t length = colon ? (size_t)(colon - word) : strlen(word);
    int rc;

    if (length >= size)
        return colony_fail(err, -EINVAL, "cannot use a name of %zu bytes", length);
    memcpy(name, word, length);
    name[length] = '\0';
    rc = colony__session_name_check(name, err);
    if (rc == 0 && colon && colon[1] == '\0')
        rc = colony_fail(err, -EINVAL, "cannot use `%s`: no state follows its `:`", word);
    if (rc == 0 && colon)
        rc = colony__session_name_check(colon + 1, err);
    if (rc == 0)
        *state = colon ? colon + 1 : NULL;
    return rc;
}

enum colour {
    COLOUR_NEW,
    COLOUR_OPEN, /* on the way that is being walked */
    COLOUR_DONE,
};

/* The graph by indexes of the list: edges of item i are at edges[first[i]] to edges[first[i + 1]].
 */
struct graph {
    const struct colony_session_list *list;
    size_t *first;
    size_t *edges; /* parents */
    size_t *which; /* dependences of the config, as edges */
    size_t *levels;
    unsigned char *colours;
    size_t *path; /* items that are open, and how far each has come */
    size_t *next;
    size_t depth;
    struct colony_session_config *passes; /* goes on at a circle, and marks what closes it */
    struct colony_error *circle;          /* the first one, when it goes on */
};

static void clear_graph(struct graph *graph)
{
    free(graph->first);
    free(graph->edges);
    free(graph->which);
    free(graph->colours);
    free(graph->path);
    free(graph->next);
}

static size_t index_of(const struct colony_session_list *list, const char *word)
{
    const struct colony_session_process *found = colony_session_list_find(list, word);

    return found ? (size_t)(found - list->items) : SIZE_MAX;
}

/* Dependences of what there is not are left out. */
static void fill_graph(struct graph *graph, const struct colony_session_config *config,
                       size_t (*ends)[2])
{
    size_t total = 0;

    for (size_t i = 0; i < config->dependence_count; i++)
        if (ends[i][0] != SIZE_MAX && ends[i][1] != SIZE_MAX)
            graph->first[ends[i][0] + 1]++;
    for (size_t i = 0; i < graph->list->count; i++) {
        graph->next[i] = total; /* where the next edge of it goes */
        total += graph->first[i + 1];
        graph->first[i + 1] = total;
    }
    for (size_t i = 0; i < config->dependence_count; i++)
        if (ends[i][0] != SIZE_MAX && ends[i][1] != SIZE_MAX) {
            graph->which[graph->next[ends[i][0]]] = i;
            graph->edges[graph->next[ends[i][0]]++] = ends[i][1];
        }
    for (size_t i = 0; i < graph->list->count; i++)
        graph->next[i] = graph->first[i];
}

static int make_graph(struct graph *graph, const struct colony_session_config *config,
                      const struct colony_session_list *list)
{
    size_t(*ends)[2] = calloc(config->dependence_count + 1, sizeof *ends);

    *graph = (struct graph){.list = list};
    graph->first = calloc(list->count + 2, sizeof *graph->first);
    graph->edges = calloc(config->dependence_count + 1, sizeof *graph->edges);
    graph->which = calloc(config->dependence_count + 1, sizeof *graph->which);
    graph->colours = calloc(list->count + 1, 1);
    graph->path = calloc(list->count + 1, sizeof *graph->path);
    graph->next = calloc(list->count + 1, sizeof *graph->next);
    if (!ends || !graph->first || !graph->edges || !graph->which || !graph->colours ||
        !graph->path || !graph->next) {
        free(ends);
        return -ENOMEM;
    }
    for (size_t i = 0; i < config->dependence_count; i++) {
        ends[i][0] = index_of(list, config->dependences[i].child);
        ends[i][1] = index_of(list, config->dependences[i].parent);
    }
    fill_graph(graph, config, ends);
    free(ends);
    return 0;
}

/* "a → b → a": from where @item is open to the end of the way, and @item again; a child comes
 * before the parent that it waits for. */
static int fail_circle(const struct graph *graph, size_t item, struct colony_error *err)
{
    char text[COLONY_ERROR_TEXT_MAX / 2];
    size_t used = 0;
    size_t start = 0;

    while (graph->path[start] != item)
        start++;
    for (size_t i = start; i <= graph->depth && used < sizeof text; i++) {
        size_t at = i < graph->depth ? graph->path[i] : item;

        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > start ? " → " : "",
                                 colony_session_process_title(&graph->list->items[at]));
    }
    return colony_fail(err, -ELOOP, "each would wait for the next for ever: %s%s", text,
                       used >= sizeof text ? "..." : "");
}

/* What comes back to @item, which is open, is left out of the order. */
static void pass_circle(struct graph *graph, size_t item)
{
    size_t at = graph->path[graph->depth - 1];
    struct colony_dependence *closing =
        &graph->passes->dependences[graph->which[graph->next[at]++]];
    struct colony_error reason;

    closing->closes_circle = true;
    if (graph->circle->code != 0)
        return;
    (void)fail_circle(graph, item, &reason);
    (void)colony_fail(graph->circle, -ELOOP,
                      "etc/session.yaml:%u:%u: %s (take one of these dependences out)",
                      closing->line, closing->column, reason.message);
}

/* Depth first, without recursion: circles may be as long as the list. */
static int walk(struct graph *graph, size_t start, struct colony_error *err)
{
    graph->path[0] = start;
    graph->depth = 1;
    graph->colours[start] = COLOUR_OPEN;
    while (graph->depth > 0) {
        size_t item = graph->path[graph->depth - 1];
        size_t parent;

        if (graph->next[item] == graph->first[item + 1]) {
            graph->colours[item] = COLOUR_DONE;
            graph->depth--;
            continue;
        }
        parent = graph->edges[graph->next[item]];
        if (graph->colours[parent] == COLOUR_OPEN && graph->passes) {
            pass_circle(graph, parent);
            continue;
        }
        if (graph->colours[parent] == COLOUR_OPEN)
            return fail_circle(graph, parent, err);
        if (graph->colours[parent] == COLOUR_NEW) {
            graph->colours[parent] = COLOUR_OPEN;
            graph->path[graph->depth++] = parent;
            continue;
        }
        graph->next[item]++;
        if (graph->levels && graph->levels[parent] >= graph->levels[item])
            graph->levels[item] = graph->levels[parent] + 1;
    }
    return 0;
}

/* From @first to before @end. */
static int walk_all(struct graph *graph, size_t *levels, size_t first, size_t end,
                    struct colony_error *err)
{
    int rc = 0;

    graph->levels = levels;
    for (size_t i = 0; levels && i < graph->list->count; i++)
        levels[i] = 0;
    for (size_t i = first; i < end && rc == 0; i++)
        if (graph->colours[i] == COLOUR_NEW)
            rc = walk(graph, i, err);
    clear_graph(graph);
    return rc;
}

static int open_graph(struct graph *graph, const struct colony_session_config *config,
                      const struct colony_session_list *list, struct colony_error *err)
{
    int rc = make_graph(graph, config, list);

    if (rc < 0) {
        clear_graph(graph);
        (void)colony_fail(err, rc, "cannot put the processes in order: out of memory");
    }
    return rc;
}

int colony_dependences_rank(const struct colony_session_config *config,
                            const struct colony_session_list *list, size_t *levels,
                            struct colony_error *err)
{
    struct graph graph;
    int rc = open_graph(&graph, config, list, err);

    return rc < 0 ? rc : walk_all(&graph, levels, 0, list->count, err);
}

int colony_dependences_order(struct colony_session_config *config,
                             const struct colony_session_list *list, size_t *levels,
                             struct colony_error *circle, struct colony_error *err)
{
    struct graph graph;
    int rc = open_graph(&graph, config, list, err);

    if (rc < 0)
        return rc;
    *circle = (struct colony_error){0};
    graph.passes = config;
    graph.circle = circle;
    return walk_all(&graph, levels, 0, list->count, err);
}

int colony_dependences_check_one(const struct colony_session_config *config,
                                 const struct colony_session_list *list, const char *word,
                                 struct colony_error *err)
{
    size_t item = index_of(list, word);
    struct graph graph;
    int rc = open_graph(&graph, config, list, err);

    return rc < 0 ? rc : walk_all(&graph, NULL, item, item == SIZE_MAX ? item : item + 1, err);
}

int colony_dependences_check(const struct colony_session_config *config,
                             const struct colony_session_list *list, struct colony_error *err)
{
    for (size_t i = 0; i < config->dependence_count; i++) {
        const char *words[] = {config->dependences[i].child, config->dependences[i].parent};

        for (int j = 0; j < 2; j++)
            if (!colony_session_list_find(list, words[j]))
                return colony_session_list_complain(list, words[j], err);
    }
    return colony_dependences_rank(config, list, NULL, err);
}
