/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_watch.c - `colony ctl watch`: events as they happen, one a line. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "ctl_internal.h"
#include "event_source.h"

struct watch {
    const struct ctl *ctl;
    const struct ctl_filter *filter;
    struct colony_event_source source;
};

/* --- as lines --------------------------------------------------------------------------------- */

void colony__ctl_print_event(const struct cJSON *event)
{
    struct ctl_event_line line;

    colony__ctl_write_event(&line, event);
    colony__ctl_print_text(line.when);
    printf("  ");
    colony__ctl_print_text(line.who);
    printf("  %s  ", line.pid[0] ? line.pid : "-");
    colony__ctl_print_text(line.what);
    printf("\n");
}

static int print_dropped(const struct watch *watch, const struct cJSON *event)
{
    if (watch->ctl->is_json)
        printf("{\"event\":\"dropped\",\"events\":%.0f}\n", colony__ctl_number(event, "events"));
    else
        printf("%.0f events are missing here: they were not read in time\n",
               colony__ctl_number(event, "events"));
    return 0;
}

static int flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0)
        return 0;
    if (errno == EPIPE)
        return -EPIPE;
    (void)colony__ctl_fail(EXIT_FAILED, "cannot write to standard output: %s", strerror(errno));
    return -ECANCELED;
}

static int on_event(const char *kind, const char *text, void *data)
{
    const struct watch *watch = data;
    struct cJSON *event = cJSON_Parse(text);
    bool is_whole = watch->ctl->is_json || watch->ctl->all || watch->filter->is_whole;

    if (event && strcmp(kind, "dropped") == 0)
        (void)print_dropped(watch, event);
    else if (event && colony__ctl_is_wanted(watch->filter, event) &&
             (is_whole || !colony__ctl_event_is_detail(event))) {
        if (watch->ctl->is_json)
            (void)colony__ctl_print_tree(event);
        else
            colony__ctl_print_event(event);
    }
    cJSON_Delete(event);
    return flush();
}

/* --- from where ------------------------------------------------------------------------------- */

static int on_bytes(const char *bytes, size_t size, void *data)
{
    struct watch *watch = data;
    int rc = colony_event_source_feed(&watch->source, bytes, size);

    if (rc != -ENOMEM && rc != -EMSGSIZE)
        return rc;
    (void)colony__ctl_fail(EXIT_FAILED, "cannot watch: %s",
                           rc == -ENOMEM ? "out of memory" : "an event is too long");
    return -ECANCELED;
}

static void on_again(void *data)
{
    struct watch *watch = data;

    colony_event_source_restart(&watch->source);
}

/* The route that tells the least of what is not wanted. */
static int write_path(char path[CTL_PATH_MAX], const struct ctl_filter *filter)
{
    static const char query[] = "?feed=eventsource";
    char after[64];

    (void)snprintf(after, sizeof after, "%s%s%s", filter->kind ? "/" : "",
                   filter->kind ? filter->kind : "", query);
    if (filter->name)
        return colony__ctl_path(path, "/watch/proc/", filter->name, after);
    (void)snprintf(path, CTL_PATH_MAX, "/watch%s", after);
    return EXIT_OK;
}

int colony__ctl_follow_events(const struct ctl *ctl, const struct ctl_filter *filter,
                              const char *last_id)
{
    char path[CTL_PATH_MAX] = "";
    struct watch watch = {.ctl = ctl, .filter = filter, .source = {.cb = on_event, .data = &watch}};
    const struct ctl_follow follow = {
        .question = {.method = "GET",
                     .path = path,
                     .doing = "watch",
                     .name = filter->name,
                     .on_body = on_bytes},
        .last_id = watch.source.id,
        .again = on_again,
        .data = &watch,
    };
    int exit_code = write_path(path, filter);

    (void)snprintf(watch.source.id, sizeof watch.source.id, "%s", last_id);
    colony_event_source_restart(&watch.source);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_follow(ctl, &follow);
    colony_event_source_clear(&watch.source);
    return exit_code;
}

void colony__ctl_write_last_id(char id[CTL_NUMBER_MAX], const struct ctl *ctl)
{
    struct cJSON *newest = colony__ctl_peek(ctl, "/history?limit=1");
    double seq = newest ? colony__ctl_number(newest->child, "seq") : 0;

    id[0] = '\0';
    if (seq >= 1)
        (void)snprintf(id, CTL_NUMBER_MAX, "%.0f", seq);
    cJSON_Delete(newest);
}

int colony__ctl_watch(struct ctl *ctl, int argc, char **argv)
{
    char last_id[CTL_NUMBER_MAX] = "";
    struct ctl_filter filter;
    int exit_code = colony__ctl_filter(ctl, "watch", argc, argv, &filter);

    if (exit_code == EXIT_OK) {
        colony__ctl_write_last_id(last_id, ctl);
        exit_code = colony__ctl_follow_events(ctl, &filter, last_id);
    }
    cJSON_Delete(filter.names);
    return exit_code;
}
