/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_source.h - reads text/event-stream as it arrives, in pieces of any size.
 *
 * A plain value; COLONY_EVENT_SOURCE_MAX bounds what one event may take.
 */
#ifndef COLONY_CLI_EVENT_SOURCE_H
#define COLONY_CLI_EVENT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    COLONY_EVENT_SOURCE_MAX = 4 * 1024 * 1024,
    COLONY_EVENT_NAME_MAX = 256,
    COLONY_EVENT_ID_MAX = 64,
};

/* One event: its kind and its data, both borrowed for the call. 0; a negative errno ends it. */
typedef int (*colony_event_source_cb)(const char *event, const char *text, void *data);

struct colony_event_source {
    colony_event_source_cb cb;
    void *data;
    char id[COLONY_EVENT_ID_MAX + 1]; /* of the last event that was handed on; "": none */
    char next_id[COLONY_EVENT_ID_MAX + 1];
    char event[COLONY_EVENT_NAME_MAX + 1];
    char *line; /* that is not complete yet */
    size_t line_size;
    size_t line_capacity;
    char *text; /* of the event that is not complete yet */
    size_t text_size;
    size_t text_capacity;
    bool has_text;
    bool after_cr; /* a newline now belongs to the one before */
};

/* -ENOMEM, -EMSGSIZE: an event is too long, or what the callback returned. */
int colony_event_source_feed(struct colony_event_source *source, const char *bytes, size_t size);

/* What was begun is forgotten, the id of the last event is not: for the next connection. */
void colony_event_source_restart(struct colony_event_source *source);
void colony_event_source_clear(struct colony_event_source *source);

#endif
