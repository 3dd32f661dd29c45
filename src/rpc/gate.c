/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/gate_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "core/address.h"
#include "core/error.h"
#include "core/log.h"
#include "core/sockdiag.h"
#include "core/zmq.h"
#include "rpc/link_internal.h"
#include "rpc/server.h"

enum {
    ACCEPTS_PER_TURN = 8, /* libzmq accepts after us, and there is room for so many at least */
    RESUME_MS = 1000,     /* after a failure to accept */
    LEAVE_MS = 500,       /* for the last answers */
    SILENT_MS = 1000,     /* between two words in the log */
    UIDS_MAX = 64,
};

/* Why a connection is closed. */
enum reason { REASON_TOO_LARGE, REASON_FULL };

struct listener {
    uv_poll_t poll;
    struct colony__rpc_gate *gate;
    struct listener *next;
    bool is_open; /* who comes in is not looked at here */
    int fd;
};

struct colony__rpc_gate {
    uv_timer_t timer;
    uv_loop_t *loop;
    uid_t uids[UIDS_MAX];
    size_t uid_count;
    bool has_keys;
    uint64_t message_max;
    uint64_t unfinished_max;
    uint64_t silent_until_ms[2]; /* what is closed until then is counted and not logged; by why */
    struct colony_rpc_counters *counters;
    struct listener *listeners;
    size_t listener_count;                                      /* also those being closed */
    struct colony__rpc_link *links[COLONY_RPC_CONNECTIONS_MAX]; /* by their numbers */
    uint64_t connections[COLONY_RPC_CONNECTIONS_MAX];           /* as others know these */
    size_t link_count;
    uint64_t nonce; /* in the names of our sockets */
    int path_fd;
    int diag_fd;
    bool is_closing;
    bool is_timer_closed;
    void (*closed_cb)(void *data);
    void *closed_data;
};

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void free_gate(struct colony__rpc_gate *gate)
{
    if (gate->path_fd >= 0)
        (void)close(gate->path_fd);
    if (gate->diag_fd >= 0)
        (void)close(gate->diag_fd);
    free(gate);
}

static void finish_close(struct colony__rpc_gate *gate)
{
    void (*cb)(void *data) = gate->closed_cb;
    void *data = gate->closed_data;

    if (!gate->is_closing || gate->listener_count > 0 || gate->link_count > 0 ||
        !gate->is_timer_closed)
        return;
    free_gate(gate);
    if (cb)
        cb(data);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony__rpc_gate *gate = handle->data;

    gate->is_timer_closed = true;
    finish_close(gate);
}

/* Nothing is left to wait for: the timer may go, and then all. */
static void check_left(struct colony__rpc_gate *gate)
{
    if (gate->is_closing && gate->link_count == 0 && !uv_is_closing((uv_handle_t *)&gate->timer))
        uv_close((uv_handle_t *)&gate->timer, on_timer_closed);
}

int colony__rpc_gate_new(struct colony__rpc_gate **out,
                         const struct colony__rpc_gate_options *options, struct colony_error *err)
{
    struct colony__rpc_gate *gate = calloc(1, sizeof *gate);
    int rc;

    if (!gate)
        return colony_fail_os(err, -ENOMEM, "cannot serve RPC");
    gate->loop = options->loop;
    gate->has_keys = options->has_keys;
    gate->message_max = options->message_max;
    gate->unfinished_max = options->unfinished_max;
    gate->counters = options->counters;
    gate->uid_count = options->uid_count < UIDS_MAX ? options->uid_count : UIDS_MAX;
    if (gate->uid_count > 0)
        memcpy(gate->uids, options->uids, gate->uid_count * sizeof *gate->uids);
    gate->path_fd = -1;
    gate->diag_fd = colony_sockdiag_open();
    rc = gate->diag_fd < 0 ? gate->diag_fd : 0;
    if (rc == 0 && getrandom(&gate->nonce, sizeof gate->nonce, 0) < 0)
        rc = -errno;
    if (rc == 0)
        rc = uv_timer_init(gate->loop, &gate->timer);
    if (rc < 0) {
        free_gate(gate);
        return colony_fail_os(err, rc, "cannot serve RPC");
    }
    gate->timer.data = gate;
    *out = gate;
    return 0;
}

void colony__rpc_gate_lead_to(struct colony__rpc_gate *gate, int path_fd)
{
    gate->path_fd = path_fd;
}

