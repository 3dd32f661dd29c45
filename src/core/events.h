/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - the bus on which parts learn of each other's changes (DESIGN §4).
 *
 * An event about a template has two topics, gaffer's: EVENT and proc.NAME.EVENT, where NAME is one
 * part whatever dots it has. An event from outside (EVENT_EVENT) has the topic `event`, or
 * event.TYPE; one of a session (EVENT_SESSION) session.NAME.state; one of the program around the
 * engine (EVENT_TOPIC) topic.TOPIC. A pattern is a prefix of whole parts; "." is everything. Events
 * are published after the state has changed and are valid during the call only. Subscribing and
 * unsubscribing inside a callback is safe. Loop thread only.
 */
#ifndef COLONY_CORE_EVENTS_H
#define COLONY_CORE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/slot.h"

struct colony_events;
struct colony_subscription;

enum colony_event_type {
    EVENT_CREATE,    /* template */
    EVENT_UPDATE,    /* template */
    EVENT_DELETE,    /* template */
    EVENT_START,     /* template: asked to start */
    EVENT_STOP,      /* template: asked to stop */
    EVENT_RESTART,   /* template: asked to restart */
    EVENT_SPAWN,     /* process: runs */
    EVENT_REAP,      /* process: stopped because there are too many */
    EVENT_EXIT,      /* process: ended */
    EVENT_STOP_PID,  /* process: is being stopped */
    EVENT_FLAP,      /* template: dies too often */
    EVENT_FAIL,      /* process: could not be spawned; @text says which step failed */
    EVENT_STATE,     /* slot: @from → @to */
    EVENT_HEALTHY,   /* process: a check found it well, for the first time or again */
    EVENT_UNHEALTHY, /* process: checks failed too often; @text says how */
    EVENT_LOG,       /* slot: its log stalled, dropped output or recovered; @text says */
    EVENT_REFUSE,    /* a file of a configuration directory or a message; @text says why */
    EVENT_EVENT,     /* one that came from outside (`events:`): @topic, @id; @text is its JSON */
    EVENT_SESSION,   /* a process of a session is in another state: @topic; @text is its JSON */
    EVENT_TOPIC,     /* the program around this engine publishes it: @topic; @text is its JSON */
    EVENT_STRAY,     /* a process nobody waits for was reaped */
    EVENT_TYPE_COUNT,
};

enum {
    COLONY_TOPIC_MAX = 60,          /* bytes of a topic from outside */
    COLONY_PROGRAM_TOPIC_MAX = 200, /* bytes of a program's, without "topic." */
};

struct colony_event {
    enum colony_event_type type;
    const char *topic; /* EVENT_EVENT: "event" or "event.TYPE"; EVENT_SESSION: session.NAME.state;
                          EVENT_TOPIC: "topic.TOPIC" */
    uint64_t seq;      /* in the history; 0: it is not kept there. Set by publishing it */
    uint64_t at_ms;    /* wall clock; set by publishing it */
    const char *name;  /* of the template; NULL when it concerns none */
    uint32_t slot;     /* from 1; 0 when it concerns no slot */
    uint64_t id;       /* internal id; 0 when it concerns no process */
    pid_t os_pid;
    bool detached;               /* EVENT_SPAWN */
    bool exit_known;             /* EVENT_EXIT: else status and signal are not known */
    int exit_status;             /* EVENT_EXIT */
    int term_signal;             /* EVENT_EXIT, 0: none */
    enum colony_slot_state from; /* EVENT_STATE */
    enum colony_slot_state to;
    const char *text; /* the cause or reason, one line; "" when there is none */
};

typedef void (*colony_event_cb)(const struct colony_event *event, void *data);
/* Keeps an event and returns its seq; 0: it is not kept. */
typedef uint64_t (*colony_event_record_cb)(const struct colony_event *event, void *data);

int colony_events_new(struct colony_events **out);
void colony_events_free(struct colony_events *events);

/*
 * @callback runs for each event that matches @pattern (copied) until unsubscribed.
 * Returns 0, -EINVAL for an empty pattern, -ENOMEM.
 */
int colony_events_subscribe(struct colony_events *events, const char *pattern,
                            colony_event_cb callback, void *data, struct colony_subscription **out);
/* @record runs for each event before it is told, so that it is told with its seq; NULL: none. */
void colony_events_set_recorder(struct colony_events *events, colony_event_record_cb record,
                                void *data);
/* Ends and frees the subscription; NULL is fine. */
void colony_events_unsubscribe(struct colony_events *events, struct colony_subscription *sub);
void colony_events_publish(struct colony_events *events, const struct colony_event *event);

/* Whether @pattern is `.`, an event that is told, `proc`, or `proc.` and more. */
bool colony_event_is_pattern(const char *pattern);
/* Whether a subscription to @pattern would be told @event. */
bool colony_event_matches(const char *pattern, const struct colony_event *event);

/* gaffer's word for the type: "spawn", "exit", … */
const char *colony_event_name(enum colony_event_type type);
/* The type of that word; those with topics may go on: "event.deploy". -EINVAL. */
int colony_event_parse(const char *name);
/* Whether @text of such an event is JSON, to be shown as its data. */
bool colony_event_has_data(int type);
/* What an event is called: its topic, or the name of its type. */
const char *colony_event_word(const struct colony_event *event);
/* "event.@type" into @topic; "event" where that is no word (NULL, empty, too long, blanks). */
void colony_event_topic(char topic[COLONY_TOPIC_MAX + 1], const char *type);
/* Whether an event called @word is one of @wanted: the same, or "event.deploy" of "event". */
bool colony_event_is_word(const char *word, const char *wanted);

#endif
