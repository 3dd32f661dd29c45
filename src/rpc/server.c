/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "core/error.h"
#include "core/zmq.h"
#include "rpc/curve.h"
#include "rpc/dispatch_internal.h"
#include "rpc/gate_internal.h"
#include "rpc/outbox_internal.h"
#include "rpc/watch_internal.h"
#include "rpc/zap_internal.h"

enum {
    RECEIVED_MAX = 8,       /* messages of a client that libzmq holds for us */
    UNREAD_MAX = 1000,      /* answers of ours that it holds for a client */
    HANDSHAKE_MS = 10000,   /* for a client to become one */
    LINGER_MS = 1000,       /* for the last answers */
    BACKLOG = 4096,         /* connections that the gate has made and libzmq not yet taken */
    UNFINISHED_FACTOR = 16, /* messages of a client's that may wait unread, in bytes */
    PARTS_MAX = 3,
};

struct colony_rpc_server {
    struct colony__rpc_watch watch;
    struct colony__rpc_gate *gate;
    struct colony__rpc_zap *zap; /* NULL: there are no keys */
    struct colony__rpc_dispatch *dispatch;
    struct colony__rpc_outbox *outbox;
    struct colony_rpc_counters counters;
    const struct colony_zmq *zmq;
    const struct colony_rpc_curve *curve;
    uv_loop_t *loop;
    void *context;
    void *socket;
    uv_work_t term;
    size_t to_close;
    colony_rpc_closed_cb closed_cb;
    void *closed_data;
};

static void on_message(void *data);

static int set_number(const struct colony_rpc_server *server, int option, int value)
{
    return server->zmq->zmq_setsockopt(server->socket, option, &value, sizeof value);
}

static int set_options(const struct colony_rpc_server *server, uint64_t message_bytes_max)
{
    static const struct {
        int option;
        int value;
    } numbers[] = {
        {ZMQ_ROUTER_MANDATORY, 1}, /* tell of who does not read or is gone */
        {ZMQ_ROUTER_HANDOVER, 1},  /* who connects anew goes on under its name */
        {ZMQ_RCVHWM, RECEIVED_MAX}, {ZMQ_SNDHWM, UNREAD_MAX}, {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_LINGER, LINGER_MS},    {ZMQ_BACKLOG, BACKLOG},
    };
    int64_t size_max = (int64_t)message_bytes_max;
    int rc = 0;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && rc == 0; i++)
        rc = set_number(server, numbers[i].option, numbers[i].value);
    if (rc == 0)
        rc =
            server->zmq->zmq_setsockopt(server->socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max);
    if (rc < 0 || !server->curve)
        return rc;
    rc = set_number(server, ZMQ_CURVE_SERVER, 1);
    if (rc == 0)
        rc = server->zmq->zmq_setsockopt(server->socket, ZMQ_CURVE_SECRETKEY,
                                         server->curve->keys.secret, COLONY_RPC_KEY_SIZE);
    return rc == 0 ? server->zmq->zmq_setsockopt(server->socket, ZMQ_ZAP_DOMAIN, "colony", 6) : rc;
}

/* Listens in @folder, and takes the path away again: the gate has the socket itself. */
static int bind_inside(struct colony_rpc_server *server, const char *folder,
                       struct colony_error *err)
{
    static atomic_uint serial; /* a program may have several servers, each on a thread */
    int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    char name[64];
    char endpoint[128];
    int rc = 0;

