/* SPDX-License-Identifier: Apache-2.0 */
/* connection_tls.c - what a connection with TLS does otherwise: between its bytes and the wire. */
#include <errno.h>

#include "api/connection_internal.h"
#include "api/server_internal.h"
#include "api/tls_internal.h"
#include "api/tls_wire_internal.h"

/* An answer that is cut off must not look as if it had been its end. */
static void end(struct colony__connection *connection)
{
    if (connection->phase != PHASE_ANSWERING)
        colony__tls_end(connection->tls);
    colony__tls_send_last(connection->tls, &connection->wire.stream);
}

static void on_words_sent(int status, void *data)
{
    if (status < 0)
        colony__connection_close(data);
}

/* What TLS itself has to say: of the handshake, of keys, goodbye. */
static void send_words(struct colony__connection *connection)
{
    uv_stream_t *stream = &connection->wire.stream;

    if (connection->phase != PHASE_CLOSED &&
        (colony__tls_send(connection->tls, stream, true, on_words_sent, connection) < 0 ||
         uv_stream_get_write_queue_size(stream) > COLONY__TLS_BACKLOG))
        colony__connection_close(connection);
}

/* Who is not being answered stays long enough to hear why. */
static void end_broken(struct colony__connection *connection)
{
    if (connection->phase == PHASE_READING || connection->phase == PHASE_IDLE)
        colony__connection_linger(connection);
    else
        colony__connection_close(connection);
}

#define PLAIN                                                                                      \
    "{\"error\":\"bad_value\",\"reason\":\"cannot read the request: TLS is spoken here, ask "      \
    "https://\"}\n"

/* To who speaks HTTP where TLS is spoken. */
static void refuse_plain(struct colony__connection *connection)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: 91\r\nConnection: close\r\n\r\n" PLAIN;
    uv_buf_t buf = uv_buf_init((char *)answer, sizeof answer - 1);

    _Static_assert(sizeof PLAIN - 1 == 91, "the length that is told");
    (void)uv_try_write(&connection->wire.stream, &buf, 1);
    end_broken(connection);
}

static void take(struct colony__connection *connection, const char *data, size_t size)
{
    char *plain = connection->server->read_buffer;
    ssize_t count;

    if (connection->phase == PHASE_LINGERING)
        return; /* it comes too late */
    colony__tls_feed(connection->tls, data, size);
    do {
        count = colony__tls_open(connection->tls, plain, COLONY__HALF_SIZE);
        if (count > 0)
            colony__connection_take_bytes(connection, plain, (size_t)count);
    } while (count > 0 && connection->phase != PHASE_CLOSED);
    send_words(connection);
    if (count == -EPROTONOSUPPORT)
        refuse_plain(connection);
    else if (count == -ESHUTDOWN)
        colony__connection_take_eof(connection);
    else if (count < 0)
        end_broken(connection);
}

static int send_piece(struct colony__connection *connection);

static void on_piece_sent(int status, void *data)
{
    struct colony__connection *connection = data;

    if (status == 0 && connection->phase != PHASE_CLOSED &&
        connection->sealed_size < connection->flight.size) {
        status = send_piece(connection);
        if (status > 0) {
            colony__connection_watch_stall(connection);
            return;
        }
    }
    colony__connection_take_written(connection, status);
}

/* An answer is sealed piece by piece: as a whole it would be there twice. */
static int send_piece(struct colony__connection *connection)
{
    const struct colony__buffer *flight = &connection->flight;
    bool is_direct = connection->is_direct && connection->is_ended;
    int rc;

    do {
        size_t left = flight->size - connection->sealed_size;
        size_t size = left < COLONY__TLS_PIECE ? left : COLONY__TLS_PIECE;

        rc = colony__tls_seal(connection->tls, flight->data + connection->sealed_size, size);
        if (rc < 0)
            return rc;
        connection->sealed_size += size;
        rc = colony__tls_send(connection->tls, &connection->wire.stream, is_direct, on_piece_sent,
                              connection);
    } while (rc == 0 && connection->sealed_size < flight->size);
    return rc;
}

static int send_flight(struct colony__connection *connection)
{
    connection->sealed_size = 0;
    return send_piece(connection);
}

static void say_goodbye(struct colony__connection *connection)
{
    colony__tls_end(connection->tls);
    send_words(connection);
}

static void free_tls(struct colony__connection *connection)
{
    colony__tls_free(connection->tls);
}

static const struct colony__seal tls_seal = {
    .take = take,
    .send = send_flight,
    .say_goodbye = say_goodbye,
    .end = end,
    .free = free_tls,
};

void colony__connection_secure(struct colony__connection *connection,
                               struct colony__tls_context *context)
{
    if (context && colony__tls_new(&connection->tls, context) == 0)
        connection->seal = &tls_seal;
    else
        colony__connection_close(connection);
}
