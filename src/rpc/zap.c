/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/zap_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/zmq.h"
#include "rpc/curve.h"
#include "rpc/watch_internal.h"

enum {
    PART_MAX = 255,
    RAW_KEY_SIZE = 32,
};

/* The parts of a request that matter, by their places in it. */
enum part {
    PART_SENDER,
    PART_DELIMITER,
    PART_VERSION,
    PART_ID,
    PART_DOMAIN,
    PART_ADDRESS,
    PART_ROUTING_ID,
    PART_MECHANISM,
    PART_KEY,
    PART_COUNT,
};

struct request {
    size_t count;
    struct {
        size_t size;
        char bytes[PART_MAX];
    } parts[PART_COUNT];
};

struct colony__rpc_zap {
    struct colony__rpc_watch watch;
    const struct colony_zmq *zmq;
    const struct colony_rpc_curve *curve;
    void (*closed_cb)(void *data);
    void *closed_data;
};

static void read_request(const struct colony__rpc_zap *zap, struct request *request)
{
    const struct colony_zmq *zmq = zap->zmq;
    bool has_more = true;
    zmq_msg_t part;

    while (has_more) {
        size_t size;

        if (zmq->zmq_msg_init(&part) < 0 ||
            zmq->zmq_msg_recv(&part, zap->watch.socket, ZMQ_DONTWAIT) < 0)
            break;
        size = zmq->zmq_msg_size(&part);
        if (request->count < PART_COUNT && size <= PART_MAX) {
            request->parts[request->count].size = size;
            memcpy(request->parts[request->count].bytes, zmq->zmq_msg_data(&part), size);
        }
        request->count++;
        has_more = zmq->zmq_msg_more(&part);
        (void)zmq->zmq_msg_close(&part);
    }
}

/* Who that is, or NULL: it may not connect. */
static const struct colony_rpc_peer *judge(const struct colony__rpc_zap *zap,
                                           const struct request *request)
{
    char key[COLONY_RPC_KEY_SIZE];

    if (request->count != PART_COUNT || request->parts[PART_MECHANISM].size != 5 ||
        memcmp(request->parts[PART_MECHANISM].bytes, "CURVE", 5) != 0 ||
        request->parts[PART_KEY].size != RAW_KEY_SIZE ||
        !zap->zmq->zmq_z85_encode(key, (const uint8_t *)request->parts[PART_KEY].bytes,
                                  RAW_KEY_SIZE))
        return NULL;
    return colony_rpc_curve_find(zap->curve, key);
}

static void on_request(void *data)
{
    struct colony__rpc_zap *zap = data;
    struct request request = {0};
    const struct colony_rpc_peer *peer;
    const char *texts[4] = {"400", "this key may not connect", "", ""};
    int rc = 0;

    read_request(zap, &request);
    if (request.count <= PART_ID)
        return;
    peer = judge(zap, &request);
    if (peer) {
        texts[0] = "200";
        texts[1] = "OK";
        texts[2] = peer->name;
    }
    for (int i = PART_SENDER; i <= PART_ID && rc >= 0; i++)
        rc = zap->zmq->zmq_send(zap->watch.socket, request.parts[i].bytes, request.parts[i].size,
                                ZMQ_SNDMORE | ZMQ_DONTWAIT);
    for (size_t i = 0; i < 4 && rc >= 0; i++)
        rc = zap->zmq->zmq_send(zap->watch.socket, texts[i], strlen(texts[i]),
                                (i < 3 ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT);
}

int colony__rpc_zap_new(struct colony__rpc_zap **out, const struct colony__rpc_zap_options *options,
                        struct colony_error *err)
{
    const struct colony_zmq *zmq = options->zmq;
    struct colony__rpc_zap *zap = calloc(1, sizeof *zap);
    int rc = 0;

    if (!zap)
        return colony_fail_os(err, -ENOMEM, "cannot serve RPC");
    zap->zmq = zmq;
    zap->curve = options->curve;
    zap->watch = (struct colony__rpc_watch){.zmq = zmq, .take = on_request, .data = zap};
    zap->watch.socket = zmq->zmq_socket(options->context, ZMQ_ROUTER);
    if (!zap->watch.socket || zmq->zmq_bind(zap->watch.socket, "inproc://zeromq.zap.01") < 0)
        rc = colony_zmq_fail(zmq, err, "cannot serve RPC with keys");
    if (rc == 0)
        rc = colony__rpc_watch_start(&zap->watch, options->loop, err);
    if (rc == 0) {
        *out = zap;
        return 0;
    }
    if (zap->watch.socket)
        (void)zmq->zmq_close(zap->watch.socket);
    free(zap);
    return rc;
}

static void on_watch_closed(void *data)
{
    struct colony__rpc_zap *zap = data;
    void (*cb)(void *data) = zap->closed_cb;
    void *closed_data = zap->closed_data;

    free(zap);
    cb(closed_data);
}

void colony__rpc_zap_close(struct colony__rpc_zap *zap, void (*cb)(void *data), void *data)
{
    zap->closed_cb = cb;
    zap->closed_data = data;
    colony__rpc_watch_close(&zap->watch, on_watch_closed);
    (void)zap->zmq->zmq_close(zap->watch.socket);
}
