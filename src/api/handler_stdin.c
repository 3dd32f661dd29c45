/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_stdin.c - `stdin`: each event is a line to a process of a template, to the next one of
 * several in turn.
 *
 * While none runs the events wait, and nobody looks for one: the bus tells of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/inbox_internal.h"
#include "api/json_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"

struct own {
    uint64_t last_id;                         /* of the process that had the last event */
    struct colony__incoming *waiting;         /* for a process; NULL: none does */
    struct colony_subscription *subscription; /* while it waits */
};

/* The process after that one, or the first. */
struct turn {
    uint64_t after;
    uint64_t first;
    uint64_t next;
};

static void look_at(const struct colony_slot_info *slot, void *data)
{
    struct turn *turn = data;

    if (slot->state != SLOT_RUNNING && slot->state != SLOT_READY)
        return;
    if (turn->first == 0 || slot->id < turn->first)
        turn->first = slot->id;
    if (slot->id > turn->after && (turn->next == 0 || slot->id < turn->next))
        turn->next = slot->id;
}

/* 0: none runs. */
static uint64_t choose(const struct colony__stage *stage, uint64_t after)
{
    struct turn turn = {.after = after};

    (void)colony_engine_each_slot(stage->inbox->engine, stage->settings->input, look_at, &turn);
    return turn.next ? turn.next : turn.first;
}

static int hand_over(struct colony__stage *stage, struct colony__incoming *event);

static void on_written(int rc, const char *why, void *data)
{
    struct colony__incoming *event = data;
    struct colony__stage *stage = event->stage;

    (void)why;
    event->work = NULL;
    if (rc < 0) /* it ended, or closed its stdin, before it had all of it */
        rc = hand_over(stage, event);
    else
        rc = 1;
    if (rc == 1)
        colony__stage_done(stage, event);
}

/* As colony_engine_write_input. */
static int write_line(struct colony__stage *stage, struct colony__incoming *event, uint64_t id)
{
    struct colony_input_write *job = NULL;
    struct colony__buffer line = {0};
    int rc = colony__stage_text(stage, event, &line);

    if (rc == 0)
        rc = colony__buffer_append(&line, "\n", 1, COLONY__ANSWER_MAX);
    if (rc == 0)
        rc = colony_engine_write_input(stage->inbox->engine,
                                       &(const struct colony_input_wish){.id = id,
                                                                         .bytes = line.data,
                                                                         .size = line.size,
                                                                         .is_patient = true,
                                                                         .cb = on_written,
                                                                         .data = event},
                                       &job);
    colony__buffer_clear(&line);
    event->work = job;
    return rc;
}

static void on_move(const struct colony_event *event, void *data)
{
    struct colony__stage *stage = data;
    struct own *own = stage->own;
    struct colony__incoming *waiting = own->waiting;

    if (!waiting || event->type != EVENT_STATE ||
        (event->to != SLOT_RUNNING && event->to != SLOT_READY))
        return;
    own->waiting = NULL;
    if (hand_over(stage, waiting) == 1)
        colony__stage_done(stage, waiting);
}

/* Until a process of it runs. 0, or 1: it cannot even wait. */
static int wait_for_process(struct colony__stage *stage, struct colony__incoming *event)
{
    struct own *own = stage->own;
    char pattern[sizeof "proc." + 256];
    int rc = 0;

    (void)snprintf(pattern, sizeof pattern, "proc.%s", stage->settings->input);
    if (!own->subscription)
        rc = colony_events_subscribe(colony_engine_events(stage->inbox->engine), pattern, on_move,
                                     stage, &own->subscription);
    if (rc < 0) {
        colony__stage_failed(stage, event, "cannot wait for %s: out of memory",
                             stage->settings->input);
        return 1;
    }
    own->waiting = event;
    return 0;
}

/* 1: it has it, or never will, and this was told; 0: later. */
static int hand_over(struct colony__stage *stage, struct colony__incoming *event)
{
    struct own *own = stage->own;
    uint64_t first = choose(stage, own->last_id);
    uint64_t id = first;
    int rc = -ESRCH;

    while (id != 0 && (rc == -ESRCH || rc == -ENOENT)) {
        rc = write_line(stage, event, id);
        own->last_id = id;
        id = choose(stage, id);
        if (id == first)
            break;
    }
    if (rc >= 0)
        return rc;
    if (rc == -ESRCH || rc == -ENOENT)
        return wait_for_process(stage, event);
    if (rc == -EPERM)
        colony__stage_failed(stage, event, "cannot write to %s: give it `redirect_input: true`",
                             stage->settings->input);
    else
        colony__stage_failed(stage, event, "cannot write to %s: %s", stage->settings->input,
                             strerror(-rc));
    return 1;
}

static int open_handler(struct colony__stage *stage, struct colony_error *err)
{
    stage->own = calloc(1, sizeof(struct own));
    if (!stage->own)
        return colony_fail(err, -ENOMEM, "cannot handle events: out of memory");
    return 0;
}

static void cancel(struct colony__stage *stage, struct colony__incoming *event)
{
    struct own *own = stage->own;

    own->waiting = NULL;
    if (event->work)
        colony_input_write_forget(event->work);
    event->work = NULL;
}

static void close_handler(struct colony__stage *stage)
{
    struct own *own = stage->own;

    colony_events_unsubscribe(colony_engine_events(stage->inbox->engine), own->subscription);
    free(own);
    stage->own = NULL;
}

const struct colony__handler_kind colony__handler_stdin = {
    .takes_engine = true,
    .open = open_handler,
    .handle = hand_over,
    .cancel = cancel,
    .close = close_handler,
};
