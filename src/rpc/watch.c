/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/watch_internal.h"

#include <errno.h>

#include "core/error.h"
#include "core/zmq.h"

enum {
    TAKEN_PER_TURN = 64,
    HANDLES = 2,
};

static bool has_message(const struct colony__rpc_watch *watch)
{
    int events = 0;
    size_t size = sizeof events;

    return watch->zmq->zmq_getsockopt(watch->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN);
}

static void on_idle(uv_idle_t *idle);

static void take_some(struct colony__rpc_watch *watch)
{
    bool has_more = has_message(watch);

    watch->is_taking = true;
    for (int i = 0; has_more && i < TAKEN_PER_TURN; i++) {
        watch->take(watch->data);
        if (uv_is_closing((uv_handle_t *)&watch->idle))
            return;
        has_more = has_message(watch);
    }
    watch->is_taking = false;
    if (has_more)
        (void)uv_idle_start(&watch->idle, on_idle);
    else
        (void)uv_idle_stop(&watch->idle);
}

static void on_idle(uv_idle_t *idle)
{
    take_some(idle->data);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_some(poll->data);
}

int colony__rpc_watch_start(struct colony__rpc_watch *watch, uv_loop_t *loop,
                            struct colony_error *err)
{
    int fd = -1;
    size_t size = sizeof fd;
    int rc;

    if (watch->zmq->zmq_getsockopt(watch->socket, ZMQ_FD, &fd, &size) < 0)
        return colony_zmq_fail(watch->zmq, err, "cannot serve RPC");
    rc = uv_poll_init(loop, &watch->poll, fd);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot serve RPC");
    (void)uv_idle_init(loop, &watch->idle);
    watch->poll.data = watch;
    watch->idle.data = watch;
    (void)uv_poll_start(&watch->poll, UV_READABLE, on_event); /* fails only while it is closing */
    (void)uv_idle_start(&watch->idle, on_idle);               /* what came before is not told */
    return 0;
}

void colony__rpc_watch_check(struct colony__rpc_watch *watch)
{
    if (!watch->is_taking && !uv_is_closing((uv_handle_t *)&watch->idle) && has_message(watch))
        (void)uv_idle_start(&watch->idle, on_idle);
}

static void on_closed(uv_handle_t *handle)
{
    struct colony__rpc_watch *watch = handle->data;

    if (++watch->closed_count == HANDLES)
        watch->closed(watch->data);
}

void colony__rpc_watch_close(struct colony__rpc_watch *watch, void (*closed)(void *data))
{
    watch->closed = closed;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    uv_close((uv_handle_t *)&watch->idle, on_closed);
}
