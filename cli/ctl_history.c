/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_history.c - `colony ctl history`. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

enum {
    DEFAULT_COUNT = 30,
    PAGE_MIN = 200,   /* rows asked for at once, of which some are not shown */
    PAGE_MAX = 10000, /* that one answer may have */
};

/* "2026-11-22 16:12:41" in the user's own time, or what the answer said. */
static void write_time(char *text, size_t size, const struct cJSON *event)
{
    double at = colony__ctl_parse_time(colony__ctl_text(event, "time"));
    time_t seconds = (time_t)at;
    struct tm tm;

    if (at < 0 || !localtime_r(&seconds, &tm) ||
        strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(text, size, "%s", colony__ctl_text(event, "time"));
}

static int add_event(struct colony_columns *columns, const struct cJSON *event)
{
    char when[64];
    char who[CTL_NOTE_MAX];
    char pid[CTL_NUMBER_MAX] = "";
    char what[CTL_NOTE_MAX];

    write_time(when, sizeof when, event);
    if (colony__ctl_number(event, "slot") >= 1)
        (void)snprintf(who, sizeof who, "%.400s.%.0f", colony__ctl_text(event, "name"),
                       colony__ctl_number(event, "slot"));
    else
        (void)snprintf(who, sizeof who, "%s", colony__ctl_text(event, "name"));
    if (colony__ctl_number(event, "os_pid") >= 1)
        (void)snprintf(pid, sizeof pid, "%.0f", colony__ctl_number(event, "os_pid"));
    colony__ctl_describe_event(what, event);
    return colony_columns_add(columns, (const struct colony_cell[]){
                                           {when, NULL}, {who, NULL}, {pid, NULL}, {what, NULL}});
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

static int write_path(char path[CTL_PATH_MAX], const struct ctl *ctl, const char *name,
                      uint64_t count, double before)
{
    char query[128];
    int used = snprintf(query, sizeof query, "limit=%" PRIu64, count);

    if (ctl->slot > 0)
        used += snprintf(query + used, sizeof query - (size_t)used, "&slot=%" PRIu64, ctl->slot);
    if (before >= 1)
        (void)snprintf(query + used, sizeof query - (size_t)used, "&before=%.0f", before);
    if (name) {
        char after[sizeof query + 1];

        (void)snprintf(after, sizeof after, "&%s", query);
        return colony__ctl_path(path, "/history?name=", name, after);
    }
    (void)snprintf(path, CTL_PATH_MAX, "/history?%s", query);
    return EXIT_OK;
}

/* Moves what is to be shown of @page to @all, which is to have @count. Returns how many rows the
 * page had; *before is the last one's. */
static uint64_t take_page(const struct ctl *ctl, struct cJSON *page, uint64_t *count,
                          double *before, struct cJSON *all)
{
    bool is_whole = ctl->is_json || ctl->all;
    uint64_t rows = 0;
    struct cJSON *event;

    for (; (event = cJSON_DetachItemFromArray(page, 0)) != NULL; rows++) {
        *before = colony__ctl_number(event, "seq");
        if (*count > 0 && (is_whole || !colony__ctl_event_is_detail(event)) &&
            cJSON_AddItemToArray(all, event))
            --*count;
        else
            cJSON_Delete(event);
    }
    return rows;
}

/* Asks page by page for the newest @count events. */
static int collect(const struct ctl *ctl, const char *name, uint64_t count, struct cJSON *all)
{
    uint64_t wanted = count < PAGE_MIN ? PAGE_MIN : count < PAGE_MAX ? count : PAGE_MAX;
    uint64_t got = wanted;
    double before = 0;

    while (count > 0 && got >= wanted) {
        char path[CTL_PATH_MAX] = "";
        const struct ctl_question question =
            colony__ctl_look(path, name ? "show the history of" : "show the history", name);
        struct cJSON *page;
        int exit_code = write_path(path, ctl, name, wanted, before);

        if (exit_code == EXIT_OK)
            exit_code = colony__ctl_ask_json(ctl, &question, &page);
        if (exit_code != EXIT_OK)
            return exit_code;
        got = take_page(ctl, page, &count, &before, all);
        cJSON_Delete(page);
        if (before < 1)
            break; /* there is nothing before the first, and no way to go on from no number */
    }
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
    uint64_t count = ctl->lines == UINT64_MAX ? DEFAULT_COUNT : ctl->lines;
    const char *name = argc > 1 ? argv[1] : NULL;
    struct cJSON *all = cJSON_CreateArray();
    int exit_code;

    if (!all)
        return colony__ctl_fail(EXIT_FAILED, "cannot show the history: out of memory");
    exit_code = collect(ctl, name, count, all);
    if (exit_code == EXIT_OK && name && !all->child)
        exit_code = check_name(ctl, name);
    if (exit_code == EXIT_OK)
        exit_code = ctl->is_json ? colony__ctl_print_tree(all) : print_events(all);
    cJSON_Delete(all);
    return exit_code;
}
