/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_routes.c - all that can be asked of the daemon endpoint. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/daemon_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/error.h"

enum {
    STORE_MS_MAX = 25000, /* a disk that hangs: the client learns it before it gives up itself */
    RETRY_AFTER_S = 1,
};

#define JSON_TYPE "application/json"

static struct colony__daemon *daemon_of(const struct colony__connection *connection)
{
    return connection->server->owner;
}

/* --- what cannot be done ---------------------------------------------------------------------- */

int colony__daemon_wrap(struct colony__buffer *out, const char *message, size_t size, bool result)
{
    static const char begin[] = "{\n    \"message\": ";
    static const char good[] = ",\n    \"result\": true\n}";
    static const char bad[] = ",\n    \"result\": false\n}";
    int rc = colony__buffer_append(out, begin, sizeof begin - 1, COLONY__ANSWER_MAX);

    if (rc == 0)
        rc = colony__buffer_append(out, message, size, COLONY__ANSWER_MAX);
    if (rc == 0)
        rc = colony__buffer_append(out, result ? good : bad,
                                   result ? sizeof good - 1 : sizeof bad - 1, COLONY__ANSWER_MAX);
    return rc;
}

/* An event that was not even offered; what is no event has another path or method. */
static void count_failure(struct colony__connection *connection, const char *word)
{
    const struct colony__daemon *daemon = daemon_of(connection);

    if (connection->parser.request.method == METHOD_POST && !daemon->is_judged &&
        !connection->is_refused && strcmp(word, "not_found") != 0 &&
        strcmp(word, "method_not_allowed") != 0)
        colony_inbox_reject(daemon->inbox);
}

static void put_failure(struct colony__connection *connection, struct colony__json *json,
                        const char *word, const char *reason)
{
    struct colony__json message = {0};

    count_failure(connection, word);
    colony__json_add_text(&message, NULL, reason);
    if (message.failed ||
        colony__daemon_wrap(&json->text, message.text.data, message.text.size, false) < 0)
        json->failed = true;
    colony__json_clear(&message);
}

/* --- POST /events ----------------------------------------------------------------------------- */

/* A client that waits for its event to be accepted. It belongs to the inbox while that has it. */
struct sender {
    struct colony__connection *connection; /* NULL: it has gone, or was answered */
};

static struct colony__connection *let_go(struct sender *sender)
{
    struct colony__connection *connection = sender->connection;

    sender->connection = NULL;
    if (connection) {
        colony__connection_set_timeout(connection, 0);
        colony__connection_set_source(connection, NULL, NULL);
    }
    return connection;
}

static void respond_not_stored(struct colony__connection *connection, const char *reason)
{
    struct colony__daemon *daemon = daemon_of(connection);

    connection->retry_after_s = RETRY_AFTER_S;
    daemon->is_judged = true;
    colony__respond_failure(connection, 503, "unavailable", reason);
    daemon->is_judged = false;
}

static void on_accepted(int rc, void *data)
{
    static const char answer[] = "{\n    \"message\": \"Event received\",\n    \"result\": true\n}";
    struct sender *sender = data;
    struct colony__connection *connection = let_go(sender);

    free(sender);
    if (!connection)
        return;
    if (rc == 0)
        colony__respond_text(connection, 200, JSON_TYPE, answer, sizeof answer - 1);
    else
        respond_not_stored(connection, "cannot take the event: it could not be recorded");
}

static void on_slow_store(struct colony__connection *connection, void *data)
{
    (void)connection;
    respond_not_stored(let_go(data),
                       "cannot tell whether the event is taken: the disk of the state "
                       "folder does not answer");
}

static void on_sender_gone(void *data)
{
    struct sender *sender = data;

    sender->connection = NULL;
}

static const struct colony__source sender_source = {.timed_out = on_slow_store,
                                                    .closed = on_sender_gone};

/* "http token ci from [::1]:4321" */
static const char *peer_of(const struct colony__connection *connection)
{
    const char *from = strstr(connection->peer.why, "from ");

    return from ? from + strlen("from ") : connection->peer.why;
}

static void respond_refused(struct colony__connection *connection, const struct colony_error *err)
{
    struct colony__daemon *daemon = daemon_of(connection);

    if (err->code == -EAGAIN)
        connection->retry_after_s = RETRY_AFTER_S;
    daemon->is_judged = true;
    colony__respond_error(connection, err);
    daemon->is_judged = false;
}

static int post_event(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    struct sender *sender = calloc(1, sizeof *sender);
    struct colony_inbox_offer offer = {
        .json = request->body,
        .size = request->body_size,
        .via = INBOX_VIA_HTTP,
        .peer = peer_of(connection),
        .done = on_accepted,
        .data = sender,
    };

    if (!sender)
        return colony__respond_no_memory(connection);
    sender->connection = connection;
    colony__connection_set_source(connection, &sender_source, sender);
    colony__connection_set_timeout(connection, STORE_MS_MAX);
    if (colony_inbox_offer(daemon_of(connection)->inbox, &offer, NULL, err) == 0)
        return 0;
    (void)let_go(sender);
    free(sender);
    respond_refused(connection, err);
    return 0;
}

/* --- GET /status and /ping -------------------------------------------------------------------- */

void colony__daemon_respond_status(struct colony__connection *connection,
                                   const struct cJSON *status)
{
    struct colony__buffer text = {0};

    if (status && colony__daemon_write_status(&text, status) == 0)
        colony__respond_text(connection, 200, JSON_TYPE, text.data, text.size);
    else
        colony__respond_failure(connection, 503, "unavailable",
                                "cannot tell the status: out of memory");
    colony__buffer_clear(&text);
}

void colony__daemon_respond_pong(struct colony__connection *connection)
{
    colony__respond_text(connection, 200, "text/plain", "OK\n", 3);
}

static int get_status(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    struct colony__daemon *daemon = daemon_of(connection);

    (void)request;
    return daemon->host->ask_status(daemon, connection, err);
}

static int get_ping(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err)
{
    struct colony__daemon *daemon = daemon_of(connection);

    (void)request;
    if (colony__daemon_check(daemon, err) < 0)
        return err->code; /* which is told as a 500 */
    return daemon->host->ask_ping(daemon, connection, err);
}

/* clang-format off */
static const struct colony__route rows[] = {
    {METHOD_POST, ACCESS_CONTROL, "/events", post_event, "take the body, a JSON value, as an event"},
    {METHOD_GET,  ACCESS_READ,    "/status", get_status, "what this is and what runs"},
    {METHOD_GET,  0,              "/ping",   get_ping,   "OK when all is well"},
};
/* clang-format on */

const struct colony__routes colony__daemon_routes = {
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .put_failure = put_failure,
    .exhausted =
        "{\n    \"message\": \"cannot serve you: colony is out of memory or descriptors, try "
        "again\",\n    \"result\": false\n}",
    .needs_length = true,
    .has_public = true,
};
