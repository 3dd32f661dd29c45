/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tls_wire_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "api/tls_internal.h"

/* Bytes on their way. */
struct packet {
    uv_write_t write;
    struct colony__buffer bytes;
    colony__tls_sent_cb cb;
    void *data;
};

static void on_written(uv_write_t *write, int status)
{
    struct packet *packet = write->data;
    colony__tls_sent_cb cb = packet->cb;
    void *data = packet->data;

    colony__buffer_clear(&packet->bytes);
    free(packet);
    cb(status, data);
}

/* An error shows again when it is written. */
static void send_now(struct colony__buffer *wire, uv_stream_t *stream)
{
    uv_buf_t buf = uv_buf_init(wire->data, (unsigned)wire->size);
    int sent = wire->size > 0 ? uv_try_write(stream, &buf, 1) : 0;

    if (sent <= 0)
        return;
    if ((size_t)sent == wire->size)
        colony__buffer_reset(wire);
    else
        colony__buffer_consume(wire, (size_t)sent);
}

int colony__tls_send(struct colony__tls *tls, uv_stream_t *stream, bool is_direct,
                     colony__tls_sent_cb cb, void *data)
{
    struct colony__buffer *wire = colony__tls_wire(tls);
    struct packet *packet;
    uv_buf_t buf;
    int rc;

    if (is_direct)
        send_now(wire, stream);
    if (wire->size == 0)
        return 0;
    packet = calloc(1, sizeof *packet);
    if (!packet)
        return -ENOMEM;
    packet->write.data = packet;
    packet->cb = cb;
    packet->data = data;
    packet->bytes = *wire;
    *wire = (struct colony__buffer){0};
    buf = uv_buf_init(packet->bytes.data, (unsigned)packet->bytes.size);
    rc = uv_write(&packet->write, stream, &buf, 1, on_written);
    if (rc == 0)
        return 1;
    colony__buffer_clear(&packet->bytes);
    free(packet);
    return rc;
}

void colony__tls_send_last(struct colony__tls *tls, uv_stream_t *stream)
{
    send_now(colony__tls_wire(tls), stream);
}
