/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_webhook.c - `webhook`: each event is posted to a URL.
 *
 * The webhook (webhook_internal.h) is handed one event at a time, so that it is idle when that one
 * was taken or given up.
 */
#include <errno.h>
#include <stdlib.h>

#include "api/inbox_internal.h"
#include "api/json_internal.h"
#include "api/webhook_internal.h"
#include "api/webhook_queue_internal.h"
#include "core/error.h"
#include "core/http_client.h"

struct own {
    struct colony__stage *stage;
    struct colony__webhook *hook;
    struct colony__incoming *event; /* that it posts; NULL: none */
    uint64_t failed;                /* as it was told before */
    bool is_handing;                /* it is being handed one */
    int rc;                         /* what handing it over comes to */
};

/* When colony ends there is but one attempt, and that it failed is not the last word. */
static int judge(struct own *own, const struct colony__incoming *event)
{
    struct colony__webhook_counts counts = colony__webhook_counts(own->hook);
    bool has_failed = counts.failed + counts.dropped > own->failed;

    own->failed = counts.failed + counts.dropped;
    if (!has_failed)
        return 1;
    if (own->stage->inbox->is_closing)
        return -ESHUTDOWN;
    colony__stage_failed(own->stage, event, "cannot post it to %s: it was given up",
                         colony__webhook_url(own->hook));
    return 1;
}

static void on_idle(void *data)
{
    struct own *own = data;
    struct colony__stage *stage = own->stage;
    struct colony__incoming *event = own->event;

    own->event = NULL;
    own->rc = judge(own, event);
    if (own->is_handing)
        return;
    if (own->rc > 0)
        colony__stage_done(stage, event);
    else
        colony__stage_give_up(stage, event);
}

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    struct own *own = stage->own;
    struct colony__buffer text = {0};

    if (colony__stage_text(stage, event, &text) < 0) {
        colony__stage_failed(stage, event, "out of memory");
        return 1;
    }
    own->event = event;
    own->rc = 0;
    own->is_handing = true;
    colony__webhook_add(
        own->hook, &(const struct colony__webhook_news){
                       .name = "event", .id = event->id, .body = text.data, .size = text.size});
    if (own->event && colony__webhook_counts(own->hook).queued == 0)
        on_idle(own); /* there was no memory for it */
    own->is_handing = false;
    colony__buffer_clear(&text);
    return own->rc;
}

static int check(const struct colony_handler_settings *settings, struct colony_error *err)
{
    struct colony__webhook *hook = NULL;
    int rc = colony_http_client_check(err);

    if (rc == 0)
        rc = colony__webhook_new(&hook, &settings->hook, "handler", 0, err);
    colony__webhook_drop(hook);
    return rc;
}

static int start_hook(struct own *own, struct colony_error *err)
{
    struct colony_inbox *inbox = own->stage->inbox;
    int rc = 0;

    if (!inbox->client) {
        rc = colony_http_client_new(&inbox->client, inbox->loop, err);
        inbox->open_count += rc == 0;
    }
    if (rc < 0)
        return rc;
    rc = colony__webhook_start(own->hook, inbox->loop, inbox->client, on_idle, own);
    return rc < 0 ? colony_fail(err, rc, "cannot handle events: out of memory") : 0;
}

static int open_handler(struct colony__stage *stage, struct colony_error *err)
{
    struct own *own = calloc(1, sizeof *own);
    int rc;

    if (!own)
        return colony_fail(err, -ENOMEM, "cannot handle events: out of memory");
    own->stage = stage;
    rc = colony__webhook_new(&own->hook, &stage->settings->hook, "handler", stage->place, err);
    if (rc == 0)
        rc = start_hook(own, err);
    if (rc < 0) {
        colony__webhook_drop(own->hook);
        free(own);
        return rc;
    }
    stage->inbox->open_count++;
    stage->own = own;
    return 0;
}

static void hurry(struct colony__stage *stage)
{
    const struct own *own = stage->own;

    colony__webhook_hurry(own->hook);
}

static void cancel(struct colony__stage *stage, struct colony__incoming *event)
{
    struct own *own = stage->own;

    (void)event;
    own->event = NULL; /* the hook is closed next */
}

static void close_handler(struct colony__stage *stage)
{
    struct own *own = stage->own;

    colony__webhook_close(own->hook, colony__inbox_part_closed, stage->inbox);
    free(own);
    stage->own = NULL;
}

const struct colony__handler_kind colony__handler_webhook = {
    .check = check,
    .open = open_handler,
    .handle = handle,
    .hurry = hurry,
    .cancel = cancel,
    .close = close_handler,
};
