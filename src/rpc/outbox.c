/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/outbox_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/zmq.h"
#include "rpc/dispatch_internal.h"

enum {
    SLOTS = 4096, /* clients of the same hash share one */
};

struct colony__rpc_outbox {
    const struct colony_zmq *zmq;
    uint64_t seed; /* so that nobody chooses whose slot he shares */
    atomic_size_t all;
    atomic_size_t unread[SLOTS]; /* bytes; libzmq's thread takes away what was sent */
};

struct letter {
    struct colony__rpc_outbox *outbox;
    size_t slot;
    size_t size;
    char text[];
};

int colony__rpc_outbox_new(struct colony__rpc_outbox **out, const struct colony_zmq *zmq)
{
    struct colony__rpc_outbox *outbox = calloc(1, sizeof *outbox);

    if (!outbox)
        return -ENOMEM;
    if (getrandom(&outbox->seed, sizeof outbox->seed, 0) < 0) {
        free(outbox);
        return -EIO;
    }
    outbox->zmq = zmq;
    *out = outbox;
    return 0;
}

void colony__rpc_outbox_free(struct colony__rpc_outbox *outbox)
{
    free(outbox);
}

/* FNV-1a from a start that nobody knows. */
static size_t find_slot(const struct colony__rpc_outbox *outbox,
                        const struct colony__rpc_client_id *client)
{
    uint64_t hash = outbox->seed;

    for (size_t i = 0; i < client->size; i++)
        hash = (hash ^ client->bytes[i]) * 0x100000001b3U;
    return (size_t)(hash >> 32) % SLOTS;
}

/* On libzmq's thread. */
static void on_sent(void *data, void *hint)
{
    struct letter *letter = hint;

    (void)data;
    atomic_fetch_sub(&letter->outbox->unread[letter->slot], letter->size);
    atomic_fetch_sub(&letter->outbox->all, letter->size);
    free(letter);
}

static int make_letter(struct colony__rpc_outbox *outbox, zmq_msg_t *message, size_t slot,
                       const char *text, size_t size)
{
    size_t all = size + sizeof(struct letter);
    struct letter *letter;

    if (atomic_load(&outbox->unread[slot]) + all > COLONY__RPC_UNREAD_BYTES_MAX ||
        atomic_load(&outbox->all) + all > COLONY__RPC_ALL_UNREAD_BYTES_MAX)
        return -EAGAIN;
    letter = malloc(all);
    if (!letter)
        return -ENOMEM;
    memcpy(letter->text, text, size);
    letter->outbox = outbox;
    letter->slot = slot;
    letter->size = all;
    if (outbox->zmq->zmq_msg_init_data(message, letter->text, size, on_sent, letter) < 0) {
        free(letter);
        return -ENOMEM;
    }
    atomic_fetch_add(&outbox->unread[slot], all);
    atomic_fetch_add(&outbox->all, all);
    return 0;
}

int colony__rpc_outbox_send(struct colony__rpc_outbox *outbox, void *socket,
                            const struct colony__rpc_sender *to, const char *text, size_t size)
{
    const struct colony_zmq *zmq = outbox->zmq;
    zmq_msg_t message;
    int rc = make_letter(outbox, &message, find_slot(outbox, &to->client), text, size);

    if (rc < 0)
        return rc;
    if (zmq->zmq_send(socket, to->client.bytes, to->client.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        (to->has_delimiter && zmq->zmq_send(socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) ||
        zmq->zmq_msg_send(&message, socket, ZMQ_DONTWAIT) < 0) {
        rc = -errno;
        (void)zmq->zmq_msg_close(&message);
    }
    return rc;
}
