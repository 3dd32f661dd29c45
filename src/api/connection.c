/* SPDX-License-Identifier: Apache-2.0 */
#include "api/connection_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/response_internal.h"
#include "api/route_internal.h"
#include "api/server_internal.h"
#include "core/error.h"
#include "core/log.h"

enum {
    PENDING_MAX = 2 * COLONY__READ_SIZE, /* reading pauses at half of it */
    IDLE_MS = 75000,
    LINGER_MS = 2000,
    STALL_MS = 60000, /* an answer of which nothing is taken for so long */
};

static void set_deadline(struct colony__connection *connection, uint64_t ms)
{
    connection->deadline_ms = ms ? uv_now(connection->server->loop) + ms : 0;
    if (ms)
        colony__server_schedule(connection->server, connection->deadline_ms);
}

/* The one place that assigns the phase. */
static void enter(struct colony__connection *connection, enum colony__phase phase)
{
    const uint64_t limits_ms[PHASE_COUNT] = {
        [PHASE_READING] = connection->server->request_ms_max,
        [PHASE_IDLE] = IDLE_MS,
        [PHASE_LINGERING] = LINGER_MS,
    };

    if (connection->phase == PHASE_CLOSED)
        return;
    connection->phase = phase;
    set_deadline(connection, limits_ms[phase]);
    colony__server_check_left(connection->server);
}

void colony__connection_drop_source(struct colony__connection *connection)
{
    const struct colony__source *source = connection->source;

    connection->source = NULL;
    if (source)
        source->closed(connection->source_data);
}

static void on_closed(uv_handle_t *handle)
{
    struct colony__connection *connection = handle->data;
    struct colony__server *server = connection->server;

    colony__parser_clear(&connection->parser);
    colony__buffer_clear(&connection->pending);
    colony__buffer_clear(&connection->out);
    colony__buffer_clear(&connection->flight);
    if (connection->seal)
        connection->seal->free(connection);
    colony__server_remove(server, connection); /* the server may be gone after this */
    free(connection);
}

void colony__connection_close(struct colony__connection *connection)
{
    if (connection->phase == PHASE_CLOSED)
        return;
    if (connection->seal)
        connection->seal->end(connection);
    enter(connection, PHASE_CLOSED);
    colony__connection_drop_source(connection);
    colony__connection_drop_duplex(connection);
    uv_close(&connection->wire.handle, on_closed);
}

