/* SPDX-License-Identifier: Apache-2.0 */
#include "api/webhook_internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/hmac.h>
#include <uv.h>

#include "api/webhook_queue_internal.h"
#include "core/error.h"
#include "core/events.h"
#include "core/http_client.h"
#include "core/log.h"
#include "core/secret.h"
#include "core/settings.h"

enum {
    DELAY_MS_FIRST = 1000,
    DELAY_MS_MAX = 60000,
    RETRY_AFTER_MAX_S = 600, /* as long as a server may ask us to wait */
    JITTER_DIVISOR = 4,      /* a quarter less at most, so that many do not come at once */
    ORIGIN_MAX = 280,
    HEADERS_MAX = 40,
};

/* How it fares with the events, as the log has it. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_TRIES, /* the last attempt failed */
    TROUBLE_LOSES, /* and some were given up since */
};

struct colony__webhook {
    const struct colony_webhook_settings *settings;
    const char *kind;
    size_t number;
    char *secret; /* NULL: what is posted is not signed */
    size_t secret_size;
    char origin[ORIGIN_MAX]; /* of the URL, for people */
    struct colony__webhook_queue queue;
    struct colony_http_client *client;
    struct colony_http_job *job; /* an attempt under way */
    uv_timer_t timer;            /* until the next one */
    uint32_t attempt;            /* failures of the first event */
    bool is_hurried;
    enum trouble trouble;
    uint64_t lost; /* since it began */
    uint64_t sent;
    uint64_t failed;
    uint64_t failed_attempts;
    colony__webhook_cb idle;
    void *idle_data;
    colony__webhook_cb closed;
    void *closed_data;
};

/* --- what it is made of ----------------------------------------------------------------------- */

/* The secret is what stands in the file, but for the newline that editors put behind it. */
static int read_secret(struct colony__webhook *hook, struct colony_error *err)
{
    const char *path = hook->settings->secret_file;
    int rc = colony_secret_read(&hook->secret, &hook->secret_size, path, err);

    if (rc < 0)
        return rc;
    while (hook->secret_size > 0 && isspace((unsigned char)hook->secret[hook->secret_size - 1]))
        hook->secret_size--;
    if (hook->secret_size == 0)
        return colony_fail(err, -EINVAL, "cannot use %s: there is no secret in it", path);
    return 0;
}

int colony__webhook_new(struct colony__webhook **out,
                        const struct colony_webhook_settings *settings, const char *kind,
                        size_t number, struct colony_error *err)
{
    struct colony__webhook *hook = calloc(1, sizeof *hook);
    int rc;

    if (!hook)
        return colony_fail(err, -ENOMEM, "cannot use webhooks: out of memory");
    hook->settings = settings;
    hook->kind = kind;
    hook->number = number;
    colony_webhook_origin(settings->url, hook->origin, sizeof hook->origin);
    rc = settings->secret_file ? read_secret(hook, err) : 0;
    if (rc < 0) {
        colony__webhook_drop(hook);
        return rc;
    }
    *out = hook;
    return 0;
}

void colony__webhook_drop(struct colony__webhook *hook)
{
    if (!hook)
        return;
    colony_secret_free(hook->secret, hook->secret_size);
    colony__webhook_queue_clear(&hook->queue);
    free(hook);
}

bool colony__webhook_is_same(const struct colony__webhook *left,
                             const struct colony__webhook *right)
{
    char *const *a = left->settings->events;
    char *const *b = right->settings->events;

    for (; *a && *b && strcmp(*a, *b) == 0; a++)
        b++;
    return !*a && !*b && strcmp(left->settings->url, right->settings->url) == 0;
}

/* FNV-1a, of each with its NUL. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    } while (*text++ != '\0');
    return hash;
}

uint64_t colony__webhook_key(const struct colony__webhook *hook)
{
    uint64_t key = hash_text(UINT64_C(0xcbf29ce484222325), hook->settings->url);

    for (char *const *pattern = hook->settings->events; *pattern; pattern++)
        key = hash_text(key, *pattern);
    return key;
}

static struct colony__webhook_limits limits_of(const struct colony__webhook *hook)
{
    return (struct colony__webhook_limits){hook->settings->events_max, hook->settings->bytes_max};
}

void colony__webhook_use(struct colony__webhook *hook, struct colony__webhook *next)
{
    struct colony__webhook_limits limits;
    char *secret = hook->secret;
    size_t secret_size = hook->secret_size;

    hook->settings = next->settings;
    hook->kind = next->kind;
    hook->number = next->number;
    hook->secret = next->secret;
    hook->secret_size = next->secret_size;
    next->secret = secret;
    next->secret_size = secret_size;
    limits = limits_of(hook);
    colony__webhook_queue_trim(&hook->queue, &limits);
    colony__webhook_drop(next);
}

const struct colony__webhook_event *colony__webhook_first(const struct colony__webhook *hook)
{
    return hook->queue.first;
}

const char *colony__webhook_url(const struct colony__webhook *hook)
{
    return hook->origin;
}

struct colony__webhook_counts colony__webhook_counts(const struct colony__webhook *hook)
{
    return (struct colony__webhook_counts){.sent = hook->sent,
                                           .failed = hook->failed,
                                           .dropped = hook->queue.dropped,
                                           .attempts = hook->failed_attempts,
                                           .queued = hook->queue.count};
}

bool colony__webhook_wants(const struct colony__webhook *hook, const struct colony_event *event)
{
    for (char *const *pattern = hook->settings->events; *pattern; pattern++)
        if (colony_event_matches(*pattern, event))
            return true;
    return false;
}

/* --- one attempt ------------------------------------------------------------------------------ */

