/* SPDX-License-Identifier: Apache-2.0 */
/* session_status.c - `colony session status`: one process in detail, or a line for each. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"
#include "session/uri.h"
#include "session/view.h"
#include "session_internal.h"

enum {
    LINE_BYTES_MAX = 4096,
};

const struct colony_option session_status_options[] = {SESSION_PLACE, SESSION_JSON, SESSION_END};

static void print_clean(const char *text)
{
    char clean[LINE_BYTES_MAX];

    (void)colony_columns_clean(clean, sizeof clean, text, 0);
    (void)fputs(clean, stdout);
}

/* "master.tws (yellow-panda): operative, pid 12, up 3m, score 0.97" */
static void print_line(const struct colony_sight *sight)
{
    const struct colony_session_process *process = sight->process;
    char uptime[CTL_NUMBER_MAX];

    print_clean(colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
    printf(": ");
    print_clean(sight->state);
    if (sight->is_alive) {
        colony__ctl_write_duration(uptime, sight->uptime_seconds);
        printf(", pid %ld, up %s", (long)process->pid, uptime);
    }
    if (sight->has_score)
        printf(", score %.2f", sight->score);
    if (sight->note) {
        printf(": ");
        print_clean(sight->note);
    }
    printf("\n");
}

/* What may be a secret in it is not shown. */
static void print_masked(const char *label, const char *text)
{
    char *masked = colony_uri_mask(text);

    printf("  %s", label);
    print_clean(masked ? masked : "");
    printf("\n");
    free(masked);
}

static void print_cmdline(const struct colony_session_process *process)
{
    printf("  runs       ");
    for (char **word = process->cmdline; word && *word; word++) {
        char *masked = colony_argument_mask(*word, word > process->cmdline ? word[-1] : NULL);

        printf("%s", word == process->cmdline ? "" : " ");
        print_clean(masked ? masked : "");
        free(masked);
    }
    printf("%s\n", process->cmdline ? "" : "nothing: its command line is not known");
}

/* Of a process that does not run: what it would wait for. */
static void print_dependence(const struct colony_view *view,
                             const struct colony_dependence *dependence, bool is_alive)
{
    const struct colony_sight *parent = colony_view_find(view, dependence->parent);
    bool is_met = colony_view_is_met(view, dependence);
    char line[LINE_BYTES_MAX];

    if (dependence->state)
        (void)snprintf(line, sizeof line, "%s to be in state %s: it is %s", dependence->parent,
                       dependence->state, parent ? parent->state : "no process of this session");
    else
        (void)snprintf(line, sizeof line, "%s to run: it is %s", dependence->parent,
                       parent ? parent->state : "no process of this session");
    printf("  %s", is_met ? "has waited " : is_alive ? "needs      " : "waits for  ");
    print_clean(line);
    printf("\n");
}

static void print_details(const struct colony_view *view, const struct colony_sight *sight)
{
    const struct colony_session_process *process = sight->process;
    const struct colony_dependence *dependence;
    size_t at = 0;

    print_line(sight);
    if (process->uri)
        print_masked("uri        ", process->uri);
    print_cmdline(process);
    if (process->cwd)
        print_masked("in         ", process->cwd);
    printf("  restart    %s\n  shutdown   %s\n",
           process->restart ? "1 (it is started again when it ends)" : "0",
           process->shutdown ? "1 (deactivate stops it)" : "0");
    while ((dependence = colony_view_next(view, (size_t)(sight - view->sights), &at)) != NULL)
        print_dependence(view, dependence, sight->is_alive);
    if (process->date && process->state && strcmp(process->state, sight->state) == 0)
        printf("  since      %s\n", process->date);
}

static int tell_one(const struct session *session, const struct colony_view *view, const char *word)
{
    const struct colony_sight *sight = colony_view_find(view, word);
    struct colony_error err = {0};

    if (!sight) {
        (void)colony_session_list_complain(&view->list, word, &err);
        return session_fail_error(&err);
    }
    if (session->is_json) {
        int exit_code = session_print_json(colony_view_json(view, sight));

        if (exit_code != EXIT_OK)
            return exit_code;
    } else {
        print_details(view, sight);
    }
    return sight->is_alive ? EXIT_OK : EXIT_NOT_RUNNING;
}

/* One that is to be restarted and does not run is what is wrong. */
static int tell_all(const struct session *session, const struct colony_view *view)
{
    struct cJSON *all = session->is_json ? cJSON_CreateArray() : NULL;
    int exit_code = EXIT_OK;

    for (size_t i = 0; i < view->list.count; i++) {
        const struct colony_sight *sight = &view->sights[i];

        if (!session->is_json)
            print_line(sight);
        else if (!all || !cJSON_AddItemToArray(all, colony_view_json(view, sight)))
            exit_code = EXIT_FAILED;
        if (exit_code == EXIT_OK && sight->process->restart && !sight->is_alive)
            exit_code = EXIT_NOT_RUNNING;
    }
    if (exit_code == EXIT_FAILED) {
        cJSON_Delete(all);
        return session_fail(EXIT_FAILED, "cannot print: out of memory");
    }
    if (session->is_json && session_print_json(all) != EXIT_OK)
        return EXIT_FAILED;
    return exit_code;
}

int session_status(struct session *session, int argc, char **argv)
{
    struct colony_error err = {0};
    struct colony_view view;
    int exit_code;

    if (session_look(session, &view, &err) < 0)
        return session_fail_error(&err);
    exit_code = argc > 1 ? tell_one(session, &view, argv[1]) : tell_all(session, &view);
    colony_view_clear(&view);
    return exit_code;
}