static bool is_allowed(const struct colony__rpc_gate *gate, uid_t uid)
{
    if (uid == 0)
        return true;
    for (size_t i = 0; i < gate->uid_count; i++)
        if (gate->uids[i] == uid)
            return true;
    return false;
}

/* Whether who is at the other end of @fd may come in. */
static bool check_peer(const struct colony__rpc_gate *gate, int fd)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_storage peer = {0};
    socklen_t own_size = sizeof own;
    socklen_t peer_size = sizeof peer;
    uid_t uid;

    return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
           colony_sockdiag_uid(gate->diag_fd, &peer, &own, &uid) == 0 && is_allowed(gate, uid);
}

/* An abstract name, by which a message of libzmq's is known to be of this connection. */
static socklen_t name_socket(const struct colony__rpc_gate *gate, size_t number,
                             struct sockaddr_un *address)
{
    int size;

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    size = snprintf(address->sun_path + 1, sizeof address->sun_path - 1,
                    "colony-rpc/%016" PRIx64 "/%zu", gate->nonce, number);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

/* The link that libzmq's socket @fd belongs to, or NULL. */
static struct colony__rpc_link *find_link(const struct colony__rpc_gate *gate, int fd)
{
    struct sockaddr_un address = {0};
    struct sockaddr_un expected;
    socklen_t size = sizeof address - 1;
    const char *slash;
    size_t number;

    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0 || address.sun_family != AF_UNIX)
        return NULL;
    slash = strrchr(address.sun_path + 1, '/');
    number = slash ? strtoul(slash + 1, NULL, 10) : COLONY_RPC_CONNECTIONS_MAX;
    if (number >= COLONY_RPC_CONNECTIONS_MAX || name_socket(gate, number, &expected) != size ||
        memcmp(&expected, &address, size) != 0)
        return NULL;
    return gate->links[number];
}

uint64_t colony__rpc_gate_on_message(struct colony__rpc_gate *gate, int fd)
{
    struct colony__rpc_link *link = find_link(gate, fd);

    if (!link)
        return 0;
    colony__rpc_link_on_message(link);
    return gate->connections[colony__rpc_link_number(link)];
}

/* Those of a place are all the same modulo their greatest count. */
bool colony__rpc_gate_has(const struct colony__rpc_gate *gate, uint64_t connection)
{
    size_t number = connection % COLONY_RPC_CONNECTIONS_MAX;

    return gate->links[number] && gate->connections[number] == connection;
}

