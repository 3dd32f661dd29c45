/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gates.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/error.h"
#include "core/template.h"

enum mark {
    MARK_NEW,
    MARK_OPEN, /* on the way that is being walked */
    MARK_DONE,
};

struct node {
    const struct colony_template *template;
    size_t next;         /* the dependency to look at next */
    struct node *parent; /* who depends on it, on the way here */
    enum mark mark;
    UT_hash_handle hh;
};

struct graph {
    struct node *nodes;
    size_t count;
    size_t new_count; /* the first ones, which may lack nothing */
    struct node *by_name;
    size_t culprit;
    struct colony_error *err;
};

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

static struct node *find(const struct graph *graph, const char *name)
{
    struct node *node;

    HASH_FIND_STR(graph->by_name, name, node);
    return node;
}

static int add(struct graph *graph, struct node *node)
{
    HASH_ADD_KEYPTR(hh, graph->by_name, node->template->name, strlen(node->template->name), node);
    return node->hh.tbl ? 0 : -ENOMEM;
}

static void clear(struct graph *graph)
{
    HASH_CLEAR(hh, graph->by_name);
    free(graph->nodes);
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */

static int fail_missing(struct graph *graph, const struct node *node, const char *name)
{
    const char **names = calloc(graph->count + 1, sizeof(char *));
    const char *nearest = NULL;

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < graph->count; i++)
        names[i] = graph->nodes[i].template->name;
    nearest = colony_name_nearest(name, names);
    free(names);
    graph->culprit = (size_t)(node - graph->nodes);
    return colony_fail(
        graph->err, -ENOENT,
        "cannot start `%.100s`: it depends on `%.100s`, which is not there%s%.100s%s",
        node->template->name, name, nearest ? "; did you mean `" : "", nearest ? nearest : "",
        nearest ? "`?" : "");
}

/* "a → b → c → a", where @last depends on @first; of a long one only the beginning. */
static int fail_cycle(struct graph *graph, struct node *first, struct node *last)
{
    const size_t room = COLONY_NAME_MAX;
    char text[COLONY_ERROR_TEXT_MAX];
    size_t count = 1;
    size_t used = 0;

    for (struct node *node = last; node != first; node = node->parent) {
        node->parent->next = (size_t)(node - graph->nodes); /* the same way, but forwards */
        count++;
    }
    last->next = (size_t)(first - graph->nodes);
    for (struct node *node = first; count > 0 && used < room; count--) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s → ", node->template->name);
        node = &graph->nodes[node->next];
    }
    if (count > 0)
        used += (size_t)snprintf(text + used, sizeof text - used, "… (%zu more) → ", count);
    (void)snprintf(text + used, sizeof text - used, "%s", first->template->name);
    graph->culprit = (size_t)(first - graph->nodes);
    return colony_fail(graph->err, -ELOOP, "cannot order the starts: %s", text);
}

/* One step of the walk: down to a dependency, or back up when there is none left. */
static int step(struct graph *graph, struct node **at)
{
    struct node *node = *at;
    const struct colony_dependency *dependency;
    struct node *target;

    if (node->next == node->template->dependency_count) {
        node->mark = MARK_DONE;
        *at = node->parent;
        return 0;
    }
    dependency = &node->template->dependencies[node->next++];
    target = find(graph, dependency->name);
    if (!target && dependency->is_needed && (size_t)(node - graph->nodes) < graph->new_count)
        return fail_missing(graph, node, dependency->name);
    if (!target)
        return 0;
    if (target->mark == MARK_OPEN)
        return fail_cycle(graph, target, node);
    if (target->mark == MARK_DONE)
        return 0;
    target->mark = MARK_OPEN;
    target->parent = node;
    *at = target;
    return 0;
}

static int walk(struct graph *graph)
{
    int rc = 0;

    for (size_t i = 0; i < graph->count && rc == 0; i++) {
        struct node *at = &graph->nodes[i];

        if (at->mark == MARK_DONE)
            continue;
        at->mark = MARK_OPEN;
        while (at && rc == 0)
            rc = step(graph, &at);
    }
    return rc;
}

static int check(struct graph *graph, const struct colony_template *const *templates)
{
    int rc = 0;

    graph->nodes = calloc(graph->count + 1, sizeof *graph->nodes);
    if (!graph->nodes)
        rc = -ENOMEM;
    for (size_t i = 0; i < graph->count && rc == 0; i++) {
        graph->nodes[i].template = templates[i];
        rc = add(graph, &graph->nodes[i]);
    }
    if (rc == 0)
        rc = walk(graph);
    if (rc == -ENOMEM)
        (void)colony_fail(graph->err, rc, "cannot order the starts: out of memory");
    clear(graph);
    return rc;
}

int colony_gates_check(const struct colony_template *const *templates, size_t count,
                       size_t *culprit, struct colony_error *err)
{
    return colony_gates_check_new(templates, count, count, culprit, err);
}

int colony_gates_check_new(const struct colony_template *const *templates, size_t count,
                           size_t new_count, size_t *culprit, struct colony_error *err)
{
    struct graph graph = {.count = count, .new_count = new_count, .err = err};
    int rc = check(&graph, templates);

    if (rc < 0 && rc != -ENOMEM && culprit)
        *culprit = graph.culprit;
    return rc;
}
