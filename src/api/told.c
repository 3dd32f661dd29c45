/* SPDX-License-Identifier: Apache-2.0 */
#include "api/told.h"

#include <cjson/cJSON.h>

#include "api/event_json_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "core/events.h"
#include "core/history.h"
#include "core/store.h"

/* Clears @json. */
static cJSON *parse(struct colony__json *json)
{
    cJSON *tree = json->failed ? NULL : cJSON_ParseWithLength(json->text.data, json->text.size);

    colony__json_clear(json);
    return tree;
}

cJSON *colony_told_event(const struct colony_event *event)
{
    struct colony_store_event row;
    struct colony__json json = {0};

    colony_history_row(&row, event);
    colony__event_add_json(&json, &row, event->detached);
    return parse(&json);
}

cJSON *colony_told_sample(uint64_t id, const struct colony_process_stats *stats)
{
    struct colony__json json = {0};

    colony__stats_add_json(&json, id, stats);
    return parse(&json);
}
