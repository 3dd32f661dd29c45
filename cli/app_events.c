/* SPDX-License-Identifier: Apache-2.0 */
/* app_events.c - what becomes of the processes of `colony app start`, as its colony tells it. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app_start_internal.h"
#include "core/error.h"
#include "core/exchange.h"
#include "core/template.h"

enum {
    EVENT_MAX = 1 << 20,
    CANNOT_START = 127, /* as a shell tells it */
};

/* All that should run have done what they were for. */
static bool is_completed(const struct app_start *start)
{
    static struct ctl ctl; /* too large for the stack */
    struct cJSON *slots;
    const struct cJSON *slot;
    bool is_done = true;

    ctl.target = start->own.target;
    slots = colony__ctl_peek(&ctl, "/slots");
    cJSON_ArrayForEach(slot, slots)
    {
        if (strcmp(colony__ctl_text(slot, "state"), "completed") != 0)
            is_done = false;
    }
    is_done = is_done && cJSON_GetArraySize(slots) > 0;
    cJSON_Delete(slots);
    return is_done;
}

/* What a process ended with, as a shell tells it; 0 when it did not fail. */
static int failure_of(const struct cJSON *event)
{
    int term_signal = (int)colony__ctl_number(event, "term_signal");
    const char *kind = colony__ctl_text(event, "event");

    if (strcmp(kind, "fail") == 0)
        return CANNOT_START;
    if (strcmp(kind, "exit") != 0)
        return 0;
    return term_signal > 0 ? 128 + term_signal : (int)colony__ctl_number(event, "exit_status");
}

/* Its own line waits for what it wrote last. */
static void say_failure(struct app_start *start, const struct cJSON *event)
{
    char what[CTL_NOTE_MAX];
    char text[sizeof what + COLONY_NAME_MAX + 32];

    colony__ctl_describe_event(what, event);
    (void)snprintf(text, sizeof text, "%s.%.0f %s", colony__ctl_text(event, "name"),
                   colony__ctl_number(event, "slot"), what);
    colony__app_start_say(start, text);
}

/* With --abort-on-failure. */
static void judge(struct app_start *start, const struct cJSON *event)
{
    int failure = failure_of(event);

    if (start->stops > 0)
        return;
    if (failure != 0) {
        say_failure(start, event);
        (void)colony__app_start_fail(start, failure);
    } else if (strcmp(colony__ctl_text(event, "to"), "completed") == 0 && is_completed(start)) {
        colony__app_start_say(start, "all have completed");
        start->stops++;
        colony__app_private_stop(&start->own, start->stops);
    }
}

static void show_event(struct app_start *start, const struct cJSON *event)
{
    const char *name = colony__ctl_text(event, "name");
    unsigned slot = (unsigned)colony__ctl_number(event, "slot");
    const char *kind = colony__ctl_text(event, "event");
    int colour = colony__app_find(start->app, name);
    struct app_tail *tail;
    char text[CTL_NOTE_MAX];
    int rc = -ENOMEM;

    if (slot == 0 || colour < 0 || colony__ctl_event_is_detail(event) ||
        strcmp(colony__ctl_text(event, "to"), "completed") == 0) /* its end tells that, too */
        return;
    tail = colony__app_tails_get(&start->tails, name, slot, colour);
    colony__ctl_describe_event(text, event);
    if (tail && strcmp(kind, "spawn") == 0)
        rc = colony__app_tail_begin(tail, &start->screen, colony__ctl_number(event, "os_pid"));
    else if (tail)
        rc = colony__app_tail_note(tail, text);
    if (rc < 0)
        (void)colony__app_start_fail(
            start, colony__app_fail(EXIT_FAILED, "cannot show %s: %s", name, strerror(-rc)));
}

static void take_event(struct app_start *start, const char *line, size_t size)
{
    struct cJSON *event = cJSON_ParseWithLength(line, size);

    if (!event)
        return; /* a heartbeat */
    if (colony__ctl_has_number(event, "seq"))
        (void)snprintf(start->last_seq, sizeof start->last_seq, "%.0f",
                       colony__ctl_number(event, "seq"));
    show_event(start, event);
    if (start->app->aborts)
        judge(start, event);
    cJSON_Delete(event);
}

/* Events are JSON, one a line. */
static int on_events(const char *bytes, size_t size, void *data)
{
    struct app_start *start = data;
    int rc = colony__buffer_append(&start->event, bytes, size, EVENT_MAX);
    const char *newline;

    while (rc == 0 && start->event.size > 0 &&
           (newline = memchr(start->event.data, '\n', start->event.size))) {
        size_t length = (size_t)(newline - start->event.data);

        take_event(start, start->event.data, length);
        colony__buffer_consume(&start->event, length + 1);
    }
    return rc;
}

int colony__app_events_open(struct app_start *start, struct colony_error *err)
{
    start->watching = (struct colony_request){
        .method = "GET",
        .path = "/watch?feed=continuous&heartbeat=false",
        .last_id = start->last_seq[0] != '\0' ? start->last_seq : NULL,
        .on_body = on_events,
        .data = start,
    };
    return colony_exchange_open(&start->watch, &start->own.target, &start->watching, err);
}

void colony__app_events_read(struct app_start *start)
{
    struct colony_error err = {0};

    if (colony_exchange_read(start->watch, &err) == 0)
        return;
    colony_exchange_close(start->watch);
    start->watch = NULL;
    colony__buffer_reset(&start->event);
    if (start->stops == 0 && !start->has_ended)
        (void)colony__app_events_open(start, &err); /* refused: its end will be told */
}
