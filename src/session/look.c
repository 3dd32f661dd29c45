/* SPDX-License-Identifier: Apache-2.0 */
#include "session/look_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/error.h"
#include "core/template.h"
#include "session/dependences.h"
#include "session/held_internal.h"

void session_look_tell(struct session_look *look, const char *line)
{
    char *copy = strdup(line);
    char **grown =
        colony_array_room(look->problems, look->problem_count, &look->problem_room, sizeof *grown);

    if (grown)
        look->problems = grown;
    if (grown && copy)
        look->problems[look->problem_count++] = copy;
    else
        free(copy);
}

void session_look_free(struct session_look *look)
{
    if (!look)
        return;
    for (size_t i = 0; i < look->count; i++)
        colony_template_free(look->items[i].template);
    for (size_t i = 0; i < look->problem_count; i++)
        free(look->problems[i]);
    free(look->problems);
    free(look->held);
    free(look->items);
    colony_session_config_clear(&look->config);
    colony_session_list_clear(&look->list);
    free(look);
}

static void on_problem(const char *line, void *data)
{
    session_look_tell(data, line);
}

/* The engine would refuse all that are in it. */
static void tell_circles(struct session_look *look, const struct colony_error *circle)
{
    char line[COLONY_ERROR_TEXT_MAX];

    if (circle->code == 0)
        return;
    session_look_tell(look, circle->message);
    for (size_t i = 0; i < look->config.dependence_count; i++) {
        const struct colony_dependence *one = &look->config.dependences[i];

        if (!one->closes_circle)
            continue;
        (void)snprintf(line, sizeof line,
                       "etc/session.yaml:%u:%u: %s does not wait for %s until that is mended",
                       one->line, one->column, one->child, one->parent);
        session_look_tell(look, line);
    }
}

/* Of equal rank by name, as the list is. */
static int put_in_order(struct session_look *look, struct colony_error *err)
{
    size_t count = look->list.count;
    size_t *levels = calloc(count + 1, sizeof *levels);
    size_t used = 0;
    struct colony_error circle;
    int rc;

    look->items = calloc(count + 1, sizeof *look->items);
    if (!levels || !look->items) {
        free(levels);
        return colony_fail_os(err, -ENOMEM, "cannot look at the session");
    }
    rc = colony_dependences_order(&look->config, &look->list, levels, &circle, err);
    if (rc == 0)
        tell_circles(look, &circle);
    for (size_t level = 0; rc == 0 && used < count; level++)
        for (size_t i = 0; i < count; i++)
            if (levels[i] == level)
                look->items[used++].index = i;
    look->count = rc == 0 ? used : 0;
    free(levels);
    return rc;
}

static int make_templates(struct session_look *look, struct colony_workspace *workspace,
                          struct colony_error *err)
{
    for (size_t i = 0; i < look->count; i++) {
        struct look_item *item = &look->items[i];
        const struct colony_session_process *process = &look->list.items[item->index];
        int rc = 0;

        if (process->cmdline && process->cmdline[0])
            rc = session_template_make(&item->template, process, look, workspace, err);
        if (colony_is_shortage(rc))
            return rc; /* or it would be taken for one that cannot be used */
        if (rc < 0)
            session_look_tell(look, err->message);
    }
    return 0;
}

int session_look_take(struct session_look **out, struct colony_workspace *workspace, bool finds,
                      struct colony_error *err)
{
    struct session_look *look = calloc(1, sizeof *look);
    int rc;

    if (!look)
        return colony_fail_os(err, -ENOMEM, "cannot look at the session");
    rc = colony_session_config_read_good(&look->config, workspace, on_problem, look, err);
    if (rc == 0)
        rc = colony_session_list_read(&look->list, workspace, on_problem, look, err);
    if (rc == 0)
        rc = put_in_order(look, err);
    if (rc == 0)
        rc = session_held_read(&look->held, workspace, err);
    if (rc == 0)
        rc = make_templates(look, workspace, err);
    if (rc < 0) {
        session_look_free(look);
        return rc;
    }
    session_look_find(look, workspace, finds);
    *out = look;
    return 0;
}
