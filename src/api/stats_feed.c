/* SPDX-License-Identifier: Apache-2.0 */
/* stats_feed.c - GET /stats/NAME[/ID]?feed=…: a sample of each process, ten times a second. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/channel_internal.h"
#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/template.h"

/* One channel's subject. */
struct samples {
    struct colony_engine *engine;
    struct colony_monitor *monitor;
    struct colony_subscription *subscription;
    struct colony__channel *channel;
    uint64_t only_id; /* 0: all of the template */
    char name[COLONY_NAME_MAX + 1];
};

static void on_sample(const struct colony_slot_info *slot, const struct colony_process_stats *stats,
                      void *data)
{
    const struct samples *samples = data;
    struct colony__json json = {0};

    if (!stats) {
        if (samples->only_id)
            colony__channel_end(samples->channel); /* may be the end of it */
        return;
    }
    colony__stats_add_json(&json, slot->id, stats);
    if (json.failed)
        (void)colony__channel_tell_dropped(samples->channel, 1);
    else
        (void)colony__channel_tell(samples->channel,
                                   &(struct colony__tidings){.event = "STATS", /* gaffer's word */
                                                             .text = json.text.data,
                                                             .size = json.text.size,
                                                             .weight = 1});
    colony__json_clear(&json);
}

static void on_event(const struct colony_event *event, void *data)
{
    const struct samples *samples = data;

    if (event->type == EVENT_DELETE && strcmp(event->name, samples->name) == 0)
        colony__channel_end(samples->channel); /* may be the end of it */
}

static void on_unfollowed(void *data)
{
    struct samples *samples = data;

    colony_engine_unmonitor(samples->engine, samples->monitor);
    colony_events_unsubscribe(colony_engine_events(samples->engine), samples->subscription);
    free(samples);
}

static int begin(struct samples *samples)
{
    const struct colony_monitor_wish wish = {
        .name = samples->only_id ? NULL : samples->name,
        .id = samples->only_id,
        .every = 1,
        .cb = on_sample,
        .data = samples,
    };
    char pattern[sizeof "proc." + COLONY_NAME_MAX];
    int rc;

    (void)snprintf(pattern, sizeof pattern, "proc.%s", samples->name);
    rc = colony_events_subscribe(colony_engine_events(samples->engine), pattern, on_event, samples,
                                 &samples->subscription);
    return rc < 0 ? rc : colony_engine_monitor(samples->engine, &wish, &samples->monitor);
}

static int open_channel(struct colony__channel **out, struct colony__connection *connection,
                        const char *name, uint64_t id, enum colony__feed feed)
{
    char subject[COLONY_NAME_MAX + 64];
    struct samples *samples;
    int rc;

    (void)snprintf(subject, sizeof subject, "stats %" PRIu64 " %s", id, name);
    *out = colony__channel_find(connection->server, subject, feed);
    if (*out)
        return 0;
    samples = calloc(1, sizeof *samples);
    if (!samples)
        return -ENOMEM;
    samples->engine = colony__connection_engine(connection);
    samples->only_id = id;
    (void)snprintf(samples->name, sizeof samples->name, "%s", name);
    rc = colony__channel_new(&samples->channel, connection->server,
                             &(struct colony__channel_options){.subject = subject,
                                                               .feed = feed,
                                                               .unit = "samples",
                                                               .closed = on_unfollowed,
                                                               .data = samples});
    if (rc == 0)
        rc = begin(samples);
    if (rc == 0) {
        *out = samples->channel;
        return 0;
    }
    if (samples->channel)
        colony__channel_free(samples->channel);
    on_unfollowed(samples);
    return rc;
}

int colony__stats_follow(struct colony__connection *connection, const char *name, uint64_t id,
                         const struct colony__feed_wish *wish, struct colony_error *err)
{
    struct colony__channel *channel;
    int rc = open_channel(&channel, connection, name, id, wish->feed);

    if (rc == 0)
        rc = colony__channel_follow(channel, connection, wish, NULL, NULL);
    return rc < 0 ? colony_fail_os(err, rc, "cannot follow what %s uses", name) : 0;
}
