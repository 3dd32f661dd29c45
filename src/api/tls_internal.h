/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_internal.h - TLS between memory and memory: what came from the wire goes in, what is to go to
 * the wire comes out. It does no I/O, so it never waits.
 *
 * A context is made from the files of an endpoint, and may be freed while streams of it live.
 */
#ifndef COLONY_API_TLS_INTERNAL_H
#define COLONY_API_TLS_INTERNAL_H

#include <stddef.h>
#include <sys/types.h>

#include "api/buffer_internal.h"

struct colony__tls;
struct colony__tls_context;
struct colony_error;
struct colony_tls_settings;

enum {
    COLONY__TLS_PIECE = 65536,     /* of an answer, sealed at a time */
    COLONY__TLS_BACKLOG = 1 << 20, /* sealed and not taken: nobody who reads gets there */
};

/*
 * Reads the files of @settings. The key must be as secret.h wants it; one that is encrypted is
 * refused. -EINVAL, -EACCES, -ENOENT (OpenSSL is not installed) and what reading says.
 */
int colony__tls_context_new(struct colony__tls_context **out,
                            const struct colony_tls_settings *settings, struct colony_error *err);
void colony__tls_context_free(struct colony__tls_context *context);

/* The server's end of a stream. -ENOMEM. */
int colony__tls_new(struct colony__tls **out, struct colony__tls_context *context);
void colony__tls_free(struct colony__tls *tls);

/* What came from the wire; borrowed until colony__tls_open() wants more. */
void colony__tls_feed(struct colony__tls *tls, const char *data, size_t size);

/*
 * Opens some of it into @plain. The number of bytes; 0: it wants to be fed; -ESHUTDOWN: the other
 * side has said goodbye; -EPROTONOSUPPORT: it speaks HTTP without TLS; -EPROTO: it speaks nothing
 * of use, or has no certificate. To be called until it is not positive: it also makes what the
 * handshake has to send.
 */
ssize_t colony__tls_open(struct colony__tls *tls, char *plain, size_t size);

/* Seals @size bytes at @data. -EPROTO, -ENOMEM. */
int colony__tls_seal(struct colony__tls *tls, const void *data, size_t size);

/* Says goodbye, if there is anybody to say it to. */
void colony__tls_end(struct colony__tls *tls);

/* What is to go to the wire, in this order. The caller consumes it or takes it away. */
struct colony__buffer *colony__tls_wire(struct colony__tls *tls);

#endif
