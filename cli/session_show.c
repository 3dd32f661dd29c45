/* SPDX-License-Identifier: Apache-2.0 */
/* session_show.c - `colony session show`: all processes of a session, as a table or as JSON. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"
#include "session/view.h"
#include "session_graph.h"
#include "session_internal.h"

enum {
    PARENTS_MAX = 4096,
    NUMBER_MAX = 32,
};

/* clang-format off */
const struct colony_option session_show_options[] = {
    SESSION_PLACE, SESSION_JSON,
    {"graph", 0, NULL, "print who waits for whom as a tree",                 OPTION_FLAG, SESSION_AT(as_graph), NULL},
    {"dot",   0, NULL, "print it for graphviz: | dot -Tsvg > session.svg",   OPTION_FLAG, SESSION_AT(as_dot), NULL},
    SESSION_END,
};
/* clang-format on */

/* "master.tws:operative, db" */
static void write_parents(char *text, size_t size, const struct colony_view *view,
                          const struct colony_sight *sight)
{
    const struct colony_dependence *dependence;
    size_t used = 0;
    size_t at = 0;

    text[0] = '\0';
    while ((dependence = colony_view_next(view, (size_t)(sight - view->sights), &at)) != NULL &&
           used < size)
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", used > 0 ? ", " : "",
                                 dependence->parent, dependence->state ? ":" : "",
                                 dependence->state ? dependence->state : "");
}

static const char *colour_of(const struct colony_sight *sight)
{
    if (!sight->is_alive)
        return sight->process->restart ? "31" : NULL;
    return strcmp(sight->state, COLONY_STATE_STARTING) == 0 ? "33" : "32";
}

static int add_row(struct colony_columns *columns, const struct colony_view *view,
                   const struct colony_sight *sight)
{
    const struct colony_session_process *process = sight->process;
    char parents[PARENTS_MAX];
    char pid[NUMBER_MAX] = "-";
    char uptime[CTL_NUMBER_MAX] = "-";
    char score[NUMBER_MAX] = "-";
    const struct colony_cell cells[] = {
        {process->name, NULL},
        {process->alias ? process->alias : "-", NULL},
        {sight->state, colour_of(sight)},
        {pid, NULL},
        {uptime, NULL},
        {process->restart ? "1" : "0", NULL},
        {process->shutdown ? "1" : "0", NULL},
        {parents, NULL},
        {score, NULL},
        {sight->note ? sight->note : "", NULL},
    };

    write_parents(parents, sizeof parents, view, sight);
    if (sight->is_alive) {
        (void)snprintf(pid, sizeof pid, "%ld", (long)process->pid);
        colony__ctl_write_duration(uptime, sight->uptime_seconds);
    }
    if (sight->has_score)
        (void)snprintf(score, sizeof score, "%.2f", sight->score);
    return colony_columns_add(columns, cells);
}

static int print_table(const struct colony_view *view, struct colony_error *err)
{
    static const char *const headers[] = {"NAME",    "ALIAS",    "STATE",   "PID",   "UPTIME",
                                          "RESTART", "SHUTDOWN", "PARENTS", "SCORE", "NOTE"};
    struct colony_columns *columns;
    int rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);

    if (rc < 0)
        return colony_fail(err, rc, "cannot show the session: out of memory");
    for (size_t i = 0; i < view->list.count && rc == 0; i++)
        rc = add_row(columns, view, &view->sights[i]);
    if (rc < 0)
        (void)colony_fail(err, rc, "cannot show the session: out of memory");
    else
        colony_columns_print(columns);
    colony_columns_free(columns);
    return rc;
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

int session_print_json(struct cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;

    cJSON_Delete(json);
    if (!text)
        return session_fail(EXIT_FAILED, "cannot print: out of memory");
    (void)puts(text);
    free(text);
    return EXIT_OK;
}

static int print_json(const struct colony_view *view)
{
    struct cJSON *all = cJSON_CreateArray();

    for (size_t i = 0; all && i < view->list.count; i++)
        if (!cJSON_AddItemToArray(all, colony_view_json(view, &view->sights[i]))) {
            cJSON_Delete(all);
            all = NULL;
        }
    return session_print_json(all);
}

int session_look(const struct session *session, struct colony_view *view, struct colony_error *err)
{
    int rc = colony_view_take(view, &session->open, err);

    if (rc < 0)
        return rc;
    rc = colony_view_explain(view, session->open.workspace, err);
    if (rc < 0)
        colony_view_clear(view);
    return rc;
}

int session_show(struct session *session, int argc, char **argv)
{
    struct colony_error err = {0};
    struct colony_view view;
    int exit_code = EXIT_OK;

    (void)argc;
    (void)argv;
    if (session_look(session, &view, &err) < 0)
        return session_fail_error(&err);
    if (session->is_json)
        exit_code = print_json(&view);
    else if (session->as_dot)
        session_graph_print_dot(&view);
    else if (session->as_graph ? session_graph_print(&view, &err) < 0
                               : print_table(&view, &err) < 0)
        exit_code = session_fail_error(&err);
    colony_view_clear(&view);
    return exit_code;
}
