/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - the queue: what is accepted, and how it goes from handler to handler. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/inbox_internal.h"
#include "api/json_internal.h"
#include "core/error.h"
#include "core/log.h"
#include "core/table.h"
#include "core/value.h"

enum {
    SILENT_MS = 1000,
};

/* --- from stage to stage ---------------------------------------------------------------------- */

static size_t bytes_of(const struct colony__incoming *event)
{
    return sizeof *event + event->size;
}

void colony__incoming_answer(struct colony__incoming *event, int rc)
{
    colony_inbox_done_cb done = event->done;

    event->done = NULL;
    if (done)
        done(rc, event->data);
}

void colony__inbox_remove(struct colony_inbox *inbox, struct colony__incoming *event)
{
    TAILQ_REMOVE(&inbox->all, event, in_all);
    inbox->length--;
    inbox->bytes -= bytes_of(event);
    event->inbox = NULL;
    if (!event->is_storing)
        free(event);
}

static void finish(struct colony_inbox *inbox, struct colony__incoming *event)
{
    inbox->counts.handled++;
    if (event->is_stored)
        colony__inbox_forget(inbox, event);
    colony__inbox_remove(inbox, event);
    if (inbox->length == 0)
        colony__inbox_idle(inbox);
}

static struct colony__stage *next_stage(struct colony_inbox *inbox,
                                        const struct colony__incoming *event, uint32_t from)
{
    while (from < inbox->stage_count && !(event->wanted & (uint64_t)1 << from))
        from++;
    return from < inbox->stage_count ? &inbox->stages[from] : NULL;
}

static void enqueue(struct colony__stage *stage, struct colony__incoming *event)
{
    event->stage = stage;
    event->next = NULL;
    *stage->end = event;
    stage->end = &event->next;
}

static struct colony__incoming *dequeue(struct colony__stage *stage)
{
    struct colony__incoming *event = stage->head;

    stage->head = event->next;
    if (!stage->head)
        stage->end = &stage->head;
    return event;
}

void colony__inbox_lose(struct colony_inbox *inbox, struct colony__incoming *event)
{
    inbox->counts.dropped += !event->is_stored;
    inbox->lost += !event->is_stored;
    inbox->left += event->is_stored;
    colony__incoming_answer(event, -ECANCELED);
    colony__inbox_remove(inbox, event);
}

static void give_up(struct colony_inbox *inbox, struct colony__incoming *event)
{
    colony__inbox_lose(inbox, event);
    if (inbox->length == 0)
        colony__inbox_idle(inbox);
}

static void pump(struct colony__stage *stage);

/* To the first stage from @from on that wants it. */
static void pass_on(struct colony_inbox *inbox, struct colony__incoming *event, uint32_t from)
{
    struct colony__stage *stage = next_stage(inbox, event, from);

    event->work = NULL;
    event->stage = NULL;
    event->is_in_hand = false;
    if (!stage) {
        finish(inbox, event);
        return;
    }
    enqueue(stage, event);
    pump(stage);
}

static void pump(struct colony__stage *stage)
{
    while (stage->head && stage->busy < stage->busy_max) {
        struct colony__incoming *event = dequeue(stage);
        int rc;

        stage->busy++;
        event->is_in_hand = true;
        rc = stage->kind->handle(stage, event);
        if (rc == 0)
            continue;
        stage->busy--;
        stage->counts.handled += rc > 0;
        if (rc > 0)
            pass_on(stage->inbox, event, stage->number + 1);
        else
            give_up(stage->inbox, event);
    }
}

void colony__stage_done(struct colony__stage *stage, struct colony__incoming *event)
{
    stage->busy--;
    stage->counts.handled++;
    pass_on(stage->inbox, event, stage->number + 1);
    pump(stage);
}

void colony__stage_give_up(struct colony__stage *stage, struct colony__incoming *event)
{
    stage->busy--;
    give_up(stage->inbox, event);
    pump(stage);
}

void colony__inbox_begin(struct colony_inbox *inbox, struct colony__incoming *event)
{
    pass_on(inbox, event, 0);
}

/* --- for handlers ----------------------------------------------------------------------------- */

void colony__stage_failed(struct colony__stage *stage, const struct colony__incoming *event,
                          const char *format, ...)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    char reason[COLONY_ERROR_TEXT_MAX];
    char others[64] = "";
    va_list args;

    stage->counts.failed++;
    if (now_ms < stage->silent_until_ms) {
        stage->silent_count++;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (stage->silent_count > 0)
        (void)snprintf(others, sizeof others, " (and %" PRIu64 " others before it)",
                       stage->silent_count);
    colony_log(SEVERITY_WARNING, "event %" PRIu64 ": handler %" PRIu32 " (%s): %s%s", event->id,
               stage->place, colony_handler_kind_name(stage->settings->kind), reason, others);
    stage->silent_count = 0;
    stage->silent_until_ms = now_ms + SILENT_MS;
}

int colony__stage_text(const struct colony__stage *stage, const struct colony__incoming *event,
                       struct colony__buffer *text)
{
    struct colony__json json = {0};

