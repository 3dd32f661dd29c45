/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_json_internal.h - an event as it is told to clients and to webhooks.
 */
#ifndef COLONY_API_EVENT_JSON_INTERNAL_H
#define COLONY_API_EVENT_JSON_INTERNAL_H

#include <stdbool.h>

struct colony__json;
struct colony_store_event;

/* One object: gaffer's keys first, then colony's. @is_detached: its template's processes are. */
void colony__event_add_json(struct colony__json *json, const struct colony_store_event *row,
                            bool is_detached);

#endif
