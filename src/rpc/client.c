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
#include "core/json_print.h"
#include "core/value.h"
#include "core/zmq.h"

enum {
    ANSWER_BYTES_MAX = 64 << 20,
    RETRY_MS = 100, /* then twice as long each time */
    RETRY_MS_MAX = 1000,
    NEVER_MS = 1000000000, /* libzmq must not connect by itself: the socket is closed before */
    HEARTBEAT_MS = 5000,   /* finds a connection that is dead at the other end only */
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
    void *monitor;     /* tells what becomes of the connection */
    char identity[32]; /* by which the server knows us again after the connection was lost */
    char place[COLONY_RPC_PLACE_MAX];
    char server_key[COLONY_RPC_KEY_SIZE]; /* "": nothing is encrypted */
    struct colony_rpc_keys keys;
    pid_t pid;
    uint64_t pid_start;
    colony_rpc_look_cb look;
    void *data;
    unsigned opened; /* how many sockets there were */
    uint64_t next_id;
    uint64_t connected_ms;
    uint64_t retry_ms; /* how long to wait before the next try */
    uint64_t next_ms;  /* when that is */
    uint64_t
        give_up_ms;    /* a connection was lost: until when it is tried to make one; 0: none was */
    bool is_connected; /* to the one who is meant */
};

/* A question under way. */
struct asked {
    uint64_t id;
    char *text;
    size_t size;
    struct colony_rpc_answer *answer;
    uint64_t deadline_ms;
    unsigned hang_ups;
    bool is_said; /* over the connection that there is */
    bool is_answered;
};

static uint64_t now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static int make_identity(struct colony_rpc_client *client)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return -errno;
    (void)snprintf(client->identity, sizeof client->identity, "c-%016" PRIx64, random);
    return 0;
}

static int set_number(struct colony_rpc_client *client, int option, int number)
{
    return client->zmq->zmq_setsockopt(client->socket, option, &number, sizeof number);
}

