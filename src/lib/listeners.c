/* SPDX-License-Identifier: Apache-2.0 */
/* listeners.c - who has subscribed: the list, and the one subscription to the engine's bus for all.
 */
#include "lib/listeners_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/history.h"
#include "core/json_print.h"
#include "core/log.h"
#include "core/template.h"
#include "core/utf8.h"

enum {
    TOPIC_MAX = COLONY_PROGRAM_TOPIC_MAX,
    PATTERN_MAX = COLONY_NAME_MAX + 64, /* "proc.NAME.EVENT" */
};

struct colony__listeners {
    uv_mutex_t lock;
    struct colony_listener *first;
    struct colony_listener **end;
    struct colony_engine *engine; /* NULL: there is none now */
    struct colony_subscription *subscription;
    bool is_silent;
};

int colony__listeners_new(struct colony__listeners **out)
{
    struct colony__listeners *listeners = calloc(1, sizeof *listeners);
    int rc = listeners ? uv_mutex_init(&listeners->lock) : -ENOMEM;

    if (rc < 0) {
        free(listeners);
        return rc;
    }
    listeners->end = &listeners->first;
    *out = listeners;
    return 0;
}

void colony__listeners_free(struct colony__listeners *listeners)
{
    if (!listeners)
        return;
    for (struct colony_listener *listener = listeners->first, *next; listener; listener = next) {
        next = listener->next;
        free(listener);
    }
    uv_mutex_destroy(&listeners->lock);
    free(listeners);
}

/* The list as it is now: up to *last, who comes after it is left out. */
static struct colony_listener *begin_walk(struct colony__listeners *listeners,
                                          struct colony_listener **last)
{
    struct colony_listener *first;

    uv_mutex_lock(&listeners->lock);
    first = listeners->first;
    *last = NULL;
    if (first)
        *last = (struct colony_listener *)((char *)listeners->end -
                                           offsetof(struct colony_listener, next));
    uv_mutex_unlock(&listeners->lock);
    return first;
}

static struct colony_listener *next_of(const struct colony_listener *listener,
                                       const struct colony_listener *last)
{
    return listener == last ? NULL : listener->next;
}

void colony__listener_tell(struct colony_listener *listener, const char *evtype,
                           const struct colony_msg *msg)
{
    struct colony__listeners *listeners = colony__listeners_of(listener->colony);
    bool is_ended;

    uv_mutex_lock(&listeners->lock);
    is_ended = listener->is_ended || listeners->is_silent;
    uv_mutex_unlock(&listeners->lock);
    if (!is_ended)
        listener->cb(evtype, msg, listener->data);
}

void colony__listeners_silence(struct colony__listeners *listeners)
{
    listeners->is_silent = true;
}

/* Events of the engine's. */

/* As gaffer names it: by its template to who asked so. */
static void name_event(char text[PATTERN_MAX], const struct colony_listener *listener,
                       const struct colony_event *event)
{
    bool is_by_name = event->name && colony_event_is_word(listener->what, "proc");

    (void)snprintf(text, PATTERN_MAX, "%s%s%s%s", is_by_name ? "proc." : "",
                   is_by_name ? event->name : "", is_by_name ? "." : "", colony_event_word(event));
}

static void on_event(const struct colony_event *event, void *data)
{
    cJSON *json = NULL;
    const struct colony_msg msg = {.event = event, .id = event->id, .json = &json};
    struct colony_listener *last;

    if (!colony_history_keeps(event))
        return;
    for (struct colony_listener *at = begin_walk(data, &last); at; at = next_of(at, last)) {
        char evtype[PATTERN_MAX];

        if (at->source || !colony_event_matches(at->what, event))
            continue;
        name_event(evtype, at, event);
        colony__listener_tell(at, evtype, &msg);
    }
    cJSON_Delete(json);
}

int colony__listeners_attach(struct colony__listeners *listeners, struct colony_engine *engine)
{
    int rc = colony_events_subscribe(colony_engine_events(engine), ".", on_event, listeners,
                                     &listeners->subscription);

    if (rc == 0)
        listeners->engine = engine;
    return rc;
}