    if (folder_fd < 0)
        return colony_fail_os(err, -errno, "cannot serve RPC: cannot use %s", folder);
    (void)snprintf(name, sizeof name, ".rpc.%d.%u", (int)getpid(), serial++);
    (void)snprintf(endpoint, sizeof endpoint, "ipc:///proc/self/fd/%d/%s", folder_fd, name);
    if (server->zmq->zmq_bind(server->socket, endpoint) < 0)
        rc = colony_zmq_fail(server->zmq, err, "cannot serve RPC: cannot make a socket");
    if (rc == 0)
        fd = openat(folder_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (rc == 0 && (fd < 0 || unlinkat(folder_fd, name, 0) < 0))
        rc = colony_fail_os(err, -errno, "cannot serve RPC: cannot use %s", folder);
    (void)close(folder_fd);
    if (fd >= 0)
        colony__rpc_gate_lead_to(server->gate, fd);
    return rc;
}

static void send_answer(const struct colony__rpc_sender *to, const char *text, size_t size,
                        void *data)
{
    struct colony_rpc_server *server = data;
    if (colony__rpc_outbox_send(server->outbox, server->socket, to, text, size) < 0)
        server->counters.dropped++;
    colony__rpc_watch_check(&server->watch);
}

static bool is_connected(uint64_t connection, void *data)
{
    const struct colony_rpc_server *server = data;

    return colony__rpc_gate_has(server->gate, connection);
}

static void free_server(struct colony_rpc_server *server)
{
    colony__rpc_outbox_free(server->outbox);
    free(server);
}

static int open_socket(struct colony_rpc_server *server,
                       const struct colony_rpc_server_options *options, struct colony_error *err)
{
    const struct colony__rpc_zap_options zap = {options->loop, server->zmq, server->context,
                                                options->curve};
    uint64_t size_max =
        options->message_bytes_max ? options->message_bytes_max : COLONY_RPC_MESSAGE_BYTES;
    int rc = options->curve ? colony__rpc_zap_new(&server->zap, &zap, err) : 0;

    if (rc < 0)
        return rc;
    server->socket = server->zmq->zmq_socket(server->context, ZMQ_ROUTER);
    if (!server->socket || set_options(server, size_max) < 0)
        return colony_zmq_fail(server->zmq, err, "cannot serve RPC");
    rc = bind_inside(server, options->folder, err);
    if (rc < 0)
        return rc;
    server->watch = (struct colony__rpc_watch){
        .zmq = server->zmq, .socket = server->socket, .take = on_message, .data = server};
    return colony__rpc_watch_start(&server->watch, options->loop, err);
}

static void do_nothing(void *data)
{
    (void)data;
}

/* Of a server that did not come to be: nothing was sent, so nothing waits. */
static void abandon(struct colony_rpc_server *server)
{
    if (server->gate)
        colony__rpc_gate_close(server->gate, NULL, NULL);
    if (server->zap)
        colony__rpc_zap_close(server->zap, do_nothing, NULL);
    if (server->socket)
        (void)server->zmq->zmq_close(server->socket);
    if (server->context)
        (void)server->zmq->zmq_ctx_term(server->context);
    colony__rpc_dispatch_free(server->dispatch);
    free_server(server);
}

int colony_rpc_server_new(struct colony_rpc_server **out,
                          const struct colony_rpc_server_options *options, struct colony_error *err)
{
    struct colony_rpc_server *server = calloc(1, sizeof *server);
    uint64_t size_max =
        options->message_bytes_max ? options->message_bytes_max : COLONY_RPC_MESSAGE_BYTES;
    struct colony__rpc_gate_options gate = {.loop = options->loop,
                                            .uids = options->uids,
                                            .uid_count = options->uid_count,
                                            .has_keys = options->curve != NULL,
                                            .message_max = size_max,
                                            .unfinished_max = size_max * UNFINISHED_FACTOR};
    struct colony__rpc_dispatch_options dispatch = {.object = options->object,
                                                    .object_data = options->data,
                                                    .send = send_answer,
                                                    .send_data = server,
                                                    .is_connected = is_connected};
    int rc;

    if (!server)
        return colony_fail_os(err, -ENOMEM, "cannot serve RPC");
    gate.counters = dispatch.counters = &server->counters;
    server->loop = options->loop;
    server->curve = options->curve;
    rc = colony_zmq_get(&server->zmq, err);
    if (rc < 0)
        goto out;
    server->context = colony_zmq_context_new(server->zmq);
    rc = server->context ? 0 : colony_zmq_fail(server->zmq, err, "cannot serve RPC");
    if (rc == 0)
        rc = colony__rpc_gate_new(&server->gate, &gate, err);
    if (rc == 0 && (colony__rpc_dispatch_new(&server->dispatch, &dispatch) < 0 ||
                    colony__rpc_outbox_new(&server->outbox, server->zmq) < 0))
        rc = colony_fail_os(err, -ENOMEM, "cannot serve RPC");
    if (rc == 0)
        rc = open_socket(server, options, err);
out:
    if (rc < 0)
        abandon(server);
    else
        *out = server;
    return rc;
}

int colony_rpc_server_listen(struct colony_rpc_server *server, int fd, struct colony_error *err)
{
    return colony__rpc_gate_listen(server->gate, fd, err);
}

void colony_rpc_server_stop(struct colony_rpc_server *server)
{
    colony__rpc_gate_stop(server->gate);
}

const struct colony_rpc_counters *colony_rpc_server_counters(const struct colony_rpc_server *server)
{
    return &server->counters;
}

/* Who the message is of, as libzmq tells it. */
static void name_sender(const struct colony_rpc_server *server, zmq_msg_t *message,
                        struct colony__rpc_sender *from)
{
    const char *name = server->curve ? server->zmq->zmq_msg_gets(message, "User-Id") : NULL;
    const struct colony_rpc_peer *peer = NULL;

