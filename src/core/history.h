/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - writes what happens into the store, for `colony ctl why` and GET /history.
 *
 * Each event of the bus is a row with the time of day and its cause; those of processes that nobody
 * waits for (EVENT_STRAY) say nothing to people and are left out. Loop thread only.
 */
#ifndef COLONY_CORE_HISTORY_H
#define COLONY_CORE_HISTORY_H

#include <stdbool.h>

struct colony_event;
struct colony_events;
struct colony_history;
struct colony_store;
struct colony_store_event;

/* Borrows both until colony_history_free. -ENOMEM. */
int colony_history_new(struct colony_history **out, struct colony_events *events,
                       struct colony_store *store);
/* Whether events like this one are kept: neither strays, nor what other events tell as well, nor
 * topics of programs, which may be any number. */
bool colony_history_keeps(const struct colony_event *event);
/* Whether those who watch are told of it: of what is kept, and of topics. */
bool colony_history_is_told(const struct colony_event *event);
/* The row of @event, which borrows its texts. */
void colony_history_row(struct colony_store_event *row, const struct colony_event *event);
/* Ends it; before the bus and the store end. NULL is fine. */
void colony_history_free(struct colony_history *history);

#endif
