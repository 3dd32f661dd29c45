/* SPDX-License-Identifier: Apache-2.0 */
/* inbox_meters.c - figures of events that come from outside, for /metrics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/inbox_internal.h"
#include "core/engine.h"

/* --- of the queue ----------------------------------------------------------------------------- */

static void each_received(colony_figure_cb cb, void *to, void *data)
{
    const struct colony_inbox *inbox = data;
    const struct colony_label http = {"via", "http"};
    const struct colony_label udp = {"via", "udp"};

    cb(&http, 1, inbox->counts.http, to);
    cb(&udp, 1, inbox->counts.udp, to);
}

#define EACH(name, figure)                                                                         \
    static void each_##name(colony_figure_cb cb, void *to, void *data)                             \
    {                                                                                              \
        const struct colony_inbox *inbox = data;                                                   \
                                                                                                   \
        cb(NULL, 0, figure, to);                                                                   \
    }

EACH(rejected, inbox->counts.rejected)
EACH(dropped, inbox->counts.dropped)
EACH(handled, inbox->counts.handled)
EACH(queued, inbox->length)
EACH(queued_bytes, inbox->bytes)

/* --- of its handlers -------------------------------------------------------------------------- */

/* Calls @cb for each handler with the count at @offset. */
static void each_stage(const struct colony_inbox *inbox, size_t offset, colony_figure_cb cb,
                       void *to)
{
    for (uint32_t i = 0; i < inbox->stage_count; i++) {
        const struct colony__stage *stage = &inbox->stages[i];
        char number[16];
        const struct colony_label labels[] = {
            {"handler", number}, {"kind", colony_handler_kind_name(stage->settings->kind)}};

        (void)snprintf(number, sizeof number, "%u", i + 1);
        cb(labels, 2, *(const uint64_t *)((const char *)&stage->counts + offset), to);
    }
}

#define EACH_STAGE(field)                                                                          \
    static void each_stage_##field(colony_figure_cb cb, void *to, void *data)                      \
    {                                                                                              \
        each_stage(data, offsetof(struct colony__stage_counts, field), cb, to);                    \
    }

EACH_STAGE(handled)
EACH_STAGE(failed)
EACH_STAGE(dropped)

/* clang-format off */
static const struct colony_meter meters[] = {
    {"colony_events_received_total",        "counter",
     "Events from outside that were accepted.", each_received},
    {"colony_events_rejected_total",        "counter",
     "What came as an event and is none: no JSON, or too large.", each_rejected},
    {"colony_events_dropped_total",         "counter",
     "Events that were lost: the queue was full, or colony ended before they were handled.", each_dropped},
    {"colony_events_handled_total",         "counter",
     "Events that all of their handlers are done with.", each_handled},
    {"colony_events_queued",                "gauge",
     "Events that wait for a handler.", each_queued},
    {"colony_events_queued_bytes",          "gauge",
     "Memory of events that wait for a handler.", each_queued_bytes},
    {"colony_event_handler_events_total",   "counter",
     "Events that a handler is done with.", each_stage_handled},
    {"colony_event_handler_failures_total", "counter",
     "Those of them that it failed at.", each_stage_failed},
    {"colony_event_handler_drops_total",    "counter",
     "Those of them that did not reach everybody, because a subscriber was too slow.", each_stage_dropped},
    {0},
};
/* clang-format on */

int colony__inbox_add_meters(struct colony_inbox *inbox)
{
    if (!inbox->engine)
        return 0;
    if (!inbox->meters)
        inbox->meters = calloc(1, sizeof *inbox->meters);
    if (!inbox->meters)
        return -ENOMEM;
    *inbox->meters = (struct colony_meters){.list = meters, .data = inbox};
    colony_engine_add_meters(inbox->engine, inbox->meters);
    return 0;
}

void colony__inbox_remove_meters(struct colony_inbox *inbox)
{
    if (!inbox->meters)
        return;
    colony_engine_remove_meters(inbox->engine, inbox->meters);
    free(inbox->meters);
    inbox->meters = NULL;
}
