/* SPDX-License-Identifier: Apache-2.0 */
#include "api/webhooks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include "api/event_json_internal.h"
#include "api/json_internal.h"
#include "api/webhook_internal.h"
#include "api/webhook_kept_internal.h"
#include "api/webhook_queue_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/front.h"
#include "core/history.h"
#include "core/http_client.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/store.h"

enum {
    FLUSH_MS = 3000, /* what waits when colony ends is posted in that time, or given up */
};

/* In the order of the settings. */
struct hooks {
    struct colony__webhook *list[COLONY_WEBHOOKS_MAX];
    size_t count;
};

struct webhooks {
    struct colony_engine *engine;
    struct colony_http_client *client; /* NULL: there has been no hook yet */
    struct colony_subscription *subscription;
    struct hooks hooks;
    struct colony_meters meters;
    struct colony_leaver leaver;
    uv_timer_t flush;
    size_t open_count; /* of what the loop has of ours: hooks, the client, the timer */
    bool is_flushing;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

/* --- settings --------------------------------------------------------------------------------- */

static void drop_hooks(struct hooks *hooks)
{
    for (size_t i = 0; i < hooks->count; i++)
        colony__webhook_drop(hooks->list[i]);
    hooks->count = 0;
}

static int load_hooks(struct hooks *hooks, const struct colony_webhooks_settings *settings,
                      struct colony_error *err)
{
    int rc = settings->count > 0 ? colony_http_client_check(err) : 0;