    if (!stage->settings->envelope)
        return colony__buffer_append(text, event->json, event->size, COLONY__ANSWER_MAX);
    colony__json_open(&json, NULL, '{');
    colony__json_add_number(&json, "id", event->id);
    colony__json_add_time(&json, "time", event->at_ms);
    colony__json_add_text(&json, "via", colony__inbox_via_name(event->via));
    colony__json_add_text(&json, "peer", event->peer);
    colony__json_add_raw(&json, "event", event->json, event->size);
    colony__json_close(&json, '}');
    if (json.failed) {
        colony__json_clear(&json);
        return -ENOMEM;
    }
    *text = json.text;
    return 0;
}

/* --- what comes in ---------------------------------------------------------------------------- */

bool colony_inbox_is_full(const struct colony_inbox *inbox)
{
    return inbox->length >= inbox->settings->events_max ||
           inbox->bytes >= inbox->settings->bytes_max;
}

static int check_room(struct colony_inbox *inbox, const struct colony_inbox_offer *offer,
                      struct colony_error *err)
{
    if (!inbox->is_open)
        return colony_fail(err, -ESHUTDOWN, "cannot take the event: colony is ending");
    if (offer->size > colony_inbox_size_max(inbox)) {
        inbox->counts.rejected++;
        return colony_fail(err, -EMSGSIZE, "cannot take the event: it has more than %zu bytes",
                           colony_inbox_size_max(inbox));
    }
    if (!colony_inbox_is_full(inbox) && offer->size <= inbox->settings->bytes_max - inbox->bytes)
        return 0;
    inbox->counts.dropped++;
    return colony_fail(err, -EAGAIN, "cannot take the event: %zu wait already, try again later",
                       inbox->length);
}

static uint64_t find_wanted(const struct colony_inbox *inbox, const struct colony_value *value)
{
    uint64_t wanted = 0;

    for (uint32_t i = 0; i < inbox->stage_count; i++)
        if (colony__event_has(value, inbox->stages[i].settings->when))
            wanted |= (uint64_t)1 << i;
    return wanted;
}

struct colony__incoming *colony__inbox_add(struct colony_inbox *inbox, const char *json,
                                           size_t size, const struct colony_value *value)
{
    struct colony__incoming *event = calloc(1, sizeof *event + size + 1);

    if (!event)
        return NULL;
    event->inbox = inbox;
    event->wanted = find_wanted(inbox, value);
    memcpy(event->json, json, size);
    event->size = colony__event_squeeze(event->json, size);
    TAILQ_INSERT_TAIL(&inbox->all, event, in_all);
    inbox->length++;
    inbox->bytes += bytes_of(event);
    return event;
}

void colony__inbox_count(struct colony_inbox *inbox, enum colony_inbox_via via)
{
    inbox->counts.received++;
    if (via == INBOX_VIA_UDP)
        inbox->counts.udp++;
    else
        inbox->counts.http++;
}

static int accept_event(struct colony_inbox *inbox, const struct colony_inbox_offer *offer,
                        const struct colony_value *value, uint64_t *id)
{
    struct colony__incoming *event = colony__inbox_add(inbox, offer->json, offer->size, value);
    int rc = 0;

    if (!event)
        return -ENOMEM;
    event->id = ++inbox->last_id;
    event->at_ms = colony_wall_now_ms();
    event->via = offer->via;
    event->done = offer->done;
    event->data = offer->data;
    (void)snprintf(event->peer, sizeof event->peer, "%s", offer->peer ? offer->peer : "");
    if (inbox->settings->durable)
        rc = colony__inbox_store(inbox, event);
    if (rc < 0) {
        colony__inbox_remove(inbox, event);
        return rc;
    }
    if (id)
        *id = event->id;
    if (inbox->settings->durable)
        return 0; /* it is accepted once the store has it */
    colony__inbox_count(inbox, offer->via);
    colony__incoming_answer(event, 0);
    colony__inbox_begin(inbox, event);
    return 0;
}

int colony_inbox_offer(struct colony_inbox *inbox, const struct colony_inbox_offer *offer,
                       uint64_t *id, struct colony_error *err)
{
    struct colony_value *value = NULL;
    int rc = check_room(inbox, offer, err);

    if (rc < 0)
        return rc;
    rc = colony_value_parse_json(&value, offer->json, offer->size, err);
    if (rc < 0) {
        inbox->counts.rejected += rc != -ENOMEM;
        inbox->counts.dropped += rc == -ENOMEM;
        return rc;
    }
    rc = accept_event(inbox, offer, value, id);
    colony_value_free(value);
    if (rc == 0)
        return 0;
    inbox->counts.dropped++;
    return colony_fail_os(err, rc, "cannot take the event");
}

void colony_inbox_reject(struct colony_inbox *inbox)
{
    inbox->counts.rejected++;
}

/* --- figures ---------------------------------------------------------------------------------- */

struct colony_inbox_counts colony_inbox_counts(const struct colony_inbox *inbox)
{
    return inbox->counts;
}

size_t colony_inbox_length(const struct colony_inbox *inbox)
{
    return inbox->length;
}

size_t colony_inbox_limit(const struct colony_inbox *inbox)
{
    return inbox->settings->events_max;
}

size_t colony_inbox_size_max(const struct colony_inbox *inbox)
{
    return (size_t)inbox->settings->size_max;
}
