/* SPDX-License-Identifier: Apache-2.0 */
/* handler_bus.c - `bus`: each event is published, as `event` or `event.TYPE`, to whoever watches.
 */
#include <stdio.h>

#include "api/inbox_internal.h"
#include "core/engine.h"
#include "core/events.h"
#include "core/value.h"

enum {
    TEXT_MAX = 1024, /* of an event: what the history keeps of one */
};

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    char topic[COLONY_TOPIC_MAX + 1];
    struct colony_value *value = NULL;
    const struct colony_value *type;

    if (event->size > TEXT_MAX) {
        colony__stage_failed(stage, event, "it has %zu bytes, and the bus takes %d", event->size,
                             TEXT_MAX);
        return 1;
    }
    if (colony_value_parse_json(&value, event->json, event->size, NULL) < 0) {
        colony__stage_failed(stage, event, "out of memory");
        return 1;
    }
    type = colony_value_get(value, "type");
    colony_event_topic(topic, type && type->type == VALUE_STRING ? type->text : NULL);
    colony_value_free(value);
    colony_events_publish(
        colony_engine_events(stage->inbox->engine),
        &(const struct colony_event){
            .type = EVENT_EVENT, .topic = topic, .id = event->id, .text = event->json});
    return 1;
}

const struct colony__handler_kind colony__handler_bus = {
    .takes_engine = true,
    .handle = handle,
};
