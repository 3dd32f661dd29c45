/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners_internal.h - who is told of events, samples and output.
 *
 * A listener is in one list from its beginning to its end, whatever engine there is. Any thread
 * adds to the list; only the loop takes from it, between calls, so the loop walks it without a
 * lock.
 */
#ifndef COLONY_LIB_LISTENERS_INTERNAL_H
#define COLONY_LIB_LISTENERS_INTERNAL_H

#include <stdbool.h>

#include "lib/calls_internal.h"
#include "lib/colony_internal.h"

struct colony_event;
struct colony_process_stats;

/* What tells it, besides the bus, which tells all listeners that have no kind. */
struct colony__source {
    int (*begin)(struct colony_listener *listener, struct colony_engine *engine);
    void (*end)(struct colony_listener *listener, struct colony_engine *engine);
    /* An engine took over, and it could not begin again. */
    void (*lost)(struct colony_listener *listener);
    /* It took over, and all listeners that could have begun again. NULL: nothing. */
    void (*resumed)(struct colony_listener *listener);
    /* The engine is going to be closed; what it still has is told until then. NULL: as @end. */
    void (*drain)(struct colony_listener *listener);
};

struct colony_listener {
    struct colony__call ending; /* first: what takes it from the list */
    struct colony_listener *next;
    struct colony *colony;
    const struct colony__source *source; /* NULL: the bus */
    void *begun;                         /* the source's; NULL: it tells nothing now */
    colony_listen_cb cb;
    void *data;
    uint64_t id;      /* of the process; 0: what it listens to is no process */
    bool is_draining; /* of an engine that is closed */
    bool is_over;     /* its last message was told */
    bool is_ended;    /* by the program; under the lock of the list */
    char what[];      /* a pattern, the name of a template, or a label */
};

/* A listener that is not in the list yet. NULL: no memory. */
struct colony_listener *colony__listener_new(struct colony *colony, const char *what,
                                             colony_listen_cb cb, void *data);
void colony__listener_add(struct colony_listener *listener);
/* Nothing, when it has ended meanwhile. */
void colony__listener_tell(struct colony_listener *listener, const char *evtype,
                           const struct colony_msg *msg);

/* What is told: one of these, and the object that is made of it when somebody asks. */
struct colony_msg {
    const struct colony_event *event;
    const struct colony_process_stats *stats;
    const char *bytes;
    size_t size;
    uint64_t lost;
    uint64_t id;
    struct cJSON **json; /* the teller's, who deletes it; NULL: there is none */
};

#endif
