/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser_internal.h - bytes of HTTP/1 into one request at a time, within limits (llhttp inside).
 *
 * A plain value in its connection. It stops at the end of a request, so that the next one is not
 * looked at before this one is answered.
 */
#ifndef COLONY_API_PARSER_INTERNAL_H
#define COLONY_API_PARSER_INTERNAL_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/buffer_internal.h"
#include "api/request_internal.h"

enum colony__parse {
    PARSE_MORE,   /* all bytes are used; the request is not complete */
    PARSE_DONE,   /* .request is complete but for its target: see colony__parser_target() */
    PARSE_FAILED, /* .failure says why; the connection cannot go on */
};

/* Where in its lines a request is. */
enum colony__line {
    LINE_BEFORE, /* the first one */
    LINE_BEGINS,
    LINE_GOES_ON,
    LINE_OF_BODY, /* an empty one ended the head */
};

/* How a request that cannot be read is answered. */
struct colony__failure {
    int status;
    const char *word;
    const char *reason;
};

struct colony__parser {
    llhttp_t http;
    size_t head_max;
    size_t body_max;
    bool needs_length;          /* of a POST: chunked is not enough */
    struct colony__buffer head; /* target NUL, then name NUL value NUL … */
    struct colony__buffer body;
    size_t target_size; /* in @head, with the NUL; 0: not complete */
    size_t header_count;
    size_t head_bytes; /* of this request, as they came, until the head is complete */
    enum colony__line line;
    bool has_cr; /* the last byte of a line of the head was one */
    bool has_head;
    bool wants_continue; /* the client waits for 100 Continue before it sends the body */
    bool keeps_alive;    /* PARSE_DONE: another request may follow */
    struct colony__failure failure;
    struct colony__request request;
};

void colony__parser_init(struct colony__parser *parser, size_t head_max, size_t body_max);
/* Lets go of the request and begins with the next one. */
void colony__parser_next(struct colony__parser *parser);
void colony__parser_clear(struct colony__parser *parser);

/* *used: how many of the @size bytes belong to this request. */
enum colony__parse colony__parser_feed(struct colony__parser *parser, const char *data, size_t size,
                                       size_t *used);

/* The target of a complete request, to be decoded in place by colony__request_parse_target(). */
char *colony__parser_target(struct colony__parser *parser);

#endif
