/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handler_zmq.c - `zmq`: each event is a message on a PUB socket, sent by a thread of libzmq's.
 *
 * A subscriber that reads too slowly has a queue of its own, which is bounded. libzmq drops what
 * finds no room there and tells nobody; so it is first asked not to, which fails when somebody's
 * queue is full, and that is counted; then it is sent to all the others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/inbox_internal.h"
#include "api/json_internal.h"
#include "core/error.h"
#include "core/zmq.h"

enum {
    LINGER_MS = 100, /* how long its end may wait for what is still to be sent */
};

struct own {
    const struct colony_zmq *lib;
    void *context;
    void *socket;
};

static void close_own(struct own *own)
{
    if (own->socket)
        (void)own->lib->zmq_close(own->socket);
    if (own->context)
        (void)own->lib->zmq_ctx_term(own->context);
    free(own);
}

static int set(const struct own *own, int option, int value)
{
    return own->lib->zmq_setsockopt(own->socket, option, &value, sizeof value);
}

static int bind_socket(struct own *own, const struct colony_handler_settings *settings)
{
    own->context = colony_zmq_context_new(own->lib);
    if (!own->context)
        return -1;
    own->socket = own->lib->zmq_socket(own->context, ZMQ_PUB);
    if (!own->socket)
        return -1;
    if (set(own, ZMQ_SNDHWM, (int)settings->messages_max) < 0 ||
        set(own, ZMQ_LINGER, LINGER_MS) < 0 || set(own, ZMQ_IPV6, 1) < 0 ||
        set(own, ZMQ_XPUB_NODROP, 1) < 0)
        return -1;
    return own->lib->zmq_bind(own->socket, settings->socket);
}

static int check(const struct colony_handler_settings *settings, struct colony_error *err)
{
    const struct colony_zmq *lib;

    (void)settings;
    return colony_zmq_get(&lib, err);
}

static int open_handler(struct colony__stage *stage, struct colony_error *err)
{
    struct own *own = calloc(1, sizeof *own);
    char what[300];
    int rc = own ? colony_zmq_get(&own->lib, err) : -ENOMEM;

    if (!own)
        return colony_fail(err, rc, "cannot handle events: out of memory");
    if (rc < 0) {
        free(own);
        return rc;
    }
    if (bind_socket(own, stage->settings) < 0) {
        (void)snprintf(what, sizeof what, "cannot bind %.200s", stage->settings->socket);
        rc = colony_zmq_fail(own->lib, err, what);
        close_own(own);
        return rc;
    }
    stage->own = own;
    return 0;
}

/* False: not everybody got it. */
static bool send_text(const struct own *own, const struct colony__buffer *text, int *rc)
{
    *rc = own->lib->zmq_send(own->socket, text->data, text->size, ZMQ_DONTWAIT);
    if (*rc >= 0 || errno != EAGAIN)
        return true;
    (void)set(own, ZMQ_XPUB_NODROP, 0);
    *rc = own->lib->zmq_send(own->socket, text->data, text->size, ZMQ_DONTWAIT);
    (void)set(own, ZMQ_XPUB_NODROP, 1);
    return false;
}

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    const struct own *own = stage->own;
    struct colony__buffer text = {0};
    int rc = colony__stage_text(stage, event, &text);

    if (rc < 0) {
        colony__stage_failed(stage, event, "out of memory");
        return 1;
    }
    if (!send_text(own, &text, &rc))
        stage->counts.dropped++;
    if (rc < 0)
        colony__stage_failed(stage, event, "cannot publish it: %s", own->lib->zmq_strerror(errno));
    colony__buffer_clear(&text);
    return 1;
}

static void close_handler(struct colony__stage *stage)
{
    close_own(stage->own);
    stage->own = NULL;
}

const struct colony__handler_kind colony__handler_zmq = {
    .check = check,
    .open = open_handler,
    .handle = handle,
    .close = close_handler,
};
