/* SPDX-License-Identifier: Apache-2.0 */
/* ready_http.c - ready when an URL is answered with a status below 400. */
#include <errno.h>
#include <stdio.h>

#include "core/error.h"
#include "core/http_client.h"
#include "core/ready_internal.h"
#include "core/settings.h"
#include "core/template.h"

enum {
    STATUS_BAD = 400, /* and what is above it */
};

static void ask(uv_timer_t *timer);

static void on_answer(const struct colony_http_result *result, void *data)
{
    struct colony_ready *ready = data;
    const char *url = ready->template->ready->text;
    char text[COLONY__READY_TEXT_MAX];

    ready->job = NULL;
    if (result->status > 0 && result->status < STATUS_BAD) {
        colony__ready_set(ready);
        return;
    }
    if (result->status > 0)
        (void)snprintf(text, sizeof text, "%.300s answered with status %d", url, result->status);
    else
        (void)snprintf(text, sizeof text, "cannot get %.300s: %s", url, result->reason);
    colony__ready_tried(ready, text, ask);
}

static void ask(uv_timer_t *timer)
{
    struct colony_ready *ready = timer->data;
    const struct colony_http_request request = {
        .url = ready->template->ready->text,
        .timeout_ms = ready->template->ready->try_ms,
        .cb = on_answer,
        .data = ready,
    };
    struct colony_error err = {0};
    struct colony_http_client *client = ready->runner.http(ready->runner.slot, &err);

    if (client && colony_http_client_send(client, &request, &ready->job) < 0)
        (void)colony_fail(&err, -ENOMEM, "cannot get %.300s: out of memory", request.url);
    if (err.code < 0)
        colony__ready_tried(ready, err.message, ask);
}

int colony__ready_http_init(struct colony_ready *ready)
{
    return ready->runner.http && colony_is_http_url(ready->template->ready->text) ? 0 : -EINVAL;
}

int colony__ready_http_begin(struct colony_ready *ready)
{
    return uv_timer_start(&ready->timer, ask, 0, 0); /* nothing is told from inside begin */
}

void colony__ready_http_end(struct colony_ready *ready)
{
    if (ready->job)
        colony_http_job_cancel(ready->job);
    ready->job = NULL;
}
