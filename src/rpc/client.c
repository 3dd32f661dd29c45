/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - one DEALER socket, what is asked over it, and an eye on its connection. */
#include "rpc/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/value.h"
#include "core/zmq.h"

enum {
    ANSWER_BYTES_MAX = 64 << 20,
    RECONNECT_MS = 100, /* then twice as long each time */
    RECONNECT_MS_MAX = 5000,
    HEARTBEAT_MS = 5000, /* finds a connection that is dead at the other end only */
    HEARTBEAT_PATIENCE_MS = 15000,
    HANG_UPS_MAX = 3,   /* one after the other on the same question: it is none that is taken */
    HANG_UP_MS = 1000,  /* after the handshake at most, to be one of these */
    SMALL_BYTES = 1024, /* that every daemon takes */
    EVENTS = ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
};

struct colony_rpc_client {
    const struct colony_zmq *zmq;
    void *context;
    void *socket;
    void *monitor; /* tells what becomes of the connection */
    char place[COLONY_RPC_PLACE_MAX];
    uint64_t next_id;
    uint64_t connected_ms;
    bool has_key;
    bool was_connected;
};

/* A question under way. */
struct asked {
    uint64_t id;
    char *text;
    size_t size;
    struct colony_rpc_answer *answer;
    unsigned hang_ups;
    bool is_answered;
};

static uint64_t now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- beginning and end ------------------------------------------------------------------------ */

/* By which the server knows us again after the connection was lost. */
static int set_identity(struct colony_rpc_client *client)
{
    uint64_t random = 0;
    char identity[32];
    int used;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return -1;
    used = snprintf(identity, sizeof identity, "c-%016" PRIx64, random);
    return client->zmq->zmq_setsockopt(client->socket, ZMQ_ROUTING_ID, identity, (size_t)used);
}

static int set_number(struct colony_rpc_client *client, int option, int number)
{
    return client->zmq->zmq_setsockopt(client->socket, option, &number, sizeof number);
}

static int set_keys(struct colony_rpc_client *client, const struct colony_rpc_target *target)
{
    const struct {
        int option;
        const char *key;
    } keys[] = {
        {ZMQ_CURVE_SERVERKEY, target->server_key},
        {ZMQ_CURVE_PUBLICKEY, target->public_key},
        {ZMQ_CURVE_SECRETKEY, target->secret_key},
    };

    for (size_t i = 0; target->server_key && i < sizeof keys / sizeof keys[0]; i++)
        if (!keys[i].key || client->zmq->zmq_setsockopt(client->socket, keys[i].option, keys[i].key,
                                                        strlen(keys[i].key) + 1) < 0)
            return -1;
    client->has_key = target->server_key != NULL;
    return 0;
}

static int set_options(struct colony_rpc_client *client)
{
    const int64_t answer_max = ANSWER_BYTES_MAX;
    const struct {
        int option;
        int number;
    } numbers[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_IPV6, 1},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX},
        {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
        {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_PATIENCE_MS},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (set_number(client, numbers[i].option, numbers[i].number) < 0)
            return -1;
    return client->zmq->zmq_setsockopt(client->socket, ZMQ_MAXMSGSIZE, &answer_max,
                                       sizeof answer_max);
}

/* The monitor is one more socket, which the library speaks to within this process. */
static int open_monitor(struct colony_rpc_client *client)
{
    static const char address[] = "inproc://monitor"; /* one client has one context */

    if (client->zmq->zmq_socket_monitor(client->socket, address, EVENTS) < 0)
        return -1;
    client->monitor = client->zmq->zmq_socket(client->context, ZMQ_PAIR);
    return client->monitor ? client->zmq->zmq_connect(client->monitor, address) : -1;
}

static int open_sockets(struct colony_rpc_client *client, const struct colony_rpc_target *target,
                        struct colony_error *err)
{
    const struct colony_zmq *zmq = client->zmq;
    char endpoint[COLONY_RPC_PLACE_MAX + 8];

