/* SPDX-License-Identifier: Apache-2.0 */
/*
 * juggler_sender.c - events on their way to Juggler, a batch after the other.
 *
 * A batch that could not be told is asked for anew when it is tried again, in 5 s, 10 s … 60 s.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "api/juggler.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/http_client.h"
#include "core/log.h"

enum {
    RETRY_MS_FIRST = 5000,
    RETRY_MS_MAX = 60000,
    HOST_MAX = 256,
    HEADERS_MAX = 40,
};

struct colony_juggler_sender {
    const struct colony_juggler_settings *settings;
    struct colony_juggler_source source;
    struct colony_http_client *client;
    struct colony_http_job *job;        /* a batch under way */
    struct colony_juggler_event *batch; /* room for settings->batch_max */
    size_t batch_count;
    char *body; /* of the batch under way */
    char host[HOST_MAX];
    uv_timer_t timer; /* a batch waits for another attempt */
    uint64_t retry_ms;
    bool is_troubled; /* the last attempt failed, and the log says so */
    struct colony_juggler_counts counts;
    size_t open_count;
    void (*closed_cb)(void *data);
    void *closed_data;
};

static void on_timer(uv_timer_t *timer)
{
    struct colony_juggler_sender *sender = timer->data;

    colony_juggler_sender_wake(sender);
}

static void tell_trouble(struct colony_juggler_sender *sender, const char *reason)
{
    sender->counts.failed_requests++;
    if (!sender->is_troubled)
        colony_log(SEVERITY_WARNING, "cannot report to Juggler: %s; it is tried again", reason);
    sender->is_troubled = true;
    sender->retry_ms = sender->retry_ms == 0 ? RETRY_MS_FIRST : sender->retry_ms * 2;
    if (sender->retry_ms > RETRY_MS_MAX)
        sender->retry_ms = RETRY_MS_MAX;
    (void)uv_timer_start(&sender->timer, on_timer, sender->retry_ms, 0);
}

static void note_told(struct colony_juggler_sender *sender, size_t index, int code)
{
    if (code == COLONY_JUGGLER_OK_CODE) {
        sender->counts.sent++;
    } else {
        sender->counts.refused++;
        colony_log(SEVERITY_WARNING, "Juggler refuses what it is told of %s: code %d",
                   sender->batch[index].service, code);
    }
    sender->source.told(index, sender->source.data);
}

static void on_answer(struct colony_juggler_sender *sender, const struct colony_http_result *result)
{
    int *codes = calloc(sender->batch_count, sizeof *codes);
    struct colony_error err = {.message = "out of memory"};
    int rc = codes ? colony_juggler_read_answer(result->body, result->size, codes,
                                                sender->batch_count, &err)
                   : -ENOMEM;

    if (rc < 0) {
        free(codes);
        tell_trouble(sender, err.message);
        return;
    }
    for (size_t i = 0; i < sender->batch_count; i++)
        note_told(sender, i, codes[i]);
    free(codes);
    if (sender->is_troubled)
        colony_log(SEVERITY_INFO, "reports to Juggler again");
    sender->is_troubled = false;
    sender->retry_ms = 0;
    colony_juggler_sender_wake(sender); /* the rest, and what has changed meanwhile */
}

static void on_done(const struct colony_http_result *result, void *data)
{
    struct colony_juggler_sender *sender = data;
    char reason[64];

    sender->job = NULL;
    free(sender->body);
    sender->body = NULL;
    if (result->status >= 200 && result->status < 300) {
        on_answer(sender, result);
        return;
    }
    (void)snprintf(reason, sizeof reason, "it answers with status %d", result->status);
    tell_trouble(sender, result->status ? reason : result->reason);
}

