/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection_internal.h - one client: reads requests, answers them in order, one at a time.
 *
 * Handlers use the functions of response_internal.h; the fields are for connection.c, response.c
 * and server.c. A connection belongs to its server and frees itself after
 * colony__connection_close(), never inside that call.
 */
#ifndef COLONY_API_CONNECTION_INTERNAL_H
#define COLONY_API_CONNECTION_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "api/access_internal.h"
#include "api/buffer_internal.h"
#include "api/parser_internal.h"

struct colony__connection;
struct colony__server;
struct colony__tls;
struct colony__tls_context;

enum colony__phase {
    PHASE_READING,   /* a request, or waiting for the first one */
    PHASE_IDLE,      /* between two requests */
    PHASE_ANSWERING, /* a handler has the request, until the answer is sent */
    PHASE_LINGERING, /* said goodbye; reads on, so that the answer isn't lost by a reset */
    PHASE_CLOSED,
    PHASE_COUNT,
};

/*
 * Where an answer comes from that takes longer than one call. `closed` is called exactly once,
 * when the connection needs it no more: also from inside any call that writes or ends the answer.
 */
struct colony__source {
    void (*writable)(struct colony__connection *connection, void *data); /* all was sent */
    void (*timed_out)(struct colony__connection *connection, void *data);
    void (*closed)(void *data);
    bool is_patient; /* may last for ever: a slow reader is waited for; ends when the peer hangs up
                      */
};

/*
 * Who has the bytes of a connection that speaks HTTP no more (WebSockets), while its source has the
 * other direction.
 */
struct colony__duplex {
    /*
     * Returns how many bytes it took: what it left comes again with colony__connection_resume().
     * @size may be 0: then all that was queued to be sent is sent.
     */
    size_t (*received)(struct colony__connection *connection, const char *bytes, size_t size,
                       void *data);
    void (*retired)(struct colony__connection *connection, void *data); /* to say goodbye */
    void (*closed)(void *data); /* exactly once, after that of the source */
};

/* What a connection does otherwise whose bytes are sealed on the wire. */
struct colony__seal {
    void (*take)(struct colony__connection *connection, const char *data, size_t size);
    /* Seals what is in flight and sends it: as send_bytes(). */
    int (*send)(struct colony__connection *connection);
    void (*say_goodbye)(struct colony__connection *connection);
    /* The last words before it is closed. */
    void (*end)(struct colony__connection *connection);
    void (*free)(struct colony__connection *connection);
};

struct colony__connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } wire;
    struct colony__server *server;
    struct colony__connection *next;
    struct colony__connection *previous;
    struct colony__peer peer;
    enum colony__phase phase;
    uint64_t deadline_ms; /* of the loop's clock; 0: none */
    struct colony__parser parser;
    struct colony__buffer pending;   /* read and not yet parsed */
    struct colony__buffer out;       /* to be sent */
    struct colony__buffer flight;    /* being sent */
    const struct colony__seal *seal; /* between all of these and the wire; NULL: nothing is */
    struct colony__tls *tls;         /* the seal's */
    size_t sealed_size;              /* the seal's: of what is in flight, sealed so far */
    size_t stalled_size;             /* unsent bytes when the deadline was set */
    const struct colony__source *source;
    void *source_data;
    const struct colony__duplex *duplex; /* NULL: requests are read */
    void *duplex_data;
    unsigned allowed;        /* methods for the Allow header; 0: none */
    unsigned retry_after_s;  /* for the Retry-After header; 0: none */
    const char *cors_origin; /* who may read the answer, or NULL */
    bool is_refused;         /* told so and closed: counted apart */
    bool has_eof;
    bool is_reading;
    bool is_direct; /* a handler is called for bytes that were just read */
    bool is_writing;
    bool is_chunked;
    bool is_begun; /* the head of the answer is written */
    bool is_sent;  /* some of the answer may be on the wire */
    bool is_ended; /* the answer is complete, but perhaps not sent */
    bool keeps_alive;
    uv_write_t write;
    uv_shutdown_t shutdown;
};

/* Takes ownership of @fd, also on failure. Begins to read unless @is_refused. */
int colony__connection_new(struct colony__connection **out, struct colony__server *server, int fd,
                           const struct colony__peer *peer, bool is_refused);

/* connection_tls.c: it speaks TLS from its first byte on. Closes it, with nothing said, if that
 * cannot be had. */
void colony__connection_secure(struct colony__connection *connection,
                               struct colony__tls_context *context);

/* At once, unsent bytes are lost. May be called again. */
void colony__connection_close(struct colony__connection *connection);

/* Closes it for want of memory, and says so (503) unless some of an answer is on its way. */
void colony__connection_give_up(struct colony__connection *connection);

/* Says so to a client of @server that no connection can be made for. Does not close @fd. */
void colony__connection_refuse_fd(const struct colony__server *server, int fd);

/*
 * Closes it unless a request is being read or answered; that one will be the last. Whoever has
 * just come has a request on its way, and who only waits is told that this is over.
 */
void colony__connection_retire(struct colony__connection *connection);

/* The deadline is over. */
void colony__connection_expire(struct colony__connection *connection);

/* Calls source->timed_out in @ms (0: never) unless something is sent meanwhile. */
void colony__connection_set_timeout(struct colony__connection *connection, uint64_t ms);

/* The answer is going to come from @source, which keeps @data. */
void colony__connection_set_source(struct colony__connection *connection,
                                   const struct colony__source *source, void *data);

/* Queues a copy. -EMSGSIZE, -ENOMEM. */
int colony__connection_write(struct colony__connection *connection, const void *data, size_t size);

/* Sends what is queued. */
void colony__connection_flush(struct colony__connection *connection);

/* The answer is complete: the next request's turn comes once it is sent. */
void colony__connection_end(struct colony__connection *connection);

/* connection_upgrade.c: */

/* What is read from now on goes to @duplex, which keeps @data; what has come already with resume.
 */
void colony__connection_upgrade(struct colony__connection *connection,
                                const struct colony__duplex *duplex, void *data);
/* Gives its duplex what it had left; reads on when it takes all of that. */
void colony__connection_resume(struct colony__connection *connection);
/* Ends it once all that is queued is sent; its source may add no more. */
void colony__connection_hang_up(struct colony__connection *connection);
/* For connection.c: */
void colony__connection_take_upgraded(struct colony__connection *connection, const char *data,
                                      size_t size);
void colony__connection_drop_duplex(struct colony__connection *connection);

/* connection.c, for connection_tls.c and connection_upgrade.c: */
void colony__connection_set_reading(struct colony__connection *connection, bool is_reading);
void colony__connection_drop_source(struct colony__connection *connection);
void colony__connection_take_bytes(struct colony__connection *connection, const char *data,
                                   size_t size);
void colony__connection_take_eof(struct colony__connection *connection);
/* What was in flight is sent, or could not be. */
void colony__connection_take_written(struct colony__connection *connection, int status);
void colony__connection_watch_stall(struct colony__connection *connection);
void colony__connection_linger(struct colony__connection *connection);

#endif
