/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox_internal.h - the queue of events.h, for its own files: inbox.c takes events in, and hands
 * them from stage to stage.
 *
 * A stage is one handler of `events.handlers` with the events that wait for it. An event is in one
 * stage at a time, passes them in their order, and leaves out those that do not want it. So each
 * handler is handed its events in the order in which they came.
 */
#ifndef COLONY_API_INBOX_INTERNAL_H
#define COLONY_API_INBOX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/events.h"

enum {
    INBOX_STAGES_MAX = 32,
    INBOX_PEER_MAX = 64,
};

/* One event that was accepted. */
struct colony__incoming {
    struct colony__incoming *next; /* in its stage */
    uint64_t id;
    uint64_t at_ms;  /* wall clock */
    uint32_t wanted; /* a bit for each stage that is to have it */
    uint32_t stage;  /* where it is */
    enum colony_inbox_via via;
    colony_inbox_done_cb done; /* NULL once it was called */
    void *data;
    char peer[INBOX_PEER_MAX];
    size_t size;
    char json[]; /* without blanks between its parts, so it is one line; ends in NUL */
};

struct colony__stage;

struct colony__handler_kind {
    const char *name; /* "exec" */
    /* 1: it is done with the event; 0: it will say so by colony__stage_done(). */
    int (*handle)(struct colony__stage *stage, struct colony__incoming *event);
};

struct colony__stage {
    const struct colony__handler_kind *kind;
    struct colony_inbox *inbox;
    uint32_t number;               /* in the order of the settings, from 0 */
    struct colony__incoming *head; /* that wait for it */
    struct colony__incoming **end;
    uint32_t busy; /* events it has been handed and is not done with */
    uint32_t busy_max;
};

extern const struct colony__handler_kind colony__handler_log;

/* @stage is done with @event, which goes on to the next one. Not from inside handle(). */
void colony__stage_done(struct colony__stage *stage, struct colony__incoming *event);

/* "http" */
const char *colony__inbox_via_name(enum colony_inbox_via via);

/* Removes the blanks between the parts of @json, which is valid, in its place: its new size. */
size_t colony__event_squeeze(char *json, size_t size);

#endif