static int send_batch(struct colony_juggler_sender *sender)
{
    const struct colony_juggler_settings *settings = sender->settings;
    const char *headers[HEADERS_MAX + 1] = {"Content-Type: application/json"};
    char url[COLONY_JUGGLER_URL_MAX];
    size_t size = 0;
    size_t count = 1;
    int rc = colony_juggler_url(url, sizeof url, settings->url);

    if (rc < 0)
        return rc;
    sender->body = colony_juggler_body(settings->source, sender->batch, sender->batch_count, &size);
    if (!sender->body)
        return -ENOMEM;
    for (char *const *line = settings->headers; *line && count < HEADERS_MAX; line++)
        headers[count++] = *line;
    rc = colony_http_client_send(
        sender->client,
        &(const struct colony_http_request){.url = url,
                                            .headers = headers,
                                            .body = sender->body,
                                            .size = size,
                                            .ca = settings->ca,
                                            .timeout_ms = settings->timeout_ms,
                                            .answer_max = COLONY_JUGGLER_ANSWER_MAX,
                                            .cb = on_done,
                                            .data = sender},
        &sender->job);
    if (rc == 0)
        return 0;
    free(sender->body);
    sender->body = NULL;
    return rc;
}

void colony_juggler_sender_wake(struct colony_juggler_sender *sender)
{
    int rc;

    if (sender->job || uv_is_active((uv_handle_t *)&sender->timer))
        return; /* when that is over */
    sender->batch_count =
        sender->source.next(sender->batch, sender->settings->batch_max, sender->source.data);
    if (sender->batch_count == 0)
        return;
    for (size_t i = 0; i < sender->batch_count; i++)
        if (!sender->batch[i].host)
            sender->batch[i].host = sender->host;
    rc = send_batch(sender);
    if (rc < 0)
        tell_trouble(sender, strerror(-rc));
}

struct colony_juggler_counts
colony_juggler_sender_counts(const struct colony_juggler_sender *sender)
{
    return sender->counts;
}

/* --- its life --------------------------------------------------------------------------------- */

static void on_part_closed(void *data)
{
    struct colony_juggler_sender *sender = data;
    void (*cb)(void *data) = sender->closed_cb;
    void *closed_data = sender->closed_data;

    if (--sender->open_count > 0)
        return;
    free(sender->batch);
    free(sender);
    cb(closed_data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void set_host(struct colony_juggler_sender *sender)
{
    if (sender->settings->host)
        (void)snprintf(sender->host, sizeof sender->host, "%s", sender->settings->host);
    else if (gethostname(sender->host, sizeof sender->host - 1) < 0)
        (void)snprintf(sender->host, sizeof sender->host, "localhost");
}

int colony_juggler_sender_new(struct colony_juggler_sender **out, struct uv_loop_s *loop,
                              const struct colony_juggler_settings *settings,
                              const struct colony_juggler_source *source, struct colony_error *err)
{
    struct colony_juggler_sender *sender = calloc(1, sizeof *sender);
    int rc;

    if (sender)
        sender->batch = calloc(settings->batch_max, sizeof *sender->batch);
    if (!sender || !sender->batch) {
        free(sender);
        return colony_fail(err, -ENOMEM, "cannot report to Juggler: out of memory");
    }
    rc = colony_http_client_new(&sender->client, loop, err);
    if (rc < 0) {
        free(sender->batch);
        free(sender);
        return rc;
    }
    sender->settings = settings;
    sender->source = *source;
    set_host(sender);
    (void)uv_timer_init(loop, &sender->timer);
    sender->timer.data = sender;
    sender->open_count = 2;
    *out = sender;
    return 0;
}

void colony_juggler_sender_close(struct colony_juggler_sender *sender, void (*cb)(void *data),
                                 void *data)
{
    sender->closed_cb = cb;
    sender->closed_data = data;
    if (sender->job)
        colony_http_job_cancel(sender->job);
    sender->job = NULL;
    free(sender->body);
    colony_http_client_close(sender->client, on_part_closed, sender);
    uv_close((uv_handle_t *)&sender->timer, on_timer_closed);
}
