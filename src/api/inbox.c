/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - the queue: what is accepted, and how it goes from handler to handler. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/inbox_internal.h"
#include "core/error.h"
#include "core/value.h"

enum {
    EVENTS_MAX = 10000,
    BYTES_MAX = 64 << 20,
    SIZE_MAX_BYTES = 1 << 20,
};

struct colony_inbox {
    struct colony_engine *engine;
    const struct colony_settings *settings;
    struct colony__stage stages[INBOX_STAGES_MAX];
    uint32_t stage_count;
    uint64_t last_id;
    size_t length; /* events that are not done with */
    size_t bytes;  /* of them */
    bool is_open;
    struct colony_inbox_counts counts;
};

/* --- from stage to stage ---------------------------------------------------------------------- */

static size_t bytes_of(const struct colony__incoming *event)
{
    return sizeof *event + event->size;
}

static void finish(struct colony_inbox *inbox, struct colony__incoming *event)
{
    inbox->length--;
    inbox->bytes -= bytes_of(event);
    inbox->counts.handled++;
    free(event);
}

static void pump(struct colony__stage *stage);

/* To the first stage from @from on that wants it. */
static void pass_on(struct colony_inbox *inbox, struct colony__incoming *event, uint32_t from)
{
    struct colony__stage *stage;

    while (from < inbox->stage_count && !(event->wanted & (uint32_t)1 << from))
        from++;
    if (from == inbox->stage_count) {
        finish(inbox, event);
        return;
    }
    stage = &inbox->stages[from];
    event->stage = from;
    event->next = NULL;
    *stage->end = event;
    stage->end = &event->next;
    pump(stage);
}

static void pump(struct colony__stage *stage)
{
    while (stage->head && stage->busy < stage->busy_max) {
        struct colony__incoming *event = stage->head;

        stage->head = event->next;
        if (!stage->head)
            stage->end = &stage->head;
        stage->busy++;
        if (stage->kind->handle(stage, event) == 0)
            continue;
        stage->busy--;
        pass_on(stage->inbox, event, stage->number + 1);
    }
}

void colony__stage_done(struct colony__stage *stage, struct colony__incoming *event)
{
    stage->busy--;
    pass_on(stage->inbox, event, stage->number + 1);
    pump(stage);
}

/* --- what comes in ---------------------------------------------------------------------------- */

static uint64_t wall_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int check_room(struct colony_inbox *inbox, const struct colony_inbox_offer *offer,
                      struct colony_error *err)
{
    if (!inbox->is_open)
        return colony_fail(err, -ESHUTDOWN, "cannot take the event: colony ends");
    if (offer->size > colony_inbox_size_max(inbox)) {
        inbox->counts.rejected++;
        return colony_fail(err, -EMSGSIZE, "cannot take the event: it has more than %zu bytes",
                           colony_inbox_size_max(inbox));
    }
    if (inbox->length < EVENTS_MAX && inbox->bytes + offer->size <= BYTES_MAX)
        return 0;
    inbox->counts.dropped++;
    return colony_fail(err, -EAGAIN, "cannot take the event: %zu wait already", inbox->length);
}

static struct colony__incoming *make_event(struct colony_inbox *inbox,
                                           const struct colony_inbox_offer *offer)
{
    struct colony__incoming *event = calloc(1, sizeof *event + offer->size + 1);

    if (!event)
        return NULL;
    event->id = ++inbox->last_id;
    event->at_ms = wall_us() / 1000;
    event->via = offer->via;
    event->done = offer->done;
    event->data = offer->data;
    event->wanted = UINT32_MAX;
    (void)snprintf(event->peer, sizeof event->peer, "%s", offer->peer ? offer->peer : "");
    memcpy(event->json, offer->json, offer->size);
    event->size = colony__event_squeeze(event->json, offer->size);
    return event;
}

static void count_accepted(struct colony_inbox *inbox, enum colony_inbox_via via)
{
    inbox->counts.received++;
    if (via == INBOX_VIA_UDP)
        inbox->counts.udp++;
    else
        inbox->counts.http++;
}

static void answer(struct colony__incoming *event, int rc)
{
    colony_inbox_done_cb done = event->done;

    event->done = NULL;
    if (done)
        done(rc, event->data);
}

int colony_inbox_offer(struct colony_inbox *inbox, const struct colony_inbox_offer *offer,
                       uint64_t *id, struct colony_error *err)
{
    struct colony_value *value = NULL;
    struct colony__incoming *event;
    int rc = check_room(inbox, offer, err);

    if (rc < 0)
        return rc;
    rc = colony_value_parse_json(&value, offer->json, offer->size, err);
    if (rc < 0) {
        inbox->counts.rejected += rc != -ENOMEM;
        inbox->counts.dropped += rc == -ENOMEM;
        return rc;
    }
    colony_value_free(value);
    event = make_event(inbox, offer);
    if (!event) {
        inbox->counts.dropped++;
        return colony_fail(err, -ENOMEM, "cannot take the event: out of memory");
    }
    if (id)
        *id = event->id;
    count_accepted(inbox, offer->via);
    inbox->length++;
    inbox->bytes += bytes_of(event);
    answer(event, 0);
    pass_on(inbox, event, 0);
    return 0;
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
    (void)inbox;
    return EVENTS_MAX;
}

bool colony_inbox_is_full(const struct colony_inbox *inbox)
{
    return inbox->length >= EVENTS_MAX || inbox->bytes >= BYTES_MAX;
}

size_t colony_inbox_size_max(const struct colony_inbox *inbox)
{
    (void)inbox;
    return SIZE_MAX_BYTES;
}

/* --- its life --------------------------------------------------------------------------------- */

int colony_inbox_new(struct colony_inbox **out, struct colony_engine *engine,
                     const struct colony_settings *settings, struct colony_error *err)
{
    struct colony_inbox *inbox = calloc(1, sizeof *inbox);

    if (!inbox)
        return colony_fail(err, -ENOMEM, "cannot take events: out of memory");
    inbox->engine = engine;
    inbox->settings = settings;
    inbox->last_id = wall_us(); /* above all that an engine before this one gave */
    inbox->stage_count = 1;
    inbox->stages[0] =
        (struct colony__stage){.kind = &colony__handler_log, .inbox = inbox, .busy_max = 1};
    inbox->stages[0].end = &inbox->stages[0].head;
    *out = inbox;
    return 0;
}

int colony_inbox_start(struct colony_inbox *inbox, struct colony_error *err)
{
    (void)err;
    inbox->is_open = true;
    return 0;
}

void colony_inbox_stop(struct colony_inbox *inbox)
{
    inbox->is_open = false;
}

void colony_inbox_close(struct colony_inbox *inbox, colony_inbox_closed_cb cb, void *data)
{
    free(inbox);
    cb(data);
}