static void send_first(struct colony__webhook *hook);

uint64_t colony__webhook_delay_ms(uint32_t attempt, uint64_t retry_after_s, uint32_t random)
{
    uint64_t delay_ms = DELAY_MS_FIRST;
    uint64_t asked_s = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;

    for (; attempt > 0 && delay_ms < DELAY_MS_MAX; attempt--)
        delay_ms *= 2;
    if (delay_ms > DELAY_MS_MAX)
        delay_ms = DELAY_MS_MAX;
    delay_ms -= random % (delay_ms / JITTER_DIVISOR + 1);
    return delay_ms > asked_s * 1000 ? delay_ms : asked_s * 1000;
}

static uint32_t some_number(void)
{
    uint32_t number = 0;

    if (uv_random(NULL, NULL, &number, sizeof number, 0, NULL) < 0)
        return (uint32_t)uv_hrtime();
    return number;
}

static void on_timer(uv_timer_t *timer)
{
    send_first(timer->data);
}

/* The first event is done with: the next one's turn. */
static void go_on(struct colony__webhook *hook)
{
    colony__webhook_queue_pop(&hook->queue);
    hook->attempt = 0;
    if (hook->queue.first)
        send_first(hook);
    else
        hook->idle(hook->idle_data); /* last: it may be closed */
}

/* Once for each, until an event is taken again. */
static void tell_trouble(struct colony__webhook *hook, enum trouble trouble, const char *reason)
{
    if (trouble > hook->trouble)
        colony_log(SEVERITY_WARNING, "%s %zu %s events %s %s: %s", hook->kind, hook->number,
                   trouble == TROUBLE_LOSES ? "gives up" : "cannot post",
                   trouble == TROUBLE_LOSES ? "for" : "to", hook->origin, reason);
    if (trouble > hook->trouble)
        hook->trouble = trouble;
}

static void on_failed(struct colony__webhook *hook, const char *reason, bool is_worth_it,
                      uint64_t retry_after_s)
{
    hook->failed_attempts++;
    hook->queue.is_first_held = false;
    if (is_worth_it && !hook->is_hurried && hook->attempt < hook->settings->retries) {
        uint64_t delay_ms = colony__webhook_delay_ms(hook->attempt++, retry_after_s, some_number());

        tell_trouble(hook, TROUBLE_TRIES, reason);
        (void)uv_timer_start(&hook->timer, on_timer, delay_ms, 0);
        return;
    }
    tell_trouble(hook, TROUBLE_LOSES, reason);
    hook->failed++;
    hook->lost++;
    go_on(hook);
}

static void on_sent(struct colony__webhook *hook)
{
    hook->sent++;
    if (hook->trouble == TROUBLE_LOSES)
        colony_log(SEVERITY_INFO, "%s %zu posts events to %s again: %" PRIu64 " %s given up",
                   hook->kind, hook->number, hook->origin, hook->lost,
                   hook->lost == 1 ? "was" : "were");
    else if (hook->trouble == TROUBLE_TRIES)
        colony_log(SEVERITY_INFO, "%s %zu posts events to %s again", hook->kind, hook->number,
                   hook->origin);
    hook->trouble = TROUBLE_NONE;
    hook->lost = 0;
    go_on(hook);
}

