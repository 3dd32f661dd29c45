/* SPDX-License-Identifier: Apache-2.0 */
/*
 * juggler.c - reports states of templates to Juggler (juggler_sender.c).
 *
 * A change waits for `delay`, then all templates are looked at, and those whose status is not what
 * was told last are told, a batch after the other. Each `resend` all are told again.
 */
#include "api/juggler.h"

#include <errno.h>
#include <stdlib.h>

#include <uv.h>

#include "api/juggler_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/events.h"
#include "core/front.h"
#include "core/http_client.h"

struct juggler {
    struct colony_engine *engine;
    const struct colony_juggler_settings *settings;
    struct colony_juggler_sender *sender;     /* NULL: there is nobody to report to */
    struct colony_subscription *subscription; /* NULL: it is stopped */
    struct colony__reports reports;
    uv_timer_t timer;  /* a change waits for company */
    uv_timer_t resend; /* all is told again */
    struct colony_meters meters;
    size_t open_count;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

/* --- telling it ------------------------------------------------------------------------------- */

static size_t next_batch(struct colony_juggler_event *events, size_t max, void *data)
{
    struct juggler *juggler = data;

    if (!juggler->subscription)
        return 0;
    colony__reports_look(&juggler->reports);
    for (size_t i = 0; i < juggler->reports.batch_count && i < max; i++)
        events[i] =
            (struct colony_juggler_event){.service = juggler->reports.batch[i].name,
                                          .status = juggler->reports.batch[i].status,
                                          .description = juggler->reports.batch[i].description,
                                          .tags = juggler->settings->tags};
    return juggler->reports.batch_count;
}

/* What Juggler does not want is not pressed on it before the next resend. */
static void on_told(size_t index, void *data)
{
    struct juggler *juggler = data;

    colony__reports_note(&juggler->reports, &juggler->reports.batch[index]);
}

static void on_timer(uv_timer_t *timer)
{
    struct juggler *juggler = timer->data;

    colony_juggler_sender_wake(juggler->sender);
}

static void on_resend(uv_timer_t *timer)
{
    struct juggler *juggler = timer->data;

    colony__reports_make_due(&juggler->reports);
    colony_juggler_sender_wake(juggler->sender);
}

static void on_event(const struct colony_event *event, void *data)
{
    struct juggler *juggler = data;

    if (!event->name || uv_is_active((uv_handle_t *)&juggler->timer))
        return;
    (void)uv_timer_start(&juggler->timer, on_timer, juggler->settings->delay_ms, 0);
}

/* --- figures ---------------------------------------------------------------------------------- */

#define EACH(field)                                                                                \
    static void each_##field(colony_figure_cb cb, void *to, void *data)                            \
    {                                                                                              \
        const struct juggler *juggler = data;                                                      \
                                                                                                   \
        cb(NULL, 0, colony_juggler_sender_counts(juggler->sender).field, to);                      \
    }

EACH(sent)
EACH(refused)
EACH(failed_requests)

/* clang-format off */
static const struct colony_meter meters[] = {
    {"colony_juggler_sent_events_total",     "counter",
     "States of templates that Juggler has taken.", each_sent},
    {"colony_juggler_refused_events_total",  "counter",
     "Those that it answered with another code than 200.", each_refused},
    {"colony_juggler_failed_requests_total", "counter",
     "Requests to Juggler that failed.", each_failed_requests},
    {0},
};
/* clang-format on */

/* --- the controller --------------------------------------------------------------------------- */

int colony_juggler_check(const struct colony_settings *settings, struct colony_error *err)
{
    return settings->juggler->url ? colony_http_client_check(err) : 0;
}

static void on_part_closed(void *data)
{
    struct juggler *juggler = data;
    colony_front_closed_cb cb = juggler->closed_cb;
    void *closed_data = juggler->closed_data;

    if (--juggler->open_count > 0)
        return;
    free(juggler);
    cb(closed_data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct juggler *juggler = calloc(1, sizeof *juggler);

    if (!juggler)
        return colony_fail(err, -ENOMEM, "cannot report to Juggler: out of memory");
    juggler->engine = engine;
    juggler->settings = settings->juggler;
    juggler->reports.engine = engine;
    juggler->reports.settings = settings->juggler;
    juggler->meters = (struct colony_meters){.list = meters, .data = juggler};
    (void)uv_timer_init(colony_engine_uv_loop(engine), &juggler->timer);
    (void)uv_timer_init(colony_engine_uv_loop(engine), &juggler->resend);
    juggler->timer.data = juggler;
    juggler->resend.data = juggler;
    juggler->open_count = 2;
    *out = juggler;
    return 0;
}

static int start(void *controller, struct colony_error *err)
{
    struct juggler *juggler = controller;
    const struct colony_juggler_settings *settings = juggler->settings;
    const struct colony_juggler_source source = {next_batch, on_told, juggler};
    int rc = 0;

    if (!settings->url)
        return 0;
    if (!juggler->reports.batch)
        juggler->reports.batch = calloc(settings->batch_max, sizeof *juggler->reports.batch);
    if (!juggler->reports.batch)
        return colony_fail(err, -ENOMEM, "cannot report to Juggler: out of memory");
    if (!juggler->sender) {
        rc = colony_juggler_sender_new(&juggler->sender, colony_engine_uv_loop(juggler->engine),
                                       settings, &source, err);
        juggler->open_count += rc == 0;
    }
    if (rc < 0)
        return rc;
    rc = colony_events_subscribe(colony_engine_events(juggler->engine), ".", on_event, juggler,
                                 &juggler->subscription);
    if (rc < 0)
        return colony_fail(err, rc, "cannot report to Juggler: out of memory");
    colony_engine_add_meters(juggler->engine, &juggler->meters);
    (void)uv_timer_start(&juggler->timer, on_timer, settings->delay_ms, 0);
    if (settings->resend_ms > 0)
        (void)uv_timer_start(&juggler->resend, on_resend, settings->resend_ms, settings->resend_ms);
    return 0;
}

static void stop(void *controller)
{
    struct juggler *juggler = controller;

    colony_engine_remove_meters(juggler->engine, &juggler->meters);
    colony_events_unsubscribe(colony_engine_events(juggler->engine), juggler->subscription);
    juggler->subscription = NULL;
    (void)uv_timer_stop(&juggler->timer);
    (void)uv_timer_stop(&juggler->resend);
}

static void close_controller(void *controller, colony_front_closed_cb cb, void *data)
{
    struct juggler *juggler = controller;

    juggler->closed_cb = cb;
    juggler->closed_data = data;
    if (juggler->sender)
        colony_juggler_sender_close(juggler->sender, on_part_closed, juggler);
    colony__reports_clear(&juggler->reports);
    uv_close((uv_handle_t *)&juggler->timer, on_timer_closed);
    uv_close((uv_handle_t *)&juggler->resend, on_timer_closed);
}

const struct colony_front colony_juggler_front = {
    .name = "juggler",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
