/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - asks a running colony over HTTP, one blocking request on a connection of its own.
 *
 * What the other side says is not trusted: heads and collected bodies have limits.
 */
#ifndef COLONY_CORE_CLIENT_H
#define COLONY_CORE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_target;
struct colony_error;

enum {
    COLONY_CLIENT_HEAD_MAX = 65536,
    COLONY_CLIENT_BODY_MAX = 64 * 1024 * 1024, /* collected; a streamed body has no limit */
    COLONY_CLIENT_TIMEOUT_MS = 30000,          /* for answers that are due at once */
};

/* A piece of a body, as it arrives. 0 to go on; a negative errno ends the request with it. */
typedef int (*colony_client_body_cb)(const char *bytes, size_t size, void *data);

struct colony_request {
    const char *method;
    const char *path;    /* with query, percent-encoded */
    const char *body;    /* to send, or NULL; JSON unless @type says otherwise */
    size_t body_size;    /* 0: up to its NUL */
    const char *type;    /* of the body; NULL: JSON */
    const char *last_id; /* of what was followed before (Last-Event-ID), or NULL */
    uint64_t timeout_ms; /* for the whole answer, for each piece when it is streamed; 0: none */
    colony_client_body_cb on_body; /* for the body of a 2xx answer; NULL: it is collected */
    void *data;
    bool keeps_connection; /* leave it open and in the reply, to see it end */
    bool watches_stdout;   /* -EPIPE as soon as nobody reads our output any more */
};

struct colony_reply {
    int status;
    char *body; /* NUL-terminated; NULL when it was streamed */
    size_t size;
    int connection; /* or -1 */
};

/*
 * Asks and reads the whole answer. A GET whose answer is cut off is asked again for about a second,
 * unless some of it was handed on. Returns 0 whatever the status is; the caller clears the reply,
 * also after an error. -EACCES and -ECONNREFUSED: see colony_target_connect(). -ETIMEDOUT.
 * -ECONNRESET: the connection ended too early. -EPROTO: not an answer of colony's. What @on_body
 * returned.
 */
int colony_client_request(const struct colony_target *target, const struct colony_request *request,
                          struct colony_reply *reply, struct colony_error *err);
void colony_client_clear(struct colony_reply *reply);

/*
 * Writes @text for use in a path or a query: all bytes but letters, digits and `-._~:` as %XX.
 * -ENAMETOOLONG when it does not fit.
 */
int colony_client_encode(char *out, size_t size, const char *text);

#endif
