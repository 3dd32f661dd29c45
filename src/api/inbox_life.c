/* SPDX-License-Identifier: Apache-2.0 */
/* inbox_life.c - how the queue begins and ends. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "api/inbox_internal.h"
#include "core/error.h"
#include "core/http_client.h"
#include "core/log.h"

enum {
    FLUSH_MS = 3000, /* what waits when colony ends is handled in that time, or given up */
};

static const struct colony__handler_kind *const kinds[HANDLER_KIND_COUNT] = {
    [HANDLER_LOG] = &colony__handler_log,         [HANDLER_EXEC] = &colony__handler_exec,
    [HANDLER_STDIN] = &colony__handler_stdin,     [HANDLER_WEBHOOK] = &colony__handler_webhook,
    [HANDLER_BUS] = &colony__handler_bus,         [HANDLER_ZMQ] = &colony__handler_zmq,
    [HANDLER_PROGRAM] = &colony__handler_program,
};

int colony_inbox_check(const struct colony_settings *settings, struct colony_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < settings->events->handler_count && rc == 0; i++) {
        const struct colony_handler_settings *handler = &settings->events->handlers[i];

        if (kinds[handler->kind]->check)
            rc = kinds[handler->kind]->check(handler, err);
    }
    return rc;
}

/* --- the end ---------------------------------------------------------------------------------- */

void colony__inbox_part_closed(void *data)
{
    struct colony_inbox *inbox = data;
    colony_inbox_closed_cb cb = inbox->closed_cb;
    void *closed_data = inbox->closed_data;

    if (--inbox->open_count > 0 || !inbox->is_closed)
        return;
    free(inbox);
    if (cb)
        cb(closed_data); /* last, so that the caller may close the loop */
}

static void on_timer_closed(uv_handle_t *handle)
{
    colony__inbox_part_closed(handle->data);
}

static void give_up_all(struct colony_inbox *inbox)
{
    struct colony__incoming *event;

    while ((event = TAILQ_FIRST(&inbox->all))) {
        if (event->is_in_hand && event->stage->kind->cancel)
            event->stage->kind->cancel(event->stage, event);
        colony__inbox_lose(inbox, event);
    }
    if (inbox->lost > 0)
        colony_log(SEVERITY_WARNING, "gives up %zu events: colony ends before they were handled",
                   inbox->lost);
    if (inbox->left > 0)
        colony_log(SEVERITY_INFO, "leaves %zu events for the next start", inbox->left);
}

static void close_parts(struct colony_inbox *inbox)
{
    inbox->is_closed = true;
    give_up_all(inbox);
    for (uint32_t i = 0; i < inbox->stage_count; i++)
        if (inbox->stages[i].kind->close)
            inbox->stages[i].kind->close(&inbox->stages[i]);
    if (inbox->client)
        colony_http_client_close(inbox->client, colony__inbox_part_closed, inbox);
    uv_close((uv_handle_t *)&inbox->timer, on_timer_closed);
}

static void on_flush_over(uv_timer_t *timer)
{
    close_parts(timer->data);
}

/* Not from inside a handler, which may have more to do in the call that says so. */
void colony__inbox_idle(struct colony_inbox *inbox)
{
    if (inbox->is_closing && !inbox->is_closed)
        (void)uv_timer_start(&inbox->timer, on_flush_over, 0, 0);
}

void colony_inbox_close(struct colony_inbox *inbox, colony_inbox_closed_cb cb, void *data)
{
    inbox->closed_cb = cb;
    inbox->closed_data = data;
    inbox->is_open = false;
    inbox->is_closing = true;
    (void)uv_timer_start(&inbox->timer, on_flush_over, inbox->length > 0 ? FLUSH_MS : 0, 0);
    for (uint32_t i = 0; i < inbox->stage_count; i++)
        if (inbox->stages[i].kind->hurry)
            inbox->stages[i].kind->hurry(&inbox->stages[i]);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static uint64_t wall_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int open_stage(struct colony_inbox *inbox, const struct colony_handler_settings *settings,
                      uint32_t place, struct colony_error *err)
{
    struct colony__stage *stage = &inbox->stages[inbox->stage_count];
    int rc;

    stage->settings = settings;
    stage->kind = kinds[settings->kind];
    stage->inbox = inbox;
    stage->number = inbox->stage_count;
    stage->place = place;
    stage->end = &stage->head;
    stage->busy_max = settings->kind == HANDLER_EXEC ? settings->concurrency : 1;
    if (stage->kind->takes_engine && !inbox->engine)
        return colony_fail(err, -ENOTSUP,
                           "cannot handle events by `%s`: that is the engine's, and here is none",
                           colony_handler_kind_name(settings->kind));
    rc = stage->kind->open ? stage->kind->open(stage, err) : 0;
    inbox->stage_count += rc == 0;
    return rc;
}

/* What a program does is not held up by a webhook that nobody answers. */
static int open_stages(struct colony_inbox *inbox, struct colony_error *err)
{
    static const struct colony_handler_settings program = {.kind = HANDLER_PROGRAM};
    int rc = inbox->program ? open_stage(inbox, &program, 0, err) : 0;

    for (size_t i = 0; i < inbox->settings->handler_count && rc == 0; i++)
        rc = open_stage(inbox, &inbox->settings->handlers[i], (uint32_t)i + 1, err);
    return rc;
}

int colony_inbox_new(struct colony_inbox **out, const struct colony_inbox_options *options,
                     struct colony_error *err)
{
    struct colony_inbox *inbox = calloc(1, sizeof *inbox);
    int rc;

    if (!inbox)
        return colony_fail(err, -ENOMEM, "cannot take events: out of memory");
    inbox->engine = options->engine;
    inbox->store = options->store;
    inbox->program = options->program;
    inbox->loop = options->loop;
    inbox->settings = options->settings;
    inbox->last_id = wall_us(); /* above all that an engine before this one gave */
    TAILQ_INIT(&inbox->all);
    (void)uv_timer_init(inbox->loop, &inbox->timer);
    inbox->timer.data = inbox;
    inbox->open_count = 1;
    rc = open_stages(inbox, err);
    if (rc < 0) {
        close_parts(inbox); /* the loop frees it */
        return rc;
    }
    *out = inbox;
    return 0;
}

int colony_inbox_start(struct colony_inbox *inbox, struct colony_error *err)
{
    int rc = colony__inbox_add_meters(inbox);

    if (rc < 0)
        return colony_fail(err, rc, "cannot take events: out of memory");
    rc = colony__inbox_restore(inbox, err);
    if (rc < 0) {
        colony__inbox_remove_meters(inbox);
        return rc;
    }
    inbox->is_open = true;
    return 0;
}

void colony_inbox_stop(struct colony_inbox *inbox)
{
    inbox->is_open = false;
    colony__inbox_remove_meters(inbox);
}
