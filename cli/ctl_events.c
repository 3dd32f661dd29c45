/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_events.c - `colony ctl events`: recorded events, one a line, and with -f those to come. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/signals.h"
#include "ctl_internal.h"

enum {
    DEFAULT_COUNT = 30,
};

static bool is_nothing(const struct cJSON *item)
{
    const char *text = cJSON_GetStringValue(item);

    return cJSON_IsNull(item) || (text && text[0] == '\0') ||
           (cJSON_IsNumber(item) && item->valuedouble < 1 && item->string &&
            strcmp(item->string, "exit_status") != 0);
}

static bool is_left_out(const struct cJSON *item)
{
    if (!item->string || strcmp(item->string, "cause") == 0)
        return false;
    return is_nothing(item) || strcmp(item->string, "term_signal") == 0;
}

/*
 * GET /history has all keys and names signals, GET /watch has gaffer's keys, where they mean
 * something: whoever reads JSON line by line is given the latter, before -f and after.
 */
static void make_watched(struct cJSON *event)
{
    struct cJSON *item = event->child;
    int signo = colony_signal_parse(colony__ctl_text(event, "term_signal"));
    bool is_exit = strcmp(colony__ctl_text(event, "event"), "exit") == 0;

    while (item) {
        struct cJSON *next = item->next;

        if (item->string && strcmp(item->string, "id") == 0 && !is_nothing(item)) {
            cJSON_AddNumberToObject(event, "pid", item->valuedouble);
            cJSON_Delete(cJSON_DetachItemViaPointer(event, item));
        } else if (is_left_out(item)) {
            cJSON_Delete(cJSON_DetachItemViaPointer(event, item));
        }
        item = next;
    }
    if (is_exit && signo > 0)
        cJSON_AddNumberToObject(event, "term_signal", signo);
}

static void print(const struct ctl *ctl, struct cJSON *event)
{
    if (!ctl->is_json) {
        colony__ctl_print_event(event);
        return;
    }
    make_watched(event);
    (void)colony__ctl_print_tree(event);
}

/* @all, newest first, from its end. */
static void print_all(const struct ctl *ctl, struct cJSON *all)
{
    struct cJSON *event = all->child ? all->child->prev : NULL; /* the last */

    while (event) {
        struct cJSON *newer = event == all->child ? NULL : event->prev;

        print(ctl, event);
        event = newer;
    }
    (void)fflush(stdout);
}

static int show(const struct ctl *ctl, const struct ctl_recorded *wish,
                const struct ctl_filter *filter)
{
    struct cJSON *newest = ctl->follows ? colony__ctl_peek(ctl, "/history?limit=1") : NULL;
    struct cJSON *all = cJSON_CreateArray();
    double seq = newest ? colony__ctl_number(newest->child, "seq") : 0;
    char last_id[CTL_NUMBER_MAX] = "";
    int exit_code = EXIT_FAILED;

    if (all)
        exit_code = colony__ctl_collect(ctl, wish, all);
    else
        (void)colony__ctl_fail(EXIT_FAILED, "cannot show events: out of memory");
    if (all && exit_code == EXIT_OK) {
        if (all->child && colony__ctl_number(all->child, "seq") > seq)
            seq = colony__ctl_number(all->child, "seq"); /* what came between is not told twice */
        print_all(ctl, all);
    }
    cJSON_Delete(newest);
    cJSON_Delete(all);
    if (exit_code != EXIT_OK || !ctl->follows)
        return exit_code;
    if (seq >= 1)
        (void)snprintf(last_id, sizeof last_id, "%.0f", seq);
    return colony__ctl_follow_events(ctl, filter, last_id);
}

int colony__ctl_events(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_filter filter;
    struct ctl_recorded wish = {.filter = &filter};
    int exit_code = colony__ctl_limit_recorded(&wish, ctl, DEFAULT_COUNT);

    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = colony__ctl_filter(ctl, "show events of", argc, argv, &filter);
    wish.name = filter.name;
    wish.is_whole = ctl->is_json || ctl->all || filter.is_whole;
    if (exit_code == EXIT_OK)
        exit_code = show(ctl, &wish, &filter);
    cJSON_Delete(filter.names);
    return exit_code;
}