/* A connection to libzmq, whose socket has no path any more. */
static int open_inner(const struct colony__rpc_gate *gate, size_t number)
{
    struct sockaddr_un own;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = name_socket(gate, number, &own);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", gate->path_fd);
    if (bind(fd, (struct sockaddr *)&own, size) == 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    rc = -errno;
    (void)close(fd);
    return rc;
}

static void on_link_closed(struct colony__rpc_link *link, void *data)
{
    struct colony__rpc_gate *gate = data;

    gate->links[colony__rpc_link_number(link)] = NULL;
    gate->link_count--;
    check_left(gate);
    finish_close(gate);
}

/* Whether a line may be said now: once in a while is enough. */
static bool may_tell(struct colony__rpc_gate *gate, enum reason reason)
{
    uint64_t now_ms = uv_now(gate->loop);

    if (now_ms < gate->silent_until_ms[reason])
        return false;
    gate->silent_until_ms[reason] = now_ms + SILENT_MS;
    return true;
}

static void on_too_large(uint64_t size, void *data)
{
    struct colony__rpc_gate *gate = data;

    gate->counters->too_large++;
    if (may_tell(gate, REASON_TOO_LARGE))
        colony_log(SEVERITY_WARNING,
                   "hangs up on a client of RPC: a message of %" PRIu64
                   " bytes is more than %" PRIu64 " (`rpc.max_message_bytes`); %" PRIu64
                   " such so far",
                   size, gate->message_max, gate->counters->too_large);
}

/* False: it may not come in, or there is no room. */
static bool welcome(struct listener *listener, int fd)
{
    struct colony__rpc_gate *gate = listener->gate;
    struct colony__rpc_link_options options = {.loop = gate->loop,
                                               .outer_fd = fd,
                                               .message_max = gate->message_max,
                                               .unfinished_max = gate->unfinished_max,
                                               .too_large = on_too_large,
                                               .closed = on_link_closed,
                                               .data = gate};
    size_t number = 0;

    if (!listener->is_open && !check_peer(gate, fd))
        return false;
    while (number < COLONY_RPC_CONNECTIONS_MAX && gate->links[number])
        number++;
    if (number == COLONY_RPC_CONNECTIONS_MAX) {
        if (may_tell(gate, REASON_FULL))
            colony_log(
                SEVERITY_WARNING,
                "hangs up on clients of RPC: %d are connected, and there is room for no more",
                COLONY_RPC_CONNECTIONS_MAX);
        return false;
    }
    options.number = number;
    options.inner_fd = open_inner(gate, number);
    if (options.inner_fd < 0)
        return false;
    gate->counters->connections++;
    gate->connections[number] =
        gate->counters->connections * COLONY_RPC_CONNECTIONS_MAX + (uint64_t)number;
    if (colony__rpc_link_new(&gate->links[number], &options) == 0)
        gate->link_count++;
    return true; /* the descriptor is the link's in any case */
}

static void on_timer(uv_timer_t *timer)
{
    struct colony__rpc_gate *gate = timer->data;

    for (struct listener *at = gate->listeners; at; at = at->next)
        (void)uv_poll_start(&at->poll, UV_READABLE, on_acceptable);
    for (size_t i = 0; gate->is_closing && i < COLONY_RPC_CONNECTIONS_MAX; i++)
        if (gate->links[i])
            colony__rpc_link_close(gate->links[i]);
}

/* No descriptor is left, or the like: it is tried again in a moment. */
static void pause_accepting(struct colony__rpc_gate *gate)
{
    for (struct listener *at = gate->listeners; at; at = at->next)
        (void)uv_poll_stop(&at->poll);
    if (!gate->is_closing)
        (void)uv_timer_start(&gate->timer, on_timer, RESUME_MS, 0);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    struct colony__rpc_gate *gate = listener->gate;

    (void)events;
    for (int i = 0; status == 0 && i < ACCEPTS_PER_TURN; i++) {
        bool has_room = colony_zmq_has_room();
        int fd = has_room ? accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            status = -errno;
        if (fd >= 0 && !welcome(listener, fd)) {
            gate->counters->rejected++;
            (void)close(fd);
        }
    }
    if (status < 0)
        pause_accepting(gate);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct colony__rpc_gate *gate = listener->gate;

    (void)close(listener->fd);
    free(listener);
    gate->listener_count--;
    finish_close(gate);
}

int colony__rpc_gate_listen(struct colony__rpc_gate *gate, int fd, struct colony_error *err)
{
    struct listener *listener = calloc(1, sizeof *listener);
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;
    int rc;

    if (!listener)
        return colony_fail_os(err, -ENOMEM, "cannot accept clients of RPC");
    listener->gate = gate;
    listener->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    rc = listener->fd < 0 || getsockname(fd, (struct sockaddr *)&own, &size) < 0
             ? -errno
             : uv_poll_init(gate->loop, &listener->poll, listener->fd);
    if (rc < 0) {
        if (listener->fd >= 0)
            (void)close(listener->fd);
        free(listener);
        return colony_fail_os(err, rc, "cannot accept clients of RPC");
    }
    /* listen.h lets nobody listen elsewhere without keys who has not said that he wants it. */
    listener->is_open = gate->has_keys || !colony_address_is_loopback(&own);
    listener->poll.data = listener;
    listener->next = gate->listeners;
    gate->listeners = listener;
    gate->listener_count++;
    rc = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    return rc < 0 ? colony_fail_os(err, rc, "cannot accept clients of RPC") : 0;
}

void colony__rpc_gate_stop(struct colony__rpc_gate *gate)
{
    struct listener *listener;

    (void)uv_timer_stop(&gate->timer);
    while ((listener = gate->listeners)) {
        gate->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
    }
}

void colony__rpc_gate_close(struct colony__rpc_gate *gate, void (*cb)(void *data), void *data)
{
    gate->closed_cb = cb;
    gate->closed_data = data;
    colony__rpc_gate_stop(gate);
    gate->is_closing = true;
    (void)uv_timer_start(&gate->timer, on_timer, LEAVE_MS, 0);
    check_left(gate);
}
