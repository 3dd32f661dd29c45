/* SPDX-License-Identifier: Apache-2.0 */
/*
 * juggler.c - reports states of templates to Juggler.
 *
 * A change waits for `delay`, then all templates are looked at, and those whose status is not what
 * was told last are told, a batch after the other. Each `resend` all are told again.
 */
#include "api/juggler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "api/juggler_internal.h"
#include "core/curl.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/events.h"
#include "core/front.h"
#include "core/http_client.h"
#include "core/log.h"

enum {
    RETRY_MS_FIRST = 5000,
    RETRY_MS_MAX = 60000,
    HOST_MAX = 256,
    HEADERS_MAX = 40,
};

struct juggler {
    struct colony_engine *engine;
    const struct colony_juggler_settings *settings;
    struct colony_http_client *client; /* NULL: there is nobody to report to */
    struct colony_http_job *job;       /* a batch under way */
    struct colony_subscription *subscription;
    struct colony__reports reports;
    char *body; /* of the batch under way */
    char host[HOST_MAX];
    uv_timer_t timer;  /* a change waits for company, or a batch for another attempt */
    uv_timer_t resend; /* all is told again */
    uint64_t retry_ms;
    bool is_troubled; /* the last attempt failed, and the log says so */
    uint64_t sent;
    uint64_t refused;
    uint64_t failed_requests;
    struct colony_meters meters;
    size_t open_count;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

/* --- telling it ------------------------------------------------------------------------------- */

static void tell(struct juggler *juggler);

static void on_timer(uv_timer_t *timer)
{
    tell(timer->data);
}

static void tell_trouble(struct juggler *juggler, const char *reason)
{
    juggler->failed_requests++;
    if (!juggler->is_troubled)
        colony_log(SEVERITY_WARNING, "cannot report to Juggler: %s; it is tried again", reason);
    juggler->is_troubled = true;
    juggler->retry_ms = juggler->retry_ms == 0 ? RETRY_MS_FIRST : juggler->retry_ms * 2;
    if (juggler->retry_ms > RETRY_MS_MAX)
        juggler->retry_ms = RETRY_MS_MAX;
    (void)uv_timer_start(&juggler->timer, on_timer, juggler->retry_ms, 0);
}

/* What Juggler does not want is not pressed on it before the next resend. */
static void note_told(struct juggler *juggler, const struct colony__told *told, int code)
{
    if (code == COLONY_JUGGLER_OK_CODE) {
        juggler->sent++;
    } else {
        juggler->refused++;
        colony_log(SEVERITY_WARNING, "Juggler refuses what it is told of %s: code %d", told->name,
                   code);
    }
    colony__reports_note(&juggler->reports, told);
}

static void on_answer(struct juggler *juggler, const struct colony_http_result *result)
{
    int *codes = calloc(juggler->reports.batch_count, sizeof *codes);
    struct colony_error err = {.message = "out of memory"};
    int rc = codes ? colony_juggler_read_answer(result->body, result->size, codes,
                                                juggler->reports.batch_count, &err)
                   : -ENOMEM;

    if (rc < 0) {
        free(codes);
        tell_trouble(juggler, err.message);
        return;
    }
    for (size_t i = 0; i < juggler->reports.batch_count; i++)
        note_told(juggler, &juggler->reports.batch[i], codes[i]);
    free(codes);
    if (juggler->is_troubled)
        colony_log(SEVERITY_INFO, "reports to Juggler again");
    juggler->is_troubled = false;
    juggler->retry_ms = 0;
    tell(juggler); /* the rest, and what has changed meanwhile */
}

static void on_done(const struct colony_http_result *result, void *data)
{
    struct juggler *juggler = data;
    char reason[64];

    juggler->job = NULL;
    free(juggler->body);
    juggler->body = NULL;
    if (result->status >= 200 && result->status < 300) {
        on_answer(juggler, result);
        return;
    }
    (void)snprintf(reason, sizeof reason, "it answers with status %d", result->status);
    tell_trouble(juggler, result->status ? reason : result->reason);
}

static int make_body(struct juggler *juggler, size_t *size)
{
    struct colony_juggler_event *events = calloc(juggler->reports.batch_count, sizeof *events);

    if (!events)
        return -ENOMEM;
    for (size_t i = 0; i < juggler->reports.batch_count; i++)
        events[i] =
            (struct colony_juggler_event){.host = juggler->host,
                                          .service = juggler->reports.batch[i].name,
                                          .status = juggler->reports.batch[i].status,
                                          .description = juggler->reports.batch[i].description,
                                          .tags = juggler->settings->tags};
    juggler->body =
        colony_juggler_body(juggler->settings->source, events, juggler->reports.batch_count, size);
    free(events);
    return juggler->body ? 0 : -ENOMEM;
}

static int send_batch(struct juggler *juggler)
{
    const struct colony_juggler_settings *settings = juggler->settings;
    const char *headers[HEADERS_MAX + 1] = {"Content-Type: application/json"};
    char url[COLONY_JUGGLER_URL_MAX];
    size_t size = 0;
    size_t count = 1;
    int rc = colony_juggler_url(url, sizeof url, settings->url);

    if (rc == 0)
        rc = make_body(juggler, &size);
    if (rc < 0)
        return rc;
    for (char *const *line = settings->headers; *line && count < HEADERS_MAX; line++)
        headers[count++] = *line;
    rc = colony_http_client_send(
        juggler->client,
        &(const struct colony_http_request){.url = url,
                                            .headers = headers,
                                            .body = juggler->body,
                                            .size = size,
                                            .ca = settings->ca,
                                            .timeout_ms = settings->timeout_ms,
                                            .answer_max = COLONY_JUGGLER_ANSWER_MAX,
                                            .cb = on_done,
                                            .data = juggler},
        &juggler->job);
    if (rc == 0)
        return 0;
    free(juggler->body);
    juggler->body = NULL;
    return rc;
}

static void tell(struct juggler *juggler)
{
    int rc;

    if (juggler->job)
        return; /* when that is answered */
    colony__reports_look(&juggler->reports);
    if (juggler->reports.batch_count == 0)
        return;
    rc = send_batch(juggler);
    if (rc < 0)
        tell_trouble(juggler, strerror(-rc));
}

static void on_resend(uv_timer_t *timer)
{
    struct juggler *juggler = timer->data;

    colony__reports_make_due(&juggler->reports);
    if (juggler->retry_ms == 0)
        tell(juggler);
}

static void on_event(const struct colony_event *event, void *data)
{
    struct juggler *juggler = data;

    if (!event->name || juggler->retry_ms > 0 || uv_is_active((uv_handle_t *)&juggler->timer))
        return;
    (void)uv_timer_start(&juggler->timer, on_timer, juggler->settings->delay_ms, 0);
}

/* --- figures ---------------------------------------------------------------------------------- */

#define EACH(field)                                                                                \
    static void each_##field(colony_figure_cb cb, void *to, void *data)                            \
    {                                                                                              \
        const struct juggler *juggler = data;                                                      \
                                                                                                   \
        cb(NULL, 0, juggler->field, to);                                                           \
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
    const struct colony_curl *lib;

    return settings->juggler->url ? colony_curl_get(&lib, err) : 0;
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

static void set_host(struct juggler *juggler)
{
    if (juggler->settings->host)
        (void)snprintf(juggler->host, sizeof juggler->host, "%s", juggler->settings->host);
    else if (gethostname(juggler->host, sizeof juggler->host - 1) < 0)
        (void)snprintf(juggler->host, sizeof juggler->host, "localhost");
}

static int start(void *controller, struct colony_error *err)
{
    struct juggler *juggler = controller;
    const struct colony_juggler_settings *settings = juggler->settings;
    int rc = 0;

    if (!settings->url)
        return 0;
    set_host(juggler);
    if (!juggler->reports.batch)
        juggler->reports.batch = calloc(settings->batch_max, sizeof *juggler->reports.batch);
    if (!juggler->reports.batch)
        return colony_fail(err, -ENOMEM, "cannot report to Juggler: out of memory");
    if (!juggler->client) {
        rc = colony_http_client_new(&juggler->client, colony_engine_uv_loop(juggler->engine), err);
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
    if (juggler->job)
        colony_http_job_cancel(juggler->job);
    free(juggler->body);
    colony__reports_clear(&juggler->reports);
    if (juggler->client)
        colony_http_client_close(juggler->client, on_part_closed, juggler);
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