/* The answer that takes neither memory nor a descriptor. */
void colony__connection_refuse_fd(const struct colony__server *server, int fd)
{
    static const char refusal[] =
        "{\"error\":\"unavailable\",\"reason\":\"cannot serve you: colony "
        "is out of memory or descriptors, try again\"}\n";
    const char *body = server->routes->exhausted ? server->routes->exhausted : refusal;
    char answer[512];
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 503 Service Unavailable\r\n"
                        "Content-Type: application/json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        strlen(body), body);

    if (size > 0 && (size_t)size < sizeof answer)
        (void)send(fd, answer, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void colony__connection_give_up(struct colony__connection *connection)
{
    bool is_silent = !connection->is_writing && !connection->is_sent &&
                     (connection->phase == PHASE_READING || connection->phase == PHASE_ANSWERING);
    uv_os_fd_t fd;

    if (is_silent && !connection->seal && uv_fileno(&connection->wire.handle, &fd) == 0)
        colony__connection_refuse_fd(connection->server, fd);
    colony__connection_close(connection);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct colony__connection *connection = handle->data;

    (void)suggested;
    if (connection->seal)
        *buf = uv_buf_init(connection->server->read_buffer + COLONY__HALF_SIZE, COLONY__HALF_SIZE);
    else
        *buf = uv_buf_init(connection->server->read_buffer, COLONY__READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct colony__connection *connection = stream->data;

    if (size > 0 && connection->seal)
        connection->seal->take(connection, buf->base, (size_t)size);
    else if (size > 0)
        colony__connection_take_bytes(connection, buf->base, (size_t)size);
    else if (size == UV_EOF)
        colony__connection_take_eof(connection);
    else if (size < 0)
        colony__connection_close(connection);
}

void colony__connection_set_reading(struct colony__connection *connection, bool is_reading)
{
    if (connection->is_reading == is_reading || connection->has_eof ||
        connection->phase == PHASE_CLOSED)
        return;
    connection->is_reading = is_reading;
    if (!is_reading)
        (void)uv_read_stop(&connection->wire.stream);
    else if (uv_read_start(&connection->wire.stream, on_alloc, on_read) < 0)
        colony__connection_close(connection);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct colony__connection *connection = request->data;

    if (status < 0 || connection->has_eof)
        colony__connection_close(connection);
}

/* Closing with unread bytes would reset the connection and may destroy the answer on its way. */
void colony__connection_linger(struct colony__connection *connection)
{
    enter(connection, PHASE_LINGERING);
    colony__buffer_clear(&connection->pending);
    if (connection->seal)
        connection->seal->say_goodbye(connection);
    colony__connection_set_reading(connection, true);
    if (connection->phase == PHASE_LINGERING &&
        uv_shutdown(&connection->shutdown, &connection->wire.stream, on_shutdown) < 0)
        colony__connection_close(connection);
}

static void begin_answer(struct colony__connection *connection, bool keeps_alive)
{
    enter(connection, PHASE_ANSWERING);
    connection->allowed = 0;
    connection->retry_after_s = 0;
    connection->cors_origin = NULL;
    connection->is_chunked = false;
    connection->is_begun = false;
    connection->is_sent = false;
    connection->is_ended = false;
    connection->keeps_alive = keeps_alive && !connection->server->is_stopped;
}

static void answer_failure(struct colony__connection *connection,
                           const struct colony__failure *failure)
{
    begin_answer(connection, false);
    colony__respond_failure(connection, failure->status, failure->word, failure->reason);
}

/* Keeps those of the @size bytes at @data that the parser has not @used. False: no memory. */
static bool keep_rest(struct colony__connection *connection, const char *data, size_t size,
                      size_t used)
{
    struct colony__buffer *pending = &connection->pending;

    if (data != pending->data)
        return colony__buffer_append(pending, data + used, size - used, PENDING_MAX) == 0;
    colony__buffer_consume(pending, used);
    return true;
}

/* Who needs a token and has none is told so before the body is read. */
static bool is_unknown(struct colony__connection *connection)
{
    return colony__access_check_token(connection->server->access, &connection->peer,
                                      &connection->parser.request, NULL) < 0;
}

/* @data is what was just read, or all that is pending. */
static void parse(struct colony__connection *connection, const char *data, size_t size)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static const struct colony__failure unauthorized = {
        401, "unauthorized", "cannot read the request: its token is missing or not known here"};
    struct colony__parser *parser = &connection->parser;
    size_t used = 0;
    enum colony__parse result;

    if (connection->phase == PHASE_IDLE)
        enter(connection, PHASE_READING);
    result = colony__parser_feed(parser, data, size, &used);
    if (!keep_rest(connection, data, size, used)) {
        colony__connection_close(connection);
        return;
    }
    if (result == PARSE_FAILED) {
        answer_failure(connection, &parser->failure);
    } else if (result == PARSE_MORE && parser->has_head && is_unknown(connection)) {
        answer_failure(connection, &unauthorized);
    } else if (result == PARSE_DONE) {
        begin_answer(connection, parser->keeps_alive);
        colony__server_dispatch(connection->server, connection);
    } else if (parser->wants_continue) {
        parser->wants_continue = false;
        if (colony__connection_write(connection, go_on, sizeof go_on - 1) < 0)
            colony__connection_close(connection);
        colony__connection_flush(connection);
    }
}

static void end_request(struct colony__connection *connection);

static bool is_answered(const struct colony__connection *connection)
{
    return connection->phase == PHASE_ANSWERING && connection->is_ended && !connection->is_writing;
}

/*
 * All that comes from the wire passes here; TLS has opened it. Nothing is pending unless a request
 * is being answered.
 */
void colony__connection_take_bytes(struct colony__connection *connection, const char *data,
                                   size_t size)
{
    if (connection->phase == PHASE_LINGERING || connection->phase == PHASE_CLOSED)
        return;
    if (connection->duplex) {
        colony__connection_take_upgraded(connection, data, size);
        return;
    }
    if (connection->phase == PHASE_ANSWERING) {
        if (colony__buffer_append(&connection->pending, data, size, PENDING_MAX) < 0)
            colony__connection_give_up(connection);
    } else {
        connection->is_direct = true;
        parse(connection, data, size);
        connection->is_direct = false;
        if (is_answered(connection))
            end_request(connection);
    }
    colony__connection_set_reading(connection, connection->pending.size < COLONY__READ_SIZE);
}

void colony__connection_take_eof(struct colony__connection *connection)
{
    bool is_answering = connection->phase == PHASE_ANSWERING;

    colony__connection_set_reading(connection, false);
    connection->has_eof = true;
    if (connection->duplex && connection->pending.size > 0)
        return; /* what it said before is heard first */
    /* Who has asked and closed only its own side still gets the answer. */
    if (!is_answering || (connection->source && connection->source->is_patient))
        colony__connection_close(connection);
}

/* The answer is sent: the next request's turn. */
static void end_request(struct colony__connection *connection)
{
    bool is_last;

    colony__connection_drop_source(connection); /* which may stop or close the server */
    colony__connection_drop_duplex(connection);
    is_last = !connection->keeps_alive || connection->server->is_stopped ||
              (connection->has_eof && connection->pending.size == 0);
    colony__parser_next(&connection->parser);
    connection->is_sent = false;
    connection->is_ended = false;
    if (is_last) {
        colony__connection_linger(connection);
        return;
    }
    enter(connection, PHASE_IDLE);
    if (connection->pending.size > 0)
        parse(connection, connection->pending.data, connection->pending.size);
    colony__connection_set_reading(connection, connection->pending.size < COLONY__READ_SIZE);
    if (connection->has_eof && connection->phase == PHASE_READING)
        colony__connection_close(connection); /* half a request, and no more will come */
}

void colony__connection_watch_stall(struct colony__connection *connection)
{
    bool is_patient = connection->source && connection->source->is_patient;

    if (connection->phase != PHASE_ANSWERING)
        return;
    connection->stalled_size = uv_stream_get_write_queue_size(&connection->wire.stream);
    set_deadline(connection, is_patient ? 0 : STALL_MS);
}

void colony__connection_take_written(struct colony__connection *connection, int status)
{
    connection->is_writing = false;
    if (connection->phase == PHASE_CLOSED)
        return;
    colony__buffer_reset(&connection->flight);
    if (status < 0) {
        colony__connection_close(connection);
        return;
    }
    if (connection->phase == PHASE_ANSWERING)
        set_deadline(connection, 0);
    if (connection->out.size > 0)
        colony__connection_flush(connection);
    else if (connection->is_ended)
        end_request(connection);
    else if (connection->source && connection->source->writable)
        connection->source->writable(connection, connection->source_data);
    colony__connection_resume(connection);
}

static void on_written(uv_write_t *request, int status)
{
    colony__connection_take_written(request->data, status);
}

/*
 * All that goes to the wire passes here; TLS seals it first. 0 when it is all sent, 1 when
 * colony__connection_take_written() will be told.
 *
 * An answer that its handler gives at once mostly fits into the socket, and uv_write() costs more
 * system calls than the write. Pipelined requests are left to it: others get their turn meanwhile.
 */
static int send_bytes(struct colony__connection *connection)
{
    uv_stream_t *stream = &connection->wire.stream;
    uv_buf_t buf = uv_buf_init(connection->flight.data, (unsigned)connection->flight.size);
    int sent = 0;
    int rc;

    colony_log_flush(); /* who gets an answer finds in the log what it is about */
    if (connection->seal)
        return connection->seal->send(connection);
    if (connection->is_direct && connection->is_ended)
        sent = uv_try_write(stream, &buf, 1);
    if (sent > 0) { /* else an error shows again */
        buf.base += sent;
        buf.len -= (size_t)sent;
    }
    if (buf.len == 0)
        return 0;
    rc = uv_write(&connection->write, stream, &buf, 1, on_written);
    return rc < 0 ? rc : 1;
}

void colony__connection_flush(struct colony__connection *connection)
{
    struct colony__buffer sent = connection->flight;
    int rc;

    if (connection->is_writing || connection->out.size == 0 || connection->phase == PHASE_CLOSED)
        return;
    connection->flight = connection->out;
    connection->out = sent;
    connection->is_sent = true;
    rc = send_bytes(connection);
    connection->is_writing = rc > 0;
    if (rc < 0)
        colony__connection_close(connection);
    else if (rc > 0)
        colony__connection_watch_stall(connection);
    else
        colony__buffer_reset(&connection->flight);
}

int colony__connection_write(struct colony__connection *connection, const void *data, size_t size)
{
    return colony__buffer_append(&connection->out, data, size, COLONY__ANSWER_MAX);
}

void colony__connection_end(struct colony__connection *connection)
{
    if (connection->phase == PHASE_CLOSED)
        return;
    connection->is_ended = true;
    colony__connection_flush(connection);
    if (is_answered(connection) && !connection->is_direct)
        end_request(connection); /* a stream without chunks has nothing left to send */
}

void colony__connection_set_source(struct colony__connection *connection,
                                   const struct colony__source *source, void *data)
{
    connection->source = source;
    connection->source_data = data;
    if (source && source->is_patient && connection->has_eof)
        colony__connection_close(connection);
}

void colony__connection_set_timeout(struct colony__connection *connection, uint64_t ms)
{
    if (connection->phase == PHASE_ANSWERING && !connection->is_writing)
        set_deadline(connection, ms);
}

void colony__connection_expire(struct colony__connection *connection)
{
    static const struct colony__failure too_slow = {408, "timeout",
                                                    "cannot wait any longer for the request"};
    size_t unsent = uv_stream_get_write_queue_size(&connection->wire.stream);

    connection->deadline_ms = 0;
    if (connection->phase == PHASE_READING && connection->parser.head_bytes > 0) {
        answer_failure(connection, &too_slow);
        return;
    }
    if (connection->phase != PHASE_ANSWERING ||
        (connection->is_writing && unsent >= connection->stalled_size)) {
        colony__connection_close(connection);
        return;
    }
    if (connection->is_writing)
        colony__connection_watch_stall(connection);
    else if (connection->source && connection->source->timed_out)
        connection->source->timed_out(connection, connection->source_data);
}

void colony__connection_retire(struct colony__connection *connection)
{
    const struct colony__source *source = connection->source;
    bool is_patient = source && source->is_patient;

    connection->keeps_alive = false;
    if (connection->duplex && !connection->is_ended)
        connection->duplex->retired(connection, connection->duplex_data);
    else if (is_patient && source->timed_out && !connection->is_begun)
        source->timed_out(connection, connection->source_data);
    else if (is_patient || connection->phase == PHASE_IDLE)
        colony__connection_close(connection);
}

static int open_wire(struct colony__connection *connection, int fd)
{
    int rc;

    if (connection->peer.is_unix)
        return uv_pipe_open(&connection->wire.pipe, fd);
    rc = uv_tcp_open(&connection->wire.tcp, fd);
    if (rc < 0)
        return rc;
    (void)uv_tcp_nodelay(&connection->wire.tcp, 1);
    (void)uv_tcp_keepalive(&connection->wire.tcp, 1, 60);
    return 0;
}

int colony__connection_new(struct colony__connection **out, struct colony__server *server, int fd,
                           const struct colony__peer *peer, bool is_refused)
{
    struct colony__connection *connection = calloc(1, sizeof *connection);
    int rc;

    if (!connection) {
        if (!peer->is_tls)
            colony__connection_refuse_fd(server, fd);
        (void)close(fd);
        return -ENOMEM;
    }
    rc = peer->is_unix ? uv_pipe_init(server->loop, &connection->wire.pipe, 0)
                       : uv_tcp_init(server->loop, &connection->wire.tcp);
    if (rc < 0) {
        free(connection);
        (void)close(fd);
        return rc;
    }
    connection->wire.handle.data = connection;
    connection->write.data = connection;
    connection->shutdown.data = connection;
    connection->server = server;
    connection->peer = *peer;
    connection->is_refused = is_refused;
    colony__parser_init(&connection->parser, server->head_max, server->body_max);
    connection->parser.needs_length = server->routes->needs_length;
    colony__server_add(server, connection);
    rc = open_wire(connection, fd);
    if (rc < 0) {
        if (!peer->is_tls)
            colony__connection_refuse_fd(server, fd);
        (void)close(fd);
        colony__connection_close(connection);
        return rc;
    }
    if (is_refused) {
        begin_answer(connection, false);
    } else {
        enter(connection, PHASE_READING);
        colony__connection_set_reading(connection, true);
    }
    *out = connection;
    return 0;
}