void colony__listeners_resume(struct colony__listeners *listeners)
{
    struct colony_listener *last;

    for (struct colony_listener *at = begin_walk(listeners, &last); at; at = next_of(at, last))
        if (at->source && at->source->begin(at, listeners->engine) < 0)
            at->source->lost(at);
    for (struct colony_listener *at = begin_walk(listeners, &last); at; at = next_of(at, last))
        if (at->begun && at->source->resumed)
            at->source->resumed(at);
}

static void end_source(struct colony__listeners *listeners, struct colony_listener *listener)
{
    if (listener->begun)
        listener->source->end(listener, listeners->engine);
    listener->begun = NULL;
}

void colony__listeners_detach(struct colony__listeners *listeners)
{
    struct colony_listener *last;

    if (!listeners->engine)
        return;
    for (struct colony_listener *at = begin_walk(listeners, &last); at; at = next_of(at, last))
        if (at->begun && at->source->drain)
            at->source->drain(at);
        else
            end_source(listeners, at);
    colony_events_unsubscribe(colony_engine_events(listeners->engine), listeners->subscription);
    listeners->engine = NULL;
}

void colony__listeners_drained(struct colony__listeners *listeners)
{
    struct colony_listener *last;

    for (struct colony_listener *at = begin_walk(listeners, &last); at; at = next_of(at, last))
        end_source(listeners, at);
}

/* Who comes and goes. */

struct colony_listener *colony__listener_new(struct colony *colony, const char *what,
                                             colony_listen_cb cb, void *data)
{
    size_t size = strlen(what) + 1;
    struct colony_listener *listener = calloc(1, sizeof *listener + size);

    if (!listener)
        return NULL;
    listener->colony = colony;
    listener->cb = cb;
    listener->data = data;
    memcpy(listener->what, what, size);
    return listener;
}

void colony__listener_add(struct colony_listener *listener)
{
    struct colony__listeners *listeners = colony__listeners_of(listener->colony);

    uv_mutex_lock(&listeners->lock);
    *listeners->end = listener;
    listeners->end = &listener->next;
    uv_mutex_unlock(&listeners->lock);
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_subscribe(struct colony *colony, const char *pattern, colony_listen_cb cb, void *data,
                     struct colony_listener **out, struct colony_error *err)
{
    size_t length = strlen(pattern);
    struct colony_listener *listener;

    if (length == 0 || length >= PATTERN_MAX)
        return colony_fail(err, -EINVAL, "cannot subscribe to '%.40s': no event is called so",
                           pattern);
    listener = colony__listener_new(colony, pattern, cb, data);
    if (!listener)
        return colony_fail_os(err, -ENOMEM, "cannot subscribe to %s", pattern);
    *out = listener; /* before it can be called, perhaps by another thread */
    colony__listener_add(listener);
    return 0;
}

static void unlink_from(struct colony__listeners *listeners, const struct colony_listener *listener)
{
    struct colony_listener **at = &listeners->first;

    uv_mutex_lock(&listeners->lock);
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    if (listeners->end == &listener->next)
        listeners->end = at;
    uv_mutex_unlock(&listeners->lock);
}

static void on_ending(struct colony *colony, struct colony__call *call)
{
    struct colony__listeners *listeners = colony__listeners_of(colony);
    struct colony_listener *listener = (struct colony_listener *)call;

    unlink_from(listeners, listener);
    end_source(listeners, listener);
    free(listener);
}

void colony_unsubscribe(struct colony_listener *listener)
{
    struct colony__listeners *listeners;

    if (!listener)
        return;
    listeners = colony__listeners_of(listener->colony);
    uv_mutex_lock(&listeners->lock);
    listener->is_ended = true;
    uv_mutex_unlock(&listeners->lock);
    listener->ending.fn = on_ending;
    colony__calls_add(colony__calls_of(listener->colony), &listener->ending);
}

/* Topics of the program's. */

struct publishing {
    struct colony__call call; /* first */
    cJSON *message;
    size_t size; /* of all of it */
    char topic[TOPIC_MAX + 1];
};

/* Who asks colony is told by the bus, which listeners hear nothing of topics from. */
static void tell_others(const struct colony *colony, const struct publishing *publishing)
{
    struct colony_engine *engine = colony__engine(colony);
    const cJSON *message = publishing->message;
    char topic[sizeof "topic." + TOPIC_MAX];
    char *text;

    if (!engine)
        return;
    text = message ? colony_json_print(message) : strdup("null");
    if (!text) {
        colony_log(SEVERITY_ERROR, "cannot tell others of %s: out of memory", publishing->topic);
        return;
    }
    colony_utf8_repair(text, strlen(text));
    (void)snprintf(topic, sizeof topic, "topic.%s", publishing->topic);
    colony_events_publish(
        colony_engine_events(engine),
        &(const struct colony_event){.type = EVENT_TOPIC, .topic = topic, .text = text});
    free(text);
}

static void on_publishing(struct colony *colony, struct colony__call *call)
{
    struct publishing *publishing = (struct publishing *)call;
    const struct colony_msg msg = {.json = &publishing->message};
    struct colony_listener *last;

    tell_others(colony, publishing);
    for (struct colony_listener *at = begin_walk(colony__listeners_of(colony), &last); at;
         at = next_of(at, last))
        if (!at->source &&
            (strcmp(at->what, ".") == 0 || colony_event_is_word(publishing->topic, at->what)))
            colony__listener_tell(at, publishing->topic, &msg);
    colony__calls_release(colony__calls_of(colony), CALLS_MESSAGES, publishing->size);
    cJSON_Delete(publishing->message);
    free(publishing);
}

static bool is_topic(const char *topic)
{
    char before = '.';

    for (const char *at = topic; *at != '\0'; before = *at++) {
        if (*at == '.' ? before == '.' : !isalnum((unsigned char)*at) && !strchr("-_:", *at))
            return false;
    }
    return before != '.' && strlen(topic) <= TOPIC_MAX;
}

/* Its first part is a word of the engine's. */
static bool is_of_engine(const char *topic)
{
    char first[TOPIC_MAX + 1];

    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(topic, "."), topic);
    return strcmp(first, "proc") == 0 || colony_event_parse(first) >= 0;
}

