/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_juggler.c - events for Juggler, of any thread's, until they are told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/event_settings.h"
#include "lib/daemon_internal.h"

enum {
    REPORTS_MAX = 1000,
    TEXTS_MAX = 16384,
};

static size_t next_batch(struct colony_juggler_event *events, size_t max, void *data)
{
    struct colony_daemon *daemon = data;
    const struct colony__report *report;
    size_t count = 0;

    colony__daemon_lock(daemon);
    STAILQ_FOREACH(report, &daemon->reports, place)
    {
        if (count == max)
            break;
        events[count++] = (struct colony_juggler_event){.host = report->host,
                                                        .service = report->service,
                                                        .status = report->status,
                                                        .description = report->description,
                                                        .tags = daemon->settings->juggler->tags};
    }
    colony__daemon_unlock(daemon);
    return count;
}

static void drop_first(struct colony_daemon *daemon)
{
    struct colony__report *report = STAILQ_FIRST(&daemon->reports);

    STAILQ_REMOVE_HEAD(&daemon->reports, place);
    daemon->report_count--;
    free(report);
}

/* Those of a batch are told in their order, and stand first. */
static void on_told(size_t index, void *data)
{
    struct colony_daemon *daemon = data;

    (void)index;
    colony__daemon_lock(daemon);
    drop_first(daemon);
    colony__daemon_unlock(daemon);
    colony__daemon_wake_loop(daemon);
}

int colony__daemon_open_juggler(struct colony_daemon *daemon, struct colony_error *err)
{
    const struct colony_juggler_source source = {next_batch, on_told, daemon};

    if (!daemon->settings->juggler->url)
        return 0;
    return colony_juggler_sender_new(&daemon->sender, &daemon->loop, daemon->settings->juggler,
                                     &source, err);
}

size_t colony__daemon_look_at_reports(struct colony_daemon *daemon)
{
    size_t count;

    colony__daemon_lock(daemon);
    count = daemon->report_count;
    colony__daemon_unlock(daemon);
    if (count > 0 && daemon->sender)
        colony_juggler_sender_wake(daemon->sender);
    return count;
}

void colony__daemon_clear_reports(struct colony_daemon *daemon)
{
    while (!STAILQ_EMPTY(&daemon->reports))
        drop_first(daemon);
}

/* --- from any thread -------------------------------------------------------------------------- */

static char *put_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *place = *at;

    memcpy(place, text, size);
    *at += size;
    return place;
}

static int make_report(struct colony__report **out, const char *host, const char *service,
                       const char *description)
{
    size_t size = (host ? strlen(host) + 1 : 0) + strlen(service) + 1 + strlen(description) + 1;
    struct colony__report *report;
    char *at;

    if (size > TEXTS_MAX)
        return -EMSGSIZE;
    report = calloc(1, sizeof *report + size);
    if (!report)
        return -ENOMEM;
    at = report->texts;
    report->host = host ? put_text(&at, host) : NULL;
    report->service = put_text(&at, service);
    report->description = put_text(&at, description);
    *out = report;
    return 0;
}

static int enqueue(struct colony_daemon *daemon, struct colony__report *report)
{
    int rc = 0;

    colony__daemon_lock(daemon);
    if (daemon->phase == DAEMON_OVER)
        rc = -ESHUTDOWN;
    else if (daemon->report_count == REPORTS_MAX)
        rc = -EAGAIN;
    if (rc == 0) {
        STAILQ_INSERT_TAIL(&daemon->reports, report, place);
        daemon->report_count++;
    }
    colony__daemon_unlock(daemon);
    return rc;
}

int colony_daemon_send_event_to_juggler(struct colony_daemon *daemon, const char *host,
                                        const char *service, const char *status,
                                        const char *description)
{
    int parsed = colony_juggler_status_parse(status);
    struct colony__report *report = NULL;
    int rc;

    if (parsed < 0)
        return parsed;
    if (!daemon->settings || !daemon->settings->juggler->url)
        return -ENOENT;
    rc = make_report(&report, host, service, description);
    if (rc < 0)
        return rc;
    report->status = (enum colony_juggler_status)parsed;
    rc = enqueue(daemon, report);
    if (rc < 0)
        free(report);
    else
        colony__daemon_wake_loop(daemon);
    return rc;
}