    client->context = zmq->zmq_ctx_new();
    if (client->context)
        client->socket = zmq->zmq_socket(client->context, ZMQ_DEALER);
    if (!client->socket || set_options(client) < 0 || set_identity(client) < 0 ||
        open_monitor(client) < 0)
        return colony_zmq_fail(zmq, err, "cannot open a ZeroMQ socket");
    if (set_keys(client, target) < 0)
        return colony_fail(err, -EINVAL, "cannot use the keys for %s: colony rpc keygen makes some",
                           client->place);
    (void)snprintf(endpoint, sizeof endpoint, "%s%s", strstr(client->place, "://") ? "" : "tcp://",
                   client->place);
    if (zmq->zmq_connect(client->socket, endpoint) == 0)
        return 0;
    return colony_fail(err, -EINVAL, "cannot connect to %s: it must be HOST:PORT", client->place);
}

int colony_rpc_client_new(struct colony_rpc_client **out, const struct colony_rpc_target *target,
                          struct colony_error *err)
{
    struct colony_rpc_client *client;
    int rc;

    if (strlen(target->place) >= COLONY_RPC_PLACE_MAX)
        return colony_fail(err, -EINVAL, "cannot connect to %.60s…: it is too long", target->place);
    client = calloc(1, sizeof *client);
    if (!client)
        return colony_fail_os(err, -ENOMEM, "cannot connect to %s", target->place);
    (void)snprintf(client->place, sizeof client->place, "%s", target->place);
    rc = colony_zmq_get(&client->zmq, err);
    if (rc == 0)
        rc = open_sockets(client, target, err);
    if (rc < 0) {
        colony_rpc_client_free(client);
        return rc;
    }
    *out = client;
    return 0;
}

void colony_rpc_client_free(struct colony_rpc_client *client)
{
    if (!client)
        return;
    if (client->monitor)
        (void)client->zmq->zmq_close(client->monitor);
    if (client->socket)
        (void)client->zmq->zmq_close(client->socket);
    if (client->context)
        while (client->zmq->zmq_ctx_term(client->context) < 0 && errno == EINTR)
            ;
    free(client);
}

void colony_rpc_answer_clear(struct colony_rpc_answer *answer)
{
    cJSON_Delete(answer->result);
    *answer = (struct colony_rpc_answer){0};
}

/* --- what is said ----------------------------------------------------------------------------- */

static int print_asked(struct asked *asked, const struct colony_rpc_question *question)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *params = question->params ? cJSON_Duplicate(question->params, true) : NULL;
    bool is_whole = json && cJSON_AddStringToObject(json, "jsonrpc", "2.0") &&
                    cJSON_AddNumberToObject(json, "id", (double)asked->id) &&
                    cJSON_AddStringToObject(json, "method", question->method);

    if (is_whole && question->params)
        is_whole = params && cJSON_AddItemToObject(json, "params", params);
    else
        cJSON_Delete(params);
    asked->text = is_whole ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    if (!asked->text)
        return -ENOMEM;
    asked->size = strlen(asked->text);
    return 0;
}

/* It waits in the library until there is a connection. */
static int ask(const struct colony_rpc_client *client, const struct asked *asked,
               struct colony_error *err)
{
    if (client->zmq->zmq_send(client->socket, asked->text, asked->size, ZMQ_DONTWAIT) >= 0)
        return 0;
    return colony_zmq_fail(client->zmq, err, "cannot ask");
}

static void take_error(struct colony_rpc_answer *answer, const struct colony_value *error)
{
    const struct colony_value *code = colony_value_get(error, "code");
    const struct colony_value *message = colony_value_get(error, "message");
    const struct colony_value *type = colony_value_get(colony_value_get(error, "data"), "type");
    bool has_code =
        code && code->type == VALUE_NUMBER && code->number >= INT32_MIN && code->number < 0;

    answer->code = has_code ? (int)code->number : -32603;
    if (message && message->type == VALUE_STRING)
        (void)snprintf(answer->message, sizeof answer->message, "%s", message->text);
    if (type && type->type == VALUE_STRING)
        (void)snprintf(answer->type, sizeof answer->type, "%s", type->text);
}

