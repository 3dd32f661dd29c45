/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook_queue_internal.h - events that wait to be posted, up to a limit: then the oldest goes.
 */
#ifndef COLONY_API_WEBHOOK_QUEUE_INTERNAL_H
#define COLONY_API_WEBHOOK_QUEUE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to be posted; the body is borrowed. */
struct colony__webhook_news {
    const char *name; /* "exit"; lives for ever */
    uint64_t id;      /* of an event from outside; 0: it is none */
    const char *body;
    size_t size;
};

/* One event, as it is posted. */
struct colony__webhook_event {
    struct colony__webhook_event *next;
    const char *name;
    uint64_t id;
    size_t size;
    char body[];
};

/* A plain value; all-zero is empty. */
struct colony__webhook_queue {
    struct colony__webhook_event *first;
    struct colony__webhook_event *last;
    bool is_first_held; /* it is being sent: another one goes */
    size_t count;
    size_t bytes;
    uint64_t dropped; /* so far */
};

struct colony__webhook_limits {
    size_t events;
    size_t bytes;
};

/* Adds a copy of @news. What it takes the place of, and what there is no memory for, counts as
 * dropped. */
void colony__webhook_queue_add(struct colony__webhook_queue *queue,
                               const struct colony__webhook_limits *limits,
                               const struct colony__webhook_news *news);
/* Removes the first, which need not be there. */
void colony__webhook_queue_pop(struct colony__webhook_queue *queue);
/* Drops what is above the limits. */
void colony__webhook_queue_trim(struct colony__webhook_queue *queue,
                                const struct colony__webhook_limits *limits);
void colony__webhook_queue_clear(struct colony__webhook_queue *queue);

#endif
