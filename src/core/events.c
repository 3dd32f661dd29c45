/* SPDX-License-Identifier: Apache-2.0 */
#include "core/events.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/table.h"

struct colony_subscription {
    struct colony_subscription *next;
    struct colony_subscription *previous;
    colony_event_cb callback; /* NULL: ended during a publish, freed after it */
    void *data;
    char pattern[]; /* flexible */
};

struct colony_events {
    struct colony_subscription *first;
    struct colony_subscription *last;
    colony_event_record_cb record;
    void *record_data;
    unsigned depth; /* of publishes under way */
    bool has_ended; /* subscriptions to be freed when depth is 0 again */
};

static const char *const type_names[EVENT_TYPE_COUNT] = {
    [EVENT_CREATE] = "create",       [EVENT_UPDATE] = "update",
    [EVENT_DELETE] = "delete",       [EVENT_START] = "start",
    [EVENT_STOP] = "stop",           [EVENT_RESTART] = "restart",
    [EVENT_SPAWN] = "spawn",         [EVENT_REAP] = "reap",
    [EVENT_EXIT] = "exit",           [EVENT_STOP_PID] = "stop_pid",
    [EVENT_FLAP] = "flap",           [EVENT_FAIL] = "fail",
    [EVENT_STATE] = "state",         [EVENT_LOG] = "log",
    [EVENT_STRAY] = "stray",         [EVENT_HEALTHY] = "healthy",
    [EVENT_UNHEALTHY] = "unhealthy", [EVENT_REFUSE] = "refuse",
    [EVENT_EVENT] = "event",         [EVENT_SESSION] = "session",
    [EVENT_TOPIC] = "topic",
};

const char *colony_event_name(enum colony_event_type type)
{
    return type_names[type];
}

bool colony_event_is_word(const char *word, const char *wanted)
{
    size_t length = strlen(wanted);

    return strncmp(word, wanted, length) == 0 && (word[length] == '\0' || word[length] == '.');
}

const char *colony_event_word(const struct colony_event *event)
{
    return event->topic ? event->topic : type_names[event->type];
}

void colony_event_topic(char topic[COLONY_TOPIC_MAX + 1], const char *type)
{
    size_t length = type ? strlen(type) : 0;

    (void)snprintf(topic, COLONY_TOPIC_MAX + 1, "%s", type_names[EVENT_EVENT]);
    if (length == 0 || length + sizeof "event." > COLONY_TOPIC_MAX || type[0] == '.')
        return;
    for (const char *at = type; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.:", *at))
            return;
    (void)snprintf(topic, COLONY_TOPIC_MAX + 1, "%s.%s", type_names[EVENT_EVENT], type);
}

bool colony_event_has_data(int type)
{
    return type == EVENT_EVENT || type == EVENT_SESSION || type == EVENT_TOPIC;
}

int colony_event_parse(const char *name)
{
    for (int i = 0; i < EVENT_TYPE_COUNT; i++)
        if (colony_event_has_data(i) && colony_event_is_word(name, type_names[i]))
            return i;
    for (int i = 0; i < EVENT_TYPE_COUNT; i++)
        if (strcmp(type_names[i], name) == 0)
            return i;
    return -EINVAL;
}

int colony_events_new(struct colony_events **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? 0 : -ENOMEM;
}

void colony_events_free(struct colony_events *events)
{
    if (!events)
        return;
    while (events->first) {
        struct colony_subscription *next = events->first->next;

        free(events->first);
        events->first = next;
    }
    free(events);
}

int colony_events_subscribe(struct colony_events *events, const char *pattern,
                            colony_event_cb callback, void *data, struct colony_subscription **out)
{
    size_t length = strlen(pattern);
    struct colony_subscription *sub;

    if (length == 0)
        return -EINVAL;
    sub = calloc(1, sizeof *sub + length + 1);
    if (!sub)
        return -ENOMEM;
    memcpy(sub->pattern, pattern, length + 1);
    sub->callback = callback;
    sub->data = data;
    sub->previous = events->last;
    if (events->last)
        events->last->next = sub;
    else
        events->first = sub;
    events->last = sub;
    *out = sub;
    return 0;
}

void colony_events_set_recorder(struct colony_events *events, colony_event_record_cb record,
                                void *data)
{
    events->record = record;
    events->record_data = data;
}

static void unlink_and_free(struct colony_events *events, struct colony_subscription *sub)
{
    if (sub->previous)
        sub->previous->next = sub->next;
    else
        events->first = sub->next;
    if (sub->next)
        sub->next->previous = sub->previous;
    else
        events->last = sub->previous;
    free(sub);
}

void colony_events_unsubscribe(struct colony_events *events, struct colony_subscription *sub)
{
    if (!sub)
        return;
    if (events->depth == 0) {
        unlink_and_free(events, sub);
        return;
    }
    sub->callback = NULL;
    events->has_ended = true;
}

bool colony_event_is_pattern(const char *pattern)
{
    int type = colony_event_parse(pattern);

    return strcmp(pattern, ".") == 0 || strcmp(pattern, "proc") == 0 ||
           (strncmp(pattern, "proc.", 5) == 0 && pattern[5] != '\0') ||
           (type >= 0 && type != EVENT_STRAY);
}

/* True when @pattern is @part alone, or @part and then "."; *rest is what follows it. */
static bool takes_part(const char *pattern, const char *part, const char **rest)
{
    size_t length = strlen(part);

    if (strncmp(pattern, part, length) != 0)
        return false;
    *rest = pattern + length;
    if (**rest == '.')
        ++*rest;
    else if (**rest != '\0')
        return false;
    return true;
}

/*
 * A name is one part whatever dots it has, so the pattern is compared part by part and never split
 * itself: proc.master does not match the topic of the template `master.tws`.
 */
bool colony_event_matches(const char *pattern, const struct colony_event *event)
{
    const char *type = type_names[event->type];
    const char *rest;

    if (strcmp(pattern, ".") == 0)
        return true;
    if (takes_part(pattern, type, &rest) && *rest == '\0')
        return true;
    if (event->topic && colony_event_is_word(event->topic, pattern))
        return true;
    if (!event->name || !takes_part(pattern, "proc", &rest))
        return false;
    if (*rest == '\0')
        return true;
    if (!takes_part(rest, event->name, &rest))
        return false;
    return *rest == '\0' || strcmp(rest, type) == 0;
}

static void free_ended(struct colony_events *events)
{
    struct colony_subscription *sub = events->first;

    while (sub) {
        struct colony_subscription *next = sub->next;

        if (!sub->callback)
            unlink_and_free(events, sub);
        sub = next;
    }
    events->has_ended = false;
}

void colony_events_publish(struct colony_events *events, const struct colony_event *event)
{
    struct colony_subscription *last = events->last; /* later ones were not there yet */
    struct colony_event told = *event;

    if (!last && !events->record)
        return;
    told.at_ms = colony_wall_now_ms();
    told.seq = events->record ? events->record(&told, events->record_data) : 0;
    events->depth++;
    for (struct colony_subscription *sub = last ? events->first : NULL; sub; sub = sub->next) {
        if (sub->callback && colony_event_matches(sub->pattern, &told))
            sub->callback(&told, sub->data);
        if (sub == last)
            break;
    }
    events->depth--;
    if (events->depth == 0 && events->has_ended)
        free_ended(events);
}
