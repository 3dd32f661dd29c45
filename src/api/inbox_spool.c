/* SPDX-License-Identifier: Apache-2.0 */
/* inbox_spool.c - `events.durable`: what is accepted is in the store until it has been handled. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/inbox_internal.h"
#include "core/error.h"
#include "core/log.h"
#include "core/store.h"
#include "core/value.h"

static void on_stored(int rc, void *data)
{
    struct colony__incoming *event = data;
    struct colony_inbox *inbox = event->inbox;

    event->is_storing = false;
    if (!inbox) {
        free(event);
        return;
    }
    event->is_stored = rc == 0;
    if (rc < 0)
        inbox->counts.dropped++;
    else
        colony__inbox_count(inbox, event->via);
    colony__incoming_answer(event, rc);
    if (rc == 0) {
        colony__inbox_begin(inbox, event);
        return;
    }
    colony__inbox_remove(inbox, event);
    if (inbox->length == 0)
        colony__inbox_idle(inbox);
}

int colony__inbox_store(struct colony_inbox *inbox, struct colony__incoming *event)
{
    struct colony_store *store = inbox->store;
    const struct colony_store_spooled row = {.id = event->id,
                                             .at_ms = event->at_ms,
                                             .via = colony__inbox_via_name(event->via),
                                             .peer = event->peer,
                                             .json = event->json,
                                             .size = event->size};
    int rc = store ? colony_store_spool(store, &row, on_stored, event) : -EIO;

    event->is_storing = rc == 0;
    return rc;
}

void colony__inbox_forget(struct colony_inbox *inbox, const struct colony__incoming *event)
{
    int rc = colony_store_unspool(inbox->store, event->id);

    if (rc < 0)
        colony_log(SEVERITY_WARNING,
                   "event %" PRIu64 " is handled once more at the next start: out of memory",
                   event->id);
}

/* --- what was left ---------------------------------------------------------------------------- */

struct restoring {
    struct colony_inbox *inbox;
    size_t count;
    int rc;
};

/* They were accepted: no limit is looked at again. */
static void restore_row(const struct colony_store_spooled *row, void *data)
{
    struct restoring *restoring = data;
    struct colony_inbox *inbox = restoring->inbox;
    struct colony__incoming *event = NULL;
    struct colony_value *value = NULL;
    int rc = colony_value_parse_json(&value, row->json, row->size, NULL);

    if (rc == 0) {
        event = colony__inbox_add(inbox, row->json, row->size, value);
        rc = event ? 0 : -ENOMEM;
    }
    colony_value_free(value);
    if (!event) {
        if (restoring->rc == 0)
            restoring->rc = rc;
        return;
    }
    event->id = row->id;
    event->at_ms = row->at_ms;
    event->via = colony__inbox_via_parse(row->via);
    event->is_stored = true;
    (void)snprintf(event->peer, sizeof event->peer, "%s", row->peer);
    if (inbox->last_id < event->id)
        inbox->last_id = event->id;
    restoring->count++;
}

static void begin_all(struct colony_inbox *inbox)
{
    struct colony__incoming *event = TAILQ_FIRST(&inbox->all);

    while (event) {
        struct colony__incoming *next = TAILQ_NEXT(event, in_all);

        colony__inbox_begin(inbox, event); /* which may free it, and no other one before it began */
        event = next;
    }
}

static void drop_all(struct colony_inbox *inbox)
{
    while (!TAILQ_EMPTY(&inbox->all))
        colony__inbox_remove(inbox, TAILQ_FIRST(&inbox->all));
}

int colony__inbox_restore(struct colony_inbox *inbox, struct colony_error *err)
{
    struct colony_store *store = inbox->store;
    struct restoring restoring = {.inbox = inbox};
    int rc;

    if (!store && inbox->settings->durable)
        return colony_fail(err, -EIO,
                           "cannot keep events (`events.durable`): there is no store, "
                           "and the log says why");
    if (!store)
        return 0;
    rc = colony_store_each_spooled(store, restore_row, &restoring);
    if (rc == 0)
        rc = restoring.rc;
    if (rc < 0) {
        drop_all(inbox);
        return colony_fail_os(err, rc, "cannot read the events that wait in the store");
    }
    if (restoring.count > 0)
        colony_log(SEVERITY_INFO, "handles %zu events that colony had accepted before",
                   restoring.count);
    begin_all(inbox);
    return 0;
}