static int set_keys(struct colony_rpc_client *client)
{
    const struct {
        int option;
        const char *key;
    } keys[] = {
        {ZMQ_CURVE_SERVERKEY, client->server_key},
        {ZMQ_CURVE_PUBLICKEY, client->keys.public},
        {ZMQ_CURVE_SECRETKEY, client->keys.secret},
    };

    for (size_t i = 0; client->server_key[0] != '\0' && i < sizeof keys / sizeof keys[0]; i++)
        if (client->zmq->zmq_setsockopt(client->socket, keys[i].option, keys[i].key,
                                        strlen(keys[i].key) + 1) < 0)
            return -1;
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
        {ZMQ_RECONNECT_IVL, NEVER_MS},
        {ZMQ_CONNECT_TIMEOUT, client->give_up_ms ? COLONY_RPC_RESTART_MS : 0},
        {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
        {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_PATIENCE_MS},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (set_number(client, numbers[i].option, numbers[i].number) < 0)
            return -1;
    if (client->zmq->zmq_setsockopt(client->socket, ZMQ_ROUTING_ID, client->identity,
                                    strlen(client->identity)) < 0)
        return -1;
    return client->zmq->zmq_setsockopt(client->socket, ZMQ_MAXMSGSIZE, &answer_max,
                                       sizeof answer_max);
}

/* The monitor is one more socket, which the library speaks to within this process. */
static int open_monitor(struct colony_rpc_client *client)
{
    char address[32]; /* of its own: that of a socket which is closed is free at some time only */

    (void)snprintf(address, sizeof address, "inproc://monitor-%u", client->opened++);
    if (client->zmq->zmq_socket_monitor(client->socket, address, EVENTS) < 0)
        return -1;
    client->monitor = client->zmq->zmq_socket(client->context, ZMQ_PAIR);
    return client->monitor ? client->zmq->zmq_connect(client->monitor, address) : -1;
}

static int open_sockets(struct colony_rpc_client *client, struct colony_error *err)
{
    const struct colony_zmq *zmq = client->zmq;
    char endpoint[COLONY_RPC_PLACE_MAX + 8];

    if (!client->context)
        client->context = colony_zmq_context_new(zmq);
    if (client->context)
        client->socket = zmq->zmq_socket(client->context, ZMQ_DEALER);
    if (!client->socket || set_options(client) < 0 || open_monitor(client) < 0)
        return colony_zmq_fail(zmq, err, "cannot open a ZeroMQ socket");
    if (set_keys(client) < 0)
        return colony_fail(err, -EINVAL, "cannot use the keys for %s: colony rpc keygen makes some",
                           client->place);
    (void)snprintf(endpoint, sizeof endpoint, "%s%s", strstr(client->place, "://") ? "" : "tcp://",
                   client->place);
    if (zmq->zmq_connect(client->socket, endpoint) == 0)
        return 0;
    return colony_fail(err, -EINVAL, "cannot connect to %s: it must be HOST:PORT", client->place);
}

static int take_target(struct colony_rpc_client *client, const struct colony_rpc_target *target,
                       struct colony_error *err)
{
    const struct {
        char *to;
        size_t size;
        const char *from;
    } texts[] = {
        {client->place, sizeof client->place, target->place},
        {client->server_key, sizeof client->server_key, target->server_key},
        {client->keys.public, sizeof client->keys.public, target->public_key},
        {client->keys.secret, sizeof client->keys.secret, target->secret_key},
    };

    if (strlen(target->place) >= COLONY_RPC_PLACE_MAX)
        return colony_fail(err, -EINVAL, "cannot connect to %.60s…: it is too long", target->place);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        (void)snprintf(texts[i].to, texts[i].size, "%s", texts[i].from ? texts[i].from : "");
    client->pid = target->pid;
    client->pid_start = target->pid_start;
    return 0;
}

int colony_rpc_client_new(struct colony_rpc_client **out, const struct colony_rpc_target *target,
                          struct colony_error *err)
{
    struct colony_rpc_client *client = calloc(1, sizeof *client);
    int rc;

    if (!client)
        return colony_fail_os(err, -ENOMEM, "cannot connect to %s", target->place);
    client->look = target->look;
    client->data = target->data;
    client->retry_ms = RETRY_MS;
    rc = take_target(client, target, err);
    if (rc == 0)
        rc = colony_zmq_get(&client->zmq, err);
    if (rc == 0 && (rc = make_identity(client)) < 0)
        (void)colony_fail_os(err, rc, "cannot connect to %s", client->place);
    if (rc == 0)
        rc = open_sockets(client, err);
    if (rc < 0) {
        colony_rpc_client_free(client);
        return rc;
    }
    *out = client;
    return 0;
}

static void close_sockets(struct colony_rpc_client *client)
{
    if (client->monitor)
        (void)client->zmq->zmq_close(client->monitor);
    if (client->socket)
        (void)client->zmq->zmq_close(client->socket);
    client->monitor = NULL;
    client->socket = NULL;
    client->is_connected = false;
}

void colony_rpc_client_free(struct colony_rpc_client *client)
{
    if (!client)
        return;
    close_sockets(client);
    if (client->context)
        while (client->zmq->zmq_ctx_term(client->context) < 0 && errno == EINTR)
            ;
    explicit_bzero(&client->keys, sizeof client->keys);
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
    asked->text = is_whole ? colony_json_print(json) : NULL;
    cJSON_Delete(json);
    if (!asked->text)
        return -ENOMEM;
    asked->size = strlen(asked->text);
    return 0;
}

static void take_error(struct colony_rpc_answer *answer, const struct colony_value *error)
{
    const struct colony_value *code = colony_value_get(error, "code");
    const struct colony_value *message = colony_value_get(error, "message");
    const struct colony_value *type = colony_value_get(colony_value_get(error, "data"), "type");
    bool has_code = code && code->type == VALUE_NUMBER && code->number >= INT32_MIN &&
                    code->number <= INT32_MAX && (int)code->number != 0;

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

/* Why there is no connection. */
static int fail_to_connect(const struct colony_rpc_client *client, unsigned event,
                           struct colony_error *err)
{
    if (event == ZMQ_EVENT_CONNECT_RETRIED)
        return colony_fail(err, -ECONNREFUSED, "cannot reach %s: nothing listens there",
                           client->place);
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || client->server_key[0] != '\0')
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

/* One that was lost is made again for a while: the daemon may be started again. */
static void begin_again(struct colony_rpc_client *client)
{
    if (client->give_up_ms == 0)
        client->give_up_ms = now_ms() + COLONY_RPC_RESTART_MS;
}

/* What failed with @rc, which *@err tells, is tried again later (0), or no more (@rc). */
static int retry(struct colony_rpc_client *client, struct asked *asked, int rc)
{
    uint64_t now = now_ms();

    close_sockets(client);
    asked->is_said = false;
    if (now >= client->give_up_ms) {
        client->give_up_ms = 0;
        client->retry_ms = RETRY_MS;
        client->next_ms = 0; /* whoever asks next looks at once, once */
        return rc;
    }
    client->next_ms = now + client->retry_ms;
    client->retry_ms = client->retry_ms < RETRY_MS_MAX / 2 ? client->retry_ms * 2 : RETRY_MS_MAX;
    return 0;
}

/*
 * Whether who was found, and is found by his process, still has his place. Asked after something
 * has answered there, it tells that this was he: he lived all the time, and a port has one owner.
 */
static bool is_there(const struct colony_rpc_client *client, const struct asked *asked)
{
    struct colony_rpc_target now = {0};

    if (!client->look || !client->pid)
        return true;
    return client->look(&now, asked->deadline_ms, client->data, NULL) == 0 &&
           now.pid == client->pid && now.pid_start == client->pid_start &&
           strcmp(now.place, client->place) == 0;
}

static int connect_again(struct colony_rpc_client *client, struct asked *asked,
                         struct colony_error *err)
{
    struct colony_rpc_target target = {0};
    int rc = 0;

    if (client->look) {
        rc = client->look(&target, asked->deadline_ms, client->data, err);
        if (rc == 0)
            rc = take_target(client, &target, err);
    }
    if (rc == 0)
        rc = open_sockets(client, err);
    return rc < 0 ? retry(client, asked, rc) : 0;
}

/* The last thing that came over it may be the answer. */
static int lose(struct colony_rpc_client *client, struct asked *asked, struct colony_error *err)
{
    int rc = receive(client, asked, err);

    begin_again(client);
    if (rc == 0 && !asked->is_answered)
        rc = count_hang_up(client, asked, err);
    if (rc < 0)
        client->give_up_ms = 0; /* it is no matter of the connection */
    return retry(client, asked, rc);
}

/* Something happened before there was a connection. */
static int follow_event(struct colony_rpc_client *client, struct asked *asked, unsigned event,
                        struct colony_error *err)
{
    bool is_his = is_there(client, asked);

    if (is_his && event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        client->is_connected = true;
        client->connected_ms = now_ms();
        client->give_up_ms = 0;
        client->retry_ms = RETRY_MS;
        return 0;
    }
    if (!is_his)
        begin_again(client);
    return retry(client, asked, fail_to_connect(client, event, err));
}

static int follow_connection(struct colony_rpc_client *client, struct asked *asked,
                             struct colony_error *err)
{
    unsigned event;
    int rc = 0;

    if (!client->socket && now_ms() >= client->next_ms)
        rc = connect_again(client, asked, err);
    while (rc == 0 && client->monitor && !asked->is_answered && (event = next_event(client)) != 0)
        rc = client->is_connected ? lose(client, asked, err)
                                  : follow_event(client, asked, event, err);
    return rc;
}

/* Only whoever the connection was made to gets it: libzmq makes no other one. */
static int say(struct colony_rpc_client *client, struct asked *asked, struct colony_error *err)
{
    if (client->zmq->zmq_send(client->socket, asked->text, asked->size, ZMQ_DONTWAIT) < 0) {
        if (errno != EAGAIN)
            return colony_zmq_fail(client->zmq, err, "cannot ask");
        return lose(client, asked, err);
    }
    asked->is_said = true;
    return 0;
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

/* Until something has come, or is to be done. */
static int pause_shortly(struct colony_rpc_client *client, uint64_t deadline_ms,
                         struct colony_error *err)
{
    zmq_pollitem_t items[] = {{.socket = client->socket, .events = ZMQ_POLLIN},
                              {.socket = client->monitor, .events = ZMQ_POLLIN}};
    bool is_open = client->socket != NULL;
    uint64_t until_ms = is_open || deadline_ms < client->next_ms ? deadline_ms : client->next_ms;

    if (client->zmq->zmq_poll(items, is_open ? 2 : 0, left_ms(until_ms)) < 0 && errno != EINTR)
        return colony_zmq_fail(client->zmq, err, "cannot wait for an answer");
    return 0;
}

/* What has come is read before a connection is given up for lost. */
static int wait_for_answer(struct colony_rpc_client *client, struct asked *asked,
                           struct colony_error *err)
{
    for (;;) {
        bool is_late = now_ms() >= asked->deadline_ms;
        int rc = client->socket ? receive(client, asked, err) : 0;

        if (rc == 0 && !asked->is_answered)
            rc = follow_connection(client, asked, err);
        if (rc == 0 && client->is_connected && !asked->is_said && !asked->is_answered)
            rc = say(client, asked, err);
        if (rc < 0 || asked->is_answered)
            return rc;
        if (is_late)
            return -ETIMEDOUT;
        rc = pause_shortly(client, asked->deadline_ms, err);
        if (rc < 0)
            return rc;
    }
}

int colony_rpc_client_call(struct colony_rpc_client *client,
                           const struct colony_rpc_question *question,
                           struct colony_rpc_answer *answer, struct colony_error *err)
{
    uint64_t timeout_ms = question->timeout_ms;
    struct asked asked = {.id = ++client->next_id,
                          .answer = answer,
                          .deadline_ms =
                              timeout_ms == UINT64_MAX ? UINT64_MAX : now_ms() + timeout_ms};
    int rc = print_asked(&asked, question);

    *answer = (struct colony_rpc_answer){0};
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot ask %s", client->place);
    rc = wait_for_answer(client, &asked, err);
    if (rc == -ETIMEDOUT)
        (void)colony_fail(err, rc, "cannot wait any longer for %s: no answer in %g seconds",
                          client->place, (double)timeout_ms / 1000);
    free(asked.text);
    return rc;
}
