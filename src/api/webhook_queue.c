/* SPDX-License-Identifier: Apache-2.0 */
#include "api/webhook_queue_internal.h"

#include <stdlib.h>
#include <string.h>

/* Unlinks what @previous stands before; NULL: the first. */
static void remove_after(struct colony__webhook_queue *queue,
                         struct colony__webhook_event *previous)
{
    struct colony__webhook_event **place = previous ? &previous->next : &queue->first;
    struct colony__webhook_event *event = *place;

    *place = event->next;
    if (queue->last == event)
        queue->last = previous;
    queue->count--;
    queue->bytes -= sizeof *event + event->size;
    free(event);
}

void colony__webhook_queue_trim(struct colony__webhook_queue *queue,
                                const struct colony__webhook_limits *limits)
{
    struct colony__webhook_event *held = queue->is_first_held ? queue->first : NULL;
    struct colony__webhook_event **oldest = held ? &held->next : &queue->first;

    while (*oldest && (queue->count > limits->events || queue->bytes > limits->bytes)) {
        remove_after(queue, held);
        queue->dropped++;
    }
}

void colony__webhook_queue_add(struct colony__webhook_queue *queue,
                               const struct colony__webhook_limits *limits,
                               const struct colony__webhook_news *news)
{
    struct colony__webhook_event *event = malloc(sizeof *event + news->size);

    if (!event) {
        queue->dropped++;
        return;
    }
    event->next = NULL;
    event->name = news->name;
    event->id = news->id;
    event->size = news->size;
    memcpy(event->body, news->body, news->size);
    if (queue->last)
        queue->last->next = event;
    else
        queue->first = event;
    queue->last = event;
    queue->count++;
    queue->bytes += sizeof *event + news->size;
    colony__webhook_queue_trim(queue, limits);
}

void colony__webhook_queue_pop(struct colony__webhook_queue *queue)
{
    queue->is_first_held = false;
    if (queue->first)
        remove_after(queue, NULL);
}

void colony__webhook_queue_clear(struct colony__webhook_queue *queue)
{
    while (queue->first)
        remove_after(queue, NULL);
    queue->is_first_held = false;
}
