/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response_internal.h - how handlers answer.
 *
 * A handler answers once: with one colony__respond…(), or with colony__stream_begin() … _end().
 * An answer that cannot be queued closes the connection, so callers need not look.
 */
#ifndef COLONY_API_RESPONSE_INTERNAL_H
#define COLONY_API_RESPONSE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony__connection;
struct colony__json;
struct colony__source;
struct colony_engine;
struct colony_error;

/* NULL in servers without an engine. */
struct colony_engine *colony__connection_engine(struct colony__connection *connection);
/* Who asks, for the engine's records: "uid 1000 over TCP". */
const char *colony__connection_why(const struct colony__connection *connection);

void colony__respond_text(struct colony__connection *connection, int status, const char *type,
                          const char *body, size_t size);
/*
 * Takes over what is in @json and leaves it empty; one that has failed answers 503 for want of
 * memory. Returns 0 for handlers to return.
 */
int colony__respond_json(struct colony__connection *connection, int status,
                         struct colony__json *json);
/* 503 for want of memory. Returns 0. */
int colony__respond_no_memory(struct colony__connection *connection);
/* {"ok": true} */
int colony__respond_ok(struct colony__connection *connection);
/*
 * The same once all that has changed so far is safe on disk; 500 not_recorded when it cannot be.
 * Any source of the connection must be done with.
 */
int colony__respond_recorded(struct colony__connection *connection, int status,
                             struct colony__json *json);
/* Begins {"ok": true, … for those two. */
void colony__json_open_ok(struct colony__json *json);
/* {"error": @word, "reason": @reason} */
void colony__json_put_failure(struct colony__json *json, const char *word, const char *reason);
void colony__respond_failure(struct colony__connection *connection, int status, const char *word,
                             const char *reason);
/* The same by the table of errors. */
void colony__respond_error(struct colony__connection *connection, const struct colony_error *err);
/* 204, for OPTIONS. */
void colony__respond_nothing(struct colony__connection *connection);
/* 101 of a WebSocket, queued and not yet sent; what follows is no HTTP. */
void colony__respond_upgrade(struct colony__connection *connection, const char *accept);

/*
 * Begins an answer of unknown size with status 200. False when no body is wanted (HEAD): then the
 * answer is complete and @source is done with.
 */
bool colony__stream_begin(struct colony__connection *connection, const char *type,
                          const struct colony__source *source, void *data);
/* The head of an answer that is a file, or of one that says where it is. */
struct colony__sized_head {
    int status;
    const char *type;  /* NULL: none */
    const char *lines; /* more of the head: "Name: value\r\n"… */
    uint64_t size;     /* of the body */
};
/* The same of an answer whose size is known: just so many bytes are to be written. False also for
 * none. */
bool colony__stream_begin_sized(struct colony__connection *connection,
                                const struct colony__sized_head *head,
                                const struct colony__source *source, void *data);
/* One chunk. Write again when the source is told that it is writable: nothing else bounds it. */
void colony__stream_write(struct colony__connection *connection, const char *data, size_t size);
/* The same without sending it yet: colony__connection_flush() does. */
void colony__stream_put(struct colony__connection *connection, const char *data, size_t size);
void colony__stream_end(struct colony__connection *connection);

#endif