    for (size_t i = 0; name && i < server->curve->peer_count && !peer; i++)
        if (strcmp(server->curve->peers[i].name, name) == 0)
            peer = &server->curve->peers[i];
    if (peer) {
        size_t number = (size_t)(peer - server->curve->peers) + 1;

        from->client.peer[0] = (unsigned char)(number >> 8);
        from->client.peer[1] = (unsigned char)number;
    }
    from->may_control = server->curve ? peer && peer->may_control : true;
    if (peer)
        (void)snprintf(from->who, sizeof from->who, "rpc key %s", peer->name);
    else
        (void)snprintf(from->who, sizeof from->who, "rpc");
}

/* The socket of libzmq's that it came by. Deprecated for what others would do with it. */
static int socket_of(const struct colony_rpc_server *server, zmq_msg_t *message)
{
    const char *text = server->zmq->zmq_msg_gets(message, "__fd");

    return text ? (int)strtol(text, NULL, 10) : -1;
}

static void take_parts(struct colony_rpc_server *server, zmq_msg_t *parts, size_t count)
{
    const struct colony_zmq *zmq = server->zmq;
    struct colony__rpc_sender from = {0};
    zmq_msg_t *text = &parts[count < PARTS_MAX ? count - 1 : PARTS_MAX - 1];
    size_t id_size = zmq->zmq_msg_size(&parts[0]);

    from.connection = colony__rpc_gate_on_message(server->gate, socket_of(server, text));
    if (count < 2 || id_size > COLONY__RPC_ROUTING_MAX)
        return;
    from.client.size = id_size;
    memcpy(from.client.bytes, zmq->zmq_msg_data(&parts[0]), id_size);
    from.has_delimiter = count > 2 && zmq->zmq_msg_size(&parts[1]) == 0;
    name_sender(server, text, &from);
    if (count == 2 || (count == PARTS_MAX && from.has_delimiter))
        colony__rpc_dispatch_receive(server->dispatch, &from, zmq->zmq_msg_data(text),
                                     zmq->zmq_msg_size(text));
    else
        colony__rpc_dispatch_refuse(server->dispatch, &from,
                                    "cannot take this: a message has one part");
}

/* One message, of as many parts as it has. */
static void on_message(void *data)
{
    struct colony_rpc_server *server = data;
    const struct colony_zmq *zmq = server->zmq;
    zmq_msg_t parts[PARTS_MAX];
    zmq_msg_t *part = &parts[0];
    size_t count = 0;
    size_t kept = 0;
    bool has_more = true;

    while (has_more) {
        if (count < PARTS_MAX) {
            part = &parts[count];
            (void)zmq->zmq_msg_init(part); /* never fails */
            kept = count + 1;
        }
        if (zmq->zmq_msg_recv(part, server->socket, ZMQ_DONTWAIT) < 0)
            break;
        count++;
        has_more = zmq->zmq_msg_more(part);
    }
    if (!has_more)
        take_parts(server, parts, count);
    for (size_t i = 0; i < kept; i++)
        (void)zmq->zmq_msg_close(&parts[i]);
}

static void on_part_closed(void *data)
{
    struct colony_rpc_server *server = data;
    colony_rpc_closed_cb cb = server->closed_cb;
    void *closed_data = server->closed_data;

    if (--server->to_close > 0)
        return;
    free_server(server);
    if (cb)
        cb(closed_data);
}

/* Off the loop, which meanwhile passes on what libzmq still has for its clients. */
static void terminate(uv_work_t *work)
{
    const struct colony_rpc_server *server = work->data;

    while (server->zmq->zmq_ctx_term(server->context) < 0 && errno == EINTR)
        ;
}

static void on_terminated(uv_work_t *work, int status)
{
    struct colony_rpc_server *server = work->data;

    (void)status;
    colony__rpc_gate_close(server->gate, on_part_closed, server);
}

void colony_rpc_server_close(struct colony_rpc_server *server, colony_rpc_closed_cb cb, void *data)
{
    int rc;

    server->closed_cb = cb;
    server->closed_data = data;
    server->to_close = server->zap ? 3 : 2;
    colony__rpc_gate_stop(server->gate);
    colony__rpc_dispatch_free(server->dispatch);
    server->dispatch = NULL;
    colony__rpc_watch_close(&server->watch, on_part_closed);
    (void)server->zmq->zmq_close(server->socket);
    if (server->zap)
        colony__rpc_zap_close(server->zap, on_part_closed, server);
    server->term.data = server;
    rc = uv_queue_work(server->loop, &server->term, terminate, on_terminated);
    if (rc == 0)
        return;
    terminate(&server->term);
    on_terminated(&server->term, rc);
}