    for (size_t i = 0; i < settings->count && rc == 0; i++) {
        rc = colony__webhook_new(&hooks->list[i], &settings->list[i], "webhook", i + 1, err);
        hooks->count += rc == 0;
    }
    if (rc < 0)
        drop_hooks(hooks);
    return rc;
}

int colony_webhooks_check(const struct colony_settings *settings, struct colony_error *err)
{
    struct hooks hooks = {.count = 0};
    int rc = load_hooks(&hooks, &settings->webhooks, err);

    drop_hooks(&hooks);
    return rc;
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_event(const struct colony_event *event, void *data)
{
    const struct webhooks *webhooks = data;
    struct colony_store_event row;
    struct colony__json json = {0};

    if (!colony_history_is_told(event))
        return;
    colony_history_row(&row, event);
    for (size_t i = 0; i < webhooks->hooks.count; i++) {
        struct colony__webhook *hook = webhooks->hooks.list[i];

        if (!colony__webhook_wants(hook, event))
            continue;
        if (json.text.size == 0)
            colony__event_add_json(&json, &row, event->detached);
        if (!json.failed)
            colony__webhook_add(
                hook, &(const struct colony__webhook_news){.name = colony_event_name(event->type),
                                                           .body = json.text.data,
                                                           .size = json.text.size});
        else
            colony_log(SEVERITY_ERROR, "cannot post an event: out of memory");
    }
    colony__json_clear(&json);
}

/* Only where there is somebody to tell. */
static int listen_to_events(struct webhooks *webhooks)
{
    struct colony_events *events = colony_engine_events(webhooks->engine);

    if (webhooks->hooks.count > 0 && !webhooks->subscription)
        return colony_events_subscribe(events, ".", on_event, webhooks, &webhooks->subscription);
    if (webhooks->hooks.count == 0) {
        colony_events_unsubscribe(events, webhooks->subscription);
        webhooks->subscription = NULL;
    }
    return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void on_part_closed(void *data)
{
    struct webhooks *webhooks = data;
    colony_front_closed_cb cb = webhooks->closed_cb;
    void *closed_data = webhooks->closed_data;

    if (--webhooks->open_count > 0 || !cb)
        return;
    free(webhooks);
    cb(closed_data);
}

static void on_flush_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void close_all(struct webhooks *webhooks)
{
    size_t count = webhooks->hooks.count;

    webhooks->is_flushing = false;
    webhooks->hooks.count = 0;
    for (size_t i = 0; i < count; i++)
        colony__webhook_close(webhooks->hooks.list[i], on_part_closed, webhooks);
    if (webhooks->client)
        colony_http_client_close(webhooks->client, on_part_closed, webhooks);
    uv_close((uv_handle_t *)&webhooks->flush, on_flush_closed);
}

/* For the next engine: this one is replaced. */
static void keep(void *data)
{
    const struct webhooks *webhooks = data;

    colony__webhooks_keep(colony_engine_state_dir(webhooks->engine), webhooks->hooks.list,
                          webhooks->hooks.count);
}

static void on_flush_over(uv_timer_t *timer)
{
    close_all(timer->data);
}

/* Not from inside a hook, which may have more to do in the call that says so. */
static void on_idle(void *data)
{
    struct webhooks *webhooks = data;

    if (!webhooks->is_flushing)
        return;
    for (size_t i = 0; i < webhooks->hooks.count; i++)
        if (colony__webhook_counts(webhooks->hooks.list[i]).queued > 0)
            return;
    (void)uv_timer_start(&webhooks->flush, on_flush_over, 0, 0);
}

/* --- hooks come and go ------------------------------------------------------------------------ */

static int start_hook(struct webhooks *webhooks, struct colony__webhook *hook)
{
    struct uv_loop_s *loop = colony_engine_uv_loop(webhooks->engine);
    struct colony_error err;

    if (!webhooks->client) {
        int rc = colony_http_client_new(&webhooks->client, loop, &err);

        if (rc < 0)
            return rc;
        webhooks->open_count++;
    }
    return colony__webhook_start(hook, loop, webhooks->client, on_idle, webhooks);
}

/* Takes over the hooks that @next has: one that is there already goes on, with what it has queued.
 */
static int use_hooks(struct webhooks *webhooks, struct hooks *next)
{
    struct hooks old = webhooks->hooks;
    int rc = 0;

    webhooks->hooks = (struct hooks){.count = 0};
    for (size_t i = 0; i < next->count; i++) {
        struct colony__webhook *hook = next->list[i];
        struct colony__webhook **place = NULL;

        for (size_t k = 0; k < old.count && !place; k++)
            if (old.list[k] && colony__webhook_is_same(old.list[k], hook))
                place = &old.list[k];
        if (place) {
            colony__webhook_use(*place, hook);
            hook = *place;
            *place = NULL;
        } else if (start_hook(webhooks, hook) < 0) {
            colony__webhook_drop(hook);
            rc = -ENOMEM;
            continue;
        } else {
            webhooks->open_count++;
        }
        webhooks->hooks.list[webhooks->hooks.count++] = hook;
    }
    next->count = 0;
    for (size_t k = 0; k < old.count; k++)
        if (old.list[k])
            colony__webhook_close(old.list[k], on_part_closed, webhooks);
    return rc;
}

/* On a thread of libuv's; libcurl is opened here if it has not been. */
static int load(void **out, const struct colony_settings *next, const struct colony_settings *now,
                struct colony_error *err)
{
    struct hooks *hooks;
    int rc;

    if (next->webhooks.count == 0 && now->webhooks.count == 0)
        return 0;
    hooks = calloc(1, sizeof *hooks);
    if (!hooks)
        return colony_fail(err, -ENOMEM, "cannot reload: out of memory");
    rc = load_hooks(hooks, &next->webhooks, err);
    if (rc < 0)
        free(hooks);
    else
        *out = hooks;
    return rc;
}

static void drop(void *loaded)
{
    drop_hooks(loaded);
    free(loaded);
}

static void apply(void *loaded, void *data)
{
    struct webhooks *webhooks = data;

    if (use_hooks(webhooks, loaded) < 0 || listen_to_events(webhooks) < 0)
        colony_log(SEVERITY_ERROR, "cannot post all events that are asked for: out of memory");
    drop(loaded);
}

static const struct colony_reload_part part = {
    .name = "webhooks",
    .text = "where events are posted to, and secrets, are read again",
    .is_of_file = true,
    .load = load,
    .apply = apply,
    .drop = drop,
};

/* --- figures ---------------------------------------------------------------------------------- */

/* Calls @cb for each hook with the count at @offset. */
static void each_count(const struct webhooks *webhooks, size_t offset, colony_figure_cb cb,
                       void *to)
{
    for (size_t i = 0; i < webhooks->hooks.count; i++) {
        const struct colony__webhook *hook = webhooks->hooks.list[i];
        struct colony__webhook_counts counts = colony__webhook_counts(hook);
        char number[24];
        const struct colony_label labels[] = {{"hook", number}, {"url", colony__webhook_url(hook)}};

        (void)snprintf(number, sizeof number, "%zu", i + 1);
        cb(labels, 2, *(const uint64_t *)((const char *)&counts + offset), to);
    }
}

#define EACH(field)                                                                                \
    static void each_##field(colony_figure_cb cb, void *to, void *data)                            \
    {                                                                                              \
        each_count(data, offsetof(struct colony__webhook_counts, field), cb, to);                  \
    }

EACH(sent)
EACH(failed)
EACH(dropped)
EACH(attempts)
EACH(queued)

/* clang-format off */
static const struct colony_meter meters[] = {
    {"colony_webhook_sent_events_total",     "counter",
     "Events that a webhook has taken.", each_sent},
    {"colony_webhook_failed_events_total",   "counter",
     "Events that were given up after the last attempt.", each_failed},
    {"colony_webhook_failed_attempts_total", "counter",
     "Attempts to post an event that failed.", each_attempts},
    {"colony_webhook_dropped_events_total",  "counter",
     "Events that went unsent because too many waited.", each_dropped},
    {"colony_webhook_queued_events",         "gauge",
     "Events that wait to be posted.", each_queued},
    {0},
};
/* clang-format on */

/* --- the controller --------------------------------------------------------------------------- */

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct webhooks *webhooks = calloc(1, sizeof *webhooks);

    (void)settings;
    if (!webhooks || uv_timer_init(colony_engine_uv_loop(engine), &webhooks->flush) < 0) {
        free(webhooks);
        return colony_fail(err, -ENOMEM, "cannot use webhooks: out of memory");
    }
    webhooks->engine = engine;
    webhooks->flush.data = webhooks;
    webhooks->open_count = 1;
    webhooks->meters = (struct colony_meters){.list = meters, .data = webhooks};
    webhooks->leaver = (struct colony_leaver){.leave = keep, .data = webhooks};
    *out = webhooks;
    return 0;
}

static int start(void *controller, struct colony_error *err)
{
    struct webhooks *webhooks = controller;
    struct hooks hooks = {.count = 0};
    int rc = load_hooks(&hooks, &colony_engine_settings(webhooks->engine)->webhooks, err);

    if (rc < 0)
        return rc;
    rc = use_hooks(webhooks, &hooks);
    if (rc == 0)
        rc = colony__webhooks_restore(colony_engine_state_dir(webhooks->engine),
                                      webhooks->hooks.list, webhooks->hooks.count);
    if (rc == 0)
        rc = listen_to_events(webhooks);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot use webhooks");
    colony_engine_add_leaver(webhooks->engine, &webhooks->leaver);
    colony_engine_add_meters(webhooks->engine, &webhooks->meters);
    colony_engine_add_reload_part(webhooks->engine, &part, webhooks);
    return 0;
}

static void stop(void *controller)
{
    struct webhooks *webhooks = controller;

    colony_engine_remove_reload_part(webhooks->engine, &part);
    colony_engine_remove_meters(webhooks->engine, &webhooks->meters);
    colony_engine_remove_leaver(webhooks->engine, &webhooks->leaver);
    colony_events_unsubscribe(colony_engine_events(webhooks->engine), webhooks->subscription);
    webhooks->subscription = NULL;
}

static void close_controller(void *controller, colony_front_closed_cb cb, void *data)
{
    struct webhooks *webhooks = controller;
    bool is_replaced = colony_engine_ending_with(webhooks->engine) < 0;

    webhooks->closed_cb = cb;
    webhooks->closed_data = data;
    webhooks->is_flushing = true;
    (void)uv_timer_start(&webhooks->flush, on_flush_over, FLUSH_MS, 0);
    if (is_replaced)
        keep(webhooks);
    for (size_t i = 0; i < webhooks->hooks.count; i++)
        if (is_replaced)
            colony__webhook_forget(webhooks->hooks.list[i]);
        else
            colony__webhook_hurry(webhooks->hooks.list[i]);
    on_idle(webhooks);
}

const struct colony_front colony_webhooks_front = {
    .name = "webhooks",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