/* 1: it answers @asked; 0: another one, which was given up. */
static int take_answer(const struct asked *asked, const struct colony_value *tree)
{
    const struct colony_value *id = colony_value_get(tree, "id");
    const struct colony_value *result = colony_value_get(tree, "result");
    const struct colony_value *error = colony_value_get(tree, "error");
    bool is_refused = error && id && id->type == VALUE_NULL; /* it could not even read it */

    if (!id || !(result || error))
        return -EPROTO;
    if (!is_refused && (id->type != VALUE_NUMBER || id->number != (double)asked->id))
        return 0;
    if (error) {
        take_error(asked->answer, error);
        return 1;
    }
    asked->answer->result = colony_value_to_json(result);
    return asked->answer->result ? 1 : -ENOMEM;
}

static int read_answer(struct colony_rpc_client *client, struct asked *asked, const char *text,
                       size_t size, struct colony_error *err)
{
    struct colony_value *tree = NULL;
    struct colony_error reason = {0};
    int rc = colony_value_parse_json(&tree, text, size, &reason);

    if (rc == 0)
        rc = take_answer(asked, tree);
    colony_value_free(tree);
    if (rc == -ENOMEM)
        return colony_fail_os(err, rc, "cannot read the answer of %s", client->place);
    if (rc < 0)
        return colony_fail(err, -EPROTO, "cannot read the answer of %s: it is no JSON-RPC%s%s",
                           client->place, reason.message[0] ? ": " : "", reason.message);
    asked->is_answered = rc == 1;
    return 0;
}

/* All messages that are there; of one with several parts the last one counts. */
static int receive(struct colony_rpc_client *client, struct asked *asked, struct colony_error *err)
{
    const struct colony_zmq *zmq = client->zmq;
    zmq_msg_t part;
    int rc = 0;

    while (rc == 0 && !asked->is_answered) {
        (void)zmq->zmq_msg_init(&part);
        if (zmq->zmq_msg_recv(&part, client->socket, ZMQ_DONTWAIT) < 0) {
            (void)zmq->zmq_msg_close(&part);
            break;
        }
        if (!zmq->zmq_msg_more(&part))
            rc =
                read_answer(client, asked, zmq->zmq_msg_data(&part), zmq->zmq_msg_size(&part), err);
        (void)zmq->zmq_msg_close(&part);
    }
    return rc;
}

/* --- the connection --------------------------------------------------------------------------- */

/* Which of EVENTS the monitor tells of next; 0: none. */
static unsigned next_event(struct colony_rpc_client *client)
{
    const struct colony_zmq *zmq = client->zmq;
    uint16_t event = 0;
    bool is_first = true;
    bool goes_on = true;
    zmq_msg_t part;

    while (goes_on) {
        (void)zmq->zmq_msg_init(&part);
        if (zmq->zmq_msg_recv(&part, client->monitor, ZMQ_DONTWAIT) < 0)
            goes_on = false;
        else if (is_first && zmq->zmq_msg_size(&part) >= sizeof event)
            memcpy(&event, zmq->zmq_msg_data(&part), sizeof event);
        goes_on = goes_on && zmq->zmq_msg_more(&part);
        is_first = false;
        (void)zmq->zmq_msg_close(&part);
    }
    return event;
}

/* One that never was is an error; one that was is made again by the library. */
static int fail_to_connect(const struct colony_rpc_client *client, unsigned event,
                           struct colony_error *err)
{
    if (client->was_connected)
        return 0;
    if (event == ZMQ_EVENT_CONNECT_RETRIED)
        return colony_fail(err, -ECONNREFUSED, "cannot reach %s: nothing listens there",
                           client->place);
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || client->has_key)
        return colony_fail(
            err, -EACCES,
            "cannot talk to %s: it does not take our key, has another one itself, or "
            "has no room for one more client",
            client->place);
    return colony_fail(err, -EPROTO,
                       "cannot talk to %s: it wants keys (--server-key), has no room for one more "
                       "client, or is no colony",
                       client->place);
}

