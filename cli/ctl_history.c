/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_history.c - `colony ctl history`. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

enum {
    DEFAULT_COUNT = 30,
};

static int add_event(struct colony_columns *columns, const struct cJSON *event)
{
    struct ctl_event_line line;

    colony__ctl_write_event(&line, event);
    return colony_columns_add(
        columns, (const struct colony_cell[]){
                     {line.when, NULL}, {line.who, NULL}, {line.pid, NULL}, {line.what, NULL}});
}

/* @events, newest first, from its end. */
static int print_events(const struct cJSON *events)
{
    static const char *const headers[] = {"TIME", "NAME", "PID", "WHAT"};
    struct colony_columns *columns = NULL;
    const struct cJSON *event = events->child ? events->child->prev : NULL; /* the last */
    int rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);

    for (; event && rc == 0; event = event == events->child ? NULL : event->prev)
        rc = add_event(columns, event);
    if (rc == 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show the history: out of memory");
    return EXIT_OK;
}

/* A name without a history may be one that never was. */
static int check_name(const struct ctl *ctl, const char *name)
{
    struct cJSON *status;
    int exit_code = colony__ctl_get(ctl, "/status/", "show the history of", name, &status);

    cJSON_Delete(status);
    return exit_code;
}

int colony__ctl_history(struct ctl *ctl, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    struct ctl_recorded wish = {.name = name, .is_whole = ctl->is_json || ctl->all};
    struct cJSON *all;
    int exit_code = colony__ctl_limit_recorded(&wish, ctl, DEFAULT_COUNT);

    if (exit_code != EXIT_OK)
        return exit_code;
    all = cJSON_CreateArray();
    if (!all)
        return colony__ctl_fail(EXIT_FAILED, "cannot show the history: out of memory");
    exit_code = colony__ctl_collect(ctl, &wish, all);
    if (exit_code == EXIT_OK && name && !all->child)
        exit_code = check_name(ctl, name);
    if (exit_code == EXIT_OK)
        exit_code = ctl->is_json ? colony__ctl_print_tree(all) : print_events(all);
    cJSON_Delete(all);
    return exit_code;
}
