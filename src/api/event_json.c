/* SPDX-License-Identifier: Apache-2.0 */
#include "api/event_json_internal.h"

#include <string.h>

#include "api/json_internal.h"
#include "core/events.h"
#include "core/store.h"

static void add_number_or_null(struct colony__json *json, const char *key, bool is_known,
                               int64_t number)
{
    if (is_known)
        colony__json_add_signed(json, key, number);
    else
        colony__json_add_null(json, key);
}

void colony__event_add_json(struct colony__json *json, const struct colony_store_event *row,
                            bool is_detached)
{
    int type = colony_event_parse(row->event);
    bool has_data = colony_event_has_data(type);
    bool is_signal = row->term_signal != 0;

    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "event", row->event);
    if (row->name && *row->name != '\0')
        colony__json_add_text(json, "name", row->name);
    if (type == EVENT_EVENT)
        colony__json_add_number(json, "id", row->id);
    if (has_data) {
        colony__json_add_raw(json, "data", row->cause, strlen(row->cause));
    } else if (row->id != 0) {
        colony__json_add_number(json, "pid", row->id);
        colony__json_add_signed(json, "os_pid", row->os_pid);
    }
    if (strcmp(row->event, colony_event_name(EVENT_SPAWN)) == 0)
        colony__json_add_bool(json, "detached", is_detached);
    if (strcmp(row->event, colony_event_name(EVENT_EXIT)) == 0) {
        add_number_or_null(json, "exit_status", row->exit_known && !is_signal, row->exit_status);
        add_number_or_null(json, "term_signal", row->exit_known, row->term_signal);
    }
    if (row->from && *row->from != '\0') {
        colony__json_add_text(json, "from", row->from);
        colony__json_add_text(json, "to", row->to);
    }
    if (row->seq != 0)
        colony__json_add_number(json, "seq", row->seq);
    colony__json_add_time(json, "time", row->at_ms);
    if (row->slot != 0)
        colony__json_add_number(json, "slot", row->slot);
    colony__json_add_text(json, "cause", has_data ? "" : row->cause);
    colony__json_close(json, '}');
}
