/* SPDX-License-Identifier: Apache-2.0 */
/* recorded.c - answers to what changes something: not before the change would survive colony. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/store.h"

enum {
    RECORD_MS_MAX = 25000, /* a disk that hangs: the client learns it before it gives up itself */
};

/* An answer held back. It belongs to the engine's callback; the connection only knows it. */
struct held {
    struct colony__connection *connection; /* NULL: it has gone, or was answered */
    int status;
    struct colony__json json;
};

/* The connection of @held, which may be answered now; NULL: nobody waits any more. */
static struct colony__connection *let_go(struct held *held)
{
    struct colony__connection *connection = held->connection;

    held->connection = NULL;
    if (connection) {
        colony__connection_set_timeout(connection, 0);
        colony__connection_set_source(connection, NULL, NULL);
    }
    return connection;
}

static void answer_not_recorded(struct colony__connection *connection, const char *why)
{
    char reason[COLONY_ERROR_TEXT_MAX];

    (void)snprintf(
        reason, sizeof reason,
        "cannot record it: %s; it is done, but if colony ended now it would be forgotten", why);
    colony__respond_failure(connection, 500, "not_recorded", reason);
}

static void on_recorded(int rc, void *data)
{
    struct held *held = data;
    struct colony__connection *connection = let_go(held);
    struct colony__json json = held->json;
    int status = held->status;
    const struct colony_store *store;

    free(held);
    if (connection && rc == 0) {
        (void)colony__respond_json(connection, status, &json);
        return;
    }
    colony__json_clear(&json);
    if (!connection)
        return;
    store = colony_engine_store(colony__connection_engine(connection));
    if (store && *colony_store_trouble(store) != '\0')
        answer_not_recorded(connection, colony_store_trouble(store));
    else
        answer_not_recorded(connection, store ? strerror(-rc) : "colony's log says why");
}

static void on_timed_out(struct colony__connection *connection, void *data)
{
    (void)connection;
    answer_not_recorded(let_go(data), "the disk of the state folder does not answer");
}

static void on_closed(void *data)
{
    struct held *held = data;

    held->connection = NULL;
}

static const struct colony__source held_source = {.timed_out = on_timed_out, .closed = on_closed};

int colony__respond_recorded(struct colony__connection *connection, int status,
                             struct colony__json *json)
{
    struct held *held = json->failed ? NULL : calloc(1, sizeof *held);
    int rc;

    if (!held) {
        colony__json_clear(json);
        return colony__respond_no_memory(connection);
    }
    *held = (struct held){.connection = connection, .status = status, .json = *json};
    *json = (struct colony__json){0};
    colony__connection_set_source(connection, &held_source, held);
    colony__connection_set_timeout(connection, RECORD_MS_MAX);
    rc = colony_engine_when_recorded(colony__connection_engine(connection), on_recorded, held);
    if (rc < 0)
        on_recorded(rc, held);
    return 0;
}