/* Whoever answers that it is busy, or broken, may take it later. */
static bool is_passing(int status)
{
    return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

static void on_done(const struct colony_http_result *result, void *data)
{
    struct colony__webhook *hook = data;
    char reason[64];

    hook->job = NULL;
    if (result->status >= 200 && result->status < 300) {
        on_sent(hook);
        return;
    }
    (void)snprintf(reason, sizeof reason, "it answers with status %d", result->status);
    on_failed(hook, result->status ? reason : result->reason, is_passing(result->status),
              result->retry_after_s);
}

/* "X-Colony-Signature: sha256=…" of the body. */
static void write_signature(const struct colony__webhook *hook,
                            const struct colony__webhook_event *event, char *line, size_t size)
{
    struct hmac_sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t used = (size_t)snprintf(line, size, "X-Colony-Signature: sha256=");

    hmac_sha256_set_key(&context, hook->secret_size, (const uint8_t *)hook->secret);
    hmac_sha256_update(&context, event->size, (const uint8_t *)event->body);
    hmac_sha256_digest(&context, sizeof digest, digest);
    explicit_bzero(&context, sizeof context);
    for (size_t i = 0; i < sizeof digest && used + 3 <= size; i++)
        used += (size_t)snprintf(line + used, size - used, "%02x", digest[i]);
}

/* No attempt can be made: that is none that failed, and it is not for long. */
static void on_shortage(struct colony__webhook *hook, int rc)
{
    tell_trouble(hook, TROUBLE_TRIES, strerror(-rc));
    hook->queue.is_first_held = false;
    if (!hook->is_hurried) {
        (void)uv_timer_start(&hook->timer, on_timer, DELAY_MS_FIRST, 0);
        return;
    }
    hook->failed += hook->queue.count;
    hook->lost += hook->queue.count;
    colony__webhook_queue_clear(&hook->queue);
    hook->idle(hook->idle_data);
}

static void send_first(struct colony__webhook *hook)
{
    const struct colony__webhook_event *event = hook->queue.first;
    const char *headers[HEADERS_MAX + 1] = {"Content-Type: application/json"};
    char topic[64];
    char id[64];
    char signature[128];
    size_t count = 1;
    int rc;

    (void)snprintf(topic, sizeof topic, "X-Colony-Event: %s", event->name);
    headers[count++] = topic;
    if (event->id != 0) {
        (void)snprintf(id, sizeof id, "X-Colony-Event-Id: %" PRIu64, event->id);
        headers[count++] = id;
    }
    if (hook->secret) {
        write_signature(hook, event, signature, sizeof signature);
        headers[count++] = signature;
    }
    for (char *const *line = hook->settings->headers; *line && count < HEADERS_MAX; line++)
        headers[count++] = *line;
    hook->queue.is_first_held = true;
    rc = colony_http_client_send(
        hook->client,
        &(const struct colony_http_request){.url = hook->settings->url,
                                            .headers = headers,
                                            .body = event->body,
                                            .size = event->size,
                                            .ca = hook->settings->ca,
                                            .timeout_ms = hook->settings->timeout_ms,
                                            .cb = on_done,
                                            .data = hook},
        &hook->job);
    if (rc < 0)
        on_shortage(hook, rc);
}

/* --- its life --------------------------------------------------------------------------------- */

int colony__webhook_start(struct colony__webhook *hook, struct uv_loop_s *loop,
                          struct colony_http_client *client, colony__webhook_cb idle, void *data)
{
    int rc = uv_timer_init(loop, &hook->timer);

    if (rc < 0)
        return rc;
    hook->timer.data = hook;
    hook->client = client;
    hook->idle = idle;
    hook->idle_data = data;
    return 0;
}

void colony__webhook_add(struct colony__webhook *hook, const struct colony__webhook_news *news)
{
    struct colony__webhook_limits limits = limits_of(hook);
    const struct colony__webhook_event *first = hook->queue.first;
    bool is_waiting = first != NULL;

    colony__webhook_queue_add(&hook->queue, &limits, news);
    if (!is_waiting && hook->queue.first) {
        send_first(hook);
    } else if (first != hook->queue.first) { /* what was tried has gone: this one begins anew */
        hook->attempt = 0;
    }
}

void colony__webhook_hurry(struct colony__webhook *hook)
{
    hook->is_hurried = true;
    (void)uv_timer_stop(&hook->timer);
    if (hook->queue.first && !hook->job)
        send_first(hook);
}

void colony__webhook_forget(struct colony__webhook *hook)
{
    (void)uv_timer_stop(&hook->timer);
    if (hook->job)
        colony_http_job_cancel(hook->job);
    hook->job = NULL;
    colony__webhook_queue_clear(&hook->queue);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony__webhook *hook = handle->data;
    colony__webhook_cb closed = hook->closed;
    void *data = hook->closed_data;

    colony__webhook_drop(hook);
    closed(data);
}

void colony__webhook_close(struct colony__webhook *hook, colony__webhook_cb closed, void *data)
{
    hook->closed = closed;
    hook->closed_data = data;
    if (hook->job)
        colony_http_job_cancel(hook->job);
    hook->lost += hook->queue.count;
    if (hook->lost > 0)
        colony_log(SEVERITY_WARNING,
                   "%s %zu gives up %" PRIu64 " %s for %s: %s could not be posted", hook->kind,
                   hook->number, hook->lost, hook->lost == 1 ? "event" : "events", hook->origin,
                   hook->lost == 1 ? "it" : "they");
    colony__webhook_queue_clear(&hook->queue);
    uv_close((uv_handle_t *)&hook->timer, on_timer_closed);
}