/* A daemon that is restarted hangs up, too, but not again and again. */
static int count_hang_up(const struct colony_rpc_client *client, struct asked *asked,
                         struct colony_error *err)
{
    bool is_soon = now_ms() - client->connected_ms < HANG_UP_MS;

    asked->hang_ups = is_soon ? asked->hang_ups + 1 : 0;
    if (asked->hang_ups < HANG_UPS_MAX)
        return 0;
    if (asked->size > SMALL_BYTES)
        return colony_fail(
            err, -EMSGSIZE,
            "cannot ask %s: it hangs up on a request of %zu bytes, which may be more "
            "than its rpc.max_message_bytes",
            client->place, asked->size);
    return colony_fail(err, -ECONNRESET,
                       "cannot ask %s: it hung up %u times when it was asked, its log may tell why",
                       client->place, asked->hang_ups);
}

static int follow_connection(struct colony_rpc_client *client, struct asked *asked,
                             struct colony_error *err)
{
    unsigned event;
    int rc = 0;

    while (rc == 0 && (event = next_event(client)) != 0) {
        if (event == ZMQ_EVENT_DISCONNECTED && client->was_connected)
            rc = count_hang_up(client, asked, err);
        else if (event != ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            rc = fail_to_connect(client, event, err);
        else if (client->was_connected)
            rc = ask(client, asked, err); /* it may have been lost with the connection */
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            client->was_connected = true;
            client->connected_ms = now_ms();
        }
    }
    return rc;
}

/* How long zmq_poll() may wait for the deadline. */
static long left_ms(uint64_t deadline_ms)
{
    uint64_t now = now_ms();

    if (deadline_ms == UINT64_MAX)
        return -1;
    if (now >= deadline_ms)
        return 0;
    return deadline_ms - now < INT32_MAX ? (long)(deadline_ms - now) : INT32_MAX;
}

static int wait_for_answer(struct colony_rpc_client *client, struct asked *asked,
                           uint64_t deadline_ms, struct colony_error *err)
{
    zmq_pollitem_t items[] = {{.socket = client->socket, .events = ZMQ_POLLIN},
                              {.socket = client->monitor, .events = ZMQ_POLLIN}};
    int rc = 0;

    while (rc == 0 && !asked->is_answered) {
        long wait_ms = left_ms(deadline_ms);

        if (client->zmq->zmq_poll(items, 2, wait_ms) < 0 && errno != EINTR)
            return colony_zmq_fail(client->zmq, err, "cannot wait for an answer");
        rc = receive(client, asked, err);
        if (rc == 0 && !asked->is_answered)
            rc = follow_connection(client, asked, err);
        if (rc == 0 && !asked->is_answered && wait_ms == 0)
            return -ETIMEDOUT;
    }
    return rc;
}

int colony_rpc_client_call(struct colony_rpc_client *client,
                           const struct colony_rpc_question *question,
                           struct colony_rpc_answer *answer, struct colony_error *err)
{
    uint64_t timeout_ms = question->timeout_ms;
    uint64_t deadline_ms = timeout_ms == UINT64_MAX ? UINT64_MAX : now_ms() + timeout_ms;
    struct asked asked = {.id = ++client->next_id, .answer = answer};
    int rc = print_asked(&asked, question);

    *answer = (struct colony_rpc_answer){0};
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot ask %s", client->place);
    rc = ask(client, &asked, err);
    if (rc == 0)
        rc = wait_for_answer(client, &asked, deadline_ms, err);
    if (rc == -ETIMEDOUT)
        (void)colony_fail(err, rc, "cannot wait any longer for %s: no answer in %g seconds",
                          client->place, (double)timeout_ms / 1000);
    cJSON_free(asked.text);
    return rc;
}