/* What a copy of it takes. */
static size_t size_of(const cJSON *json)
{
    size_t size = sizeof *json;

    if (json->valuestring)
        size += strlen(json->valuestring) + 1;
    if (json->string)
        size += strlen(json->string) + 1;
    for (const cJSON *at = json->child; at; at = at->next)
        size += size_of(at);
    return size;
}

static struct publishing *make_publishing(const char *topic, const cJSON *message, size_t size)
{
    struct publishing *publishing = calloc(1, sizeof *publishing);

    if (publishing && message)
        publishing->message = cJSON_Duplicate(message, true);
    if (!publishing || (message && !publishing->message)) {
        free(publishing);
        return NULL;
    }
    publishing->call.fn = on_publishing;
    publishing->size = size;
    (void)snprintf(publishing->topic, sizeof publishing->topic, "%s", topic);
    return publishing;
}

static int publish(struct colony *colony, const char *topic, const struct cJSON *message,
                   struct colony_error *err)
{
    struct colony__calls *calls = colony__calls_of(colony);
    size_t size = sizeof(struct publishing) + (message ? size_of(message) : 0);
    struct publishing *publishing;

    if (colony__calls_hold(calls, CALLS_MESSAGES, size) < 0)
        return colony_fail(err, -EAGAIN, "cannot publish %s: %d MiB wait to be told already", topic,
                           COLONY__CALLS_WAITING_MAX >> 20);
    publishing = make_publishing(topic, message, size);
    if (!publishing) {
        colony__calls_release(calls, CALLS_MESSAGES, size);
        return colony_fail_os(err, -ENOMEM, "cannot publish %s", topic);
    }
    colony__calls_add(calls, &publishing->call);
    return 0;
}

int colony_publish(struct colony *colony, const char *topic, const struct cJSON *message,
                   struct colony_error *err)
{
    if (!is_topic(topic))
        return colony_fail(
            err, -EINVAL,
            "cannot publish '%.40s': a topic is words of letters, digits, -, _ and : "
            "with dots between, at most %d bytes",
            topic, TOPIC_MAX);
    if (is_of_engine(topic))
        return colony_fail(err, -EINVAL, "cannot publish %s: the engine has events called so",
                           topic);
    return publish(colony, topic, message, err);
}
