/* SPDX-License-Identifier: Apache-2.0 */
#include "core/history.h"

#include <errno.h>
#include <stdlib.h>

#include "core/events.h"
#include "core/slot.h"
#include "core/store.h"

struct colony_history {
    struct colony_events *events;
    struct colony_store *store;
};

/* States that "spawn" and "exit" tell of as well: a crash loop has half as many rows without. */
static bool says_nothing_new(const struct colony_event *event)
{
    return event->type == EVENT_STATE &&
           (event->to == SLOT_STARTING || event->to == SLOT_RUNNING || event->to == SLOT_EXITED);
}

bool colony_history_keeps(const struct colony_event *event)
{
    return event->type != EVENT_STRAY && event->type != EVENT_TOPIC && !says_nothing_new(event);
}

bool colony_history_is_told(const struct colony_event *event)
{
    return event->type == EVENT_TOPIC || colony_history_keeps(event);
}

void colony_history_row(struct colony_store_event *row, const struct colony_event *event)
{
    *row = (struct colony_store_event){
        .seq = event->seq,
        .at_ms = event->at_ms,
        .name = event->name,
        .slot = event->slot,
        .id = event->id,
        .os_pid = event->os_pid,
        .event = colony_event_word(event),
        .cause = event->text,
    };

    if (event->type == EVENT_STATE) {
        row->from = colony_slot_state_name(event->from);
        row->to = colony_slot_state_name(event->to);
    }
    if (event->type == EVENT_EXIT && event->exit_known) {
        row->exit_known = true;
        row->exit_status = event->exit_status;
        row->term_signal = event->term_signal;
    }
}

static uint64_t record(const struct colony_event *event, void *data)
{
    const struct colony_history *history = data;
    struct colony_store_event row;

    if (!colony_history_keeps(event))
        return 0;
    colony_history_row(&row, event);
    return colony_store_add_event(history->store, &row);
}

int colony_history_new(struct colony_history **out, struct colony_events *events,
                       struct colony_store *store)
{
    struct colony_history *history = calloc(1, sizeof *history);

    if (!history)
        return -ENOMEM;
    history->events = events;
    history->store = store;
    colony_events_set_recorder(events, record, history);
    *out = history;
    return 0;
}

void colony_history_free(struct colony_history *history)
{
    if (!history)
        return;
    colony_events_set_recorder(history->events, NULL, NULL);
    free(history);
}
