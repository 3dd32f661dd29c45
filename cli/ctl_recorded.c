/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_recorded.c - asks for recorded events, page by page: for history and events. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/settings.h"
#include "ctl_internal.h"

enum {
    PAGE_MIN = 200,   /* rows asked for at once, of which some are not shown */
    PAGE_MAX = 10000, /* that one answer may have */
};

static void write_time(char *text, size_t size, const struct cJSON *event)
{
    double at = colony__ctl_parse_time(colony__ctl_text(event, "time"));
    time_t seconds = (time_t)at;
    struct tm tm;

    if (at < 0 || !localtime_r(&seconds, &tm) ||
        strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(text, size, "%s", colony__ctl_text(event, "time"));
}

static void write_who(char *text, size_t size, const struct cJSON *event)
{
    const char *name = colony__ctl_text(event, "name");

    if (colony__ctl_number(event, "slot") >= 1)
        (void)snprintf(text, size, "%.400s.%.0f", name, colony__ctl_number(event, "slot"));
    else
        (void)snprintf(text, size, "%s", name);
}

void colony__ctl_write_event(struct ctl_event_line *line, const struct cJSON *event)
{
    double pid = colony__ctl_number(event, "os_pid");

    write_time(line->when, sizeof line->when, event);
    write_who(line->who, sizeof line->who, event);
    line->pid[0] = '\0';
    if (pid >= 1)
        (void)snprintf(line->pid, sizeof line->pid, "%.0f", pid);
    colony__ctl_describe_event(line->what, event);
}

/* A time of the user's own zone; of today when no day is told. */
static bool parse_local(double *since, const char *text)
{
    static const char *const formats[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
                                          "%Y-%m-%d %H:%M",    "%Y-%m-%d",
                                          "%H:%M:%S",          "%H:%M"};
    time_t now = time(NULL);

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct tm tm;
        const char *rest;

        if (!localtime_r(&now, &tm))
            return false;
        tm.tm_sec = tm.tm_min = tm.tm_hour = 0;
        rest = strptime(text, formats[i], &tm);
        if (!rest || *rest != '\0')
            continue;
        tm.tm_isdst = -1;
        *since = (double)mktime(&tm);
        return *since >= 0;
    }
    return false;
}

int colony__ctl_parse_since(double *since, const char *text)
{
    size_t length = strlen(text);
    uint64_t ago_ms;

    if (colony_settings_parse_duration(text, &ago_ms) == 0) {
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        *since = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)ago_ms / 1000;
        return 0;
    }
    if (length > 0 && text[length - 1] == 'Z') {
        *since = colony__ctl_parse_time(text);
        return *since >= 0 ? 0 : -EINVAL;
    }
    return parse_local(since, text) ? 0 : -EINVAL;
}

int colony__ctl_limit_recorded(struct ctl_recorded *wish, const struct ctl *ctl,
                               uint64_t default_count)
{
    wish->count = ctl->lines != UINT64_MAX ? ctl->lines : ctl->since ? UINT64_MAX : default_count;
    wish->since = 0;
    if (!ctl->since || colony__ctl_parse_since(&wish->since, ctl->since) == 0)
        return EXIT_OK;
    return colony__ctl_fail(EXIT_USAGE,
                            "--since: not a time such as 10m, 16:12 or 2026-11-22T16:12:41Z: %s",
                            ctl->since);
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

static bool is_shown(const struct ctl_recorded *wish, const struct cJSON *event)
{
    if (wish->filter && !colony__ctl_is_wanted(wish->filter, event))
        return false;
    return wish->is_whole || !colony__ctl_event_is_detail(event);
}

/* What one page had. */
struct page {
    uint64_t rows;
    double last;  /* seq of the oldest */
    bool is_over; /* there are older ones than are asked for */
};

/* Moves what is to be shown of @json to @all. */
static struct page take_page(const struct ctl_recorded *wish, struct cJSON *json, uint64_t *count,
                             struct cJSON *all)
{
    struct page page = {0};
    struct cJSON *event;

    for (; (event = cJSON_DetachItemFromArray(json, 0)) != NULL; page.rows++) {
        double at = colony__ctl_parse_time(colony__ctl_text(event, "time"));

        page.last = colony__ctl_number(event, "seq");
        page.is_over = page.is_over || (at >= 0 && at < wish->since);
        if (*count > 0 && !page.is_over && is_shown(wish, event) &&
            cJSON_AddItemToArray(all, event))
            --*count;
        else
            cJSON_Delete(event);
    }
    return page;
}

int colony__ctl_collect(const struct ctl *ctl, const struct ctl_recorded *wish, struct cJSON *all)
{
    uint64_t count = wish->count;
    uint64_t wanted = count < PAGE_MIN ? PAGE_MIN : count < PAGE_MAX ? count : PAGE_MAX;
    struct page page = {.rows = wanted};

    while (count > 0 && page.rows >= wanted && !page.is_over) {
        char path[CTL_PATH_MAX] = "";
        const struct ctl_question question = colony__ctl_look(
            path, wish->name ? "show the history of" : "show the history", wish->name);
        struct cJSON *json = NULL;
        int exit_code = write_path(path, ctl, wish->name, wanted, page.last);

        if (exit_code == EXIT_OK)
            exit_code = colony__ctl_ask_json(ctl, &question, &json);
        if (exit_code != EXIT_OK)
            return exit_code;
        page = take_page(wish, json, &count, all);
        cJSON_Delete(json);
        if (page.last < 1)
            break; /* there is nothing before the first, and no way to go on from no number */
    }
    return EXIT_OK;
}
