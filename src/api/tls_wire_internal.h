/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_wire_internal.h - what TLS has for the wire, written to a stream of libuv's in its order.
 */
#ifndef COLONY_API_TLS_WIRE_INTERNAL_H
#define COLONY_API_TLS_WIRE_INTERNAL_H

#include <stdbool.h>
#include <uv.h>

struct colony__tls;

/* @status: 0 or libuv's error; UV_ECANCELED when the stream was closed before. */
typedef void (*colony__tls_sent_cb)(int status, void *data);

/*
 * Writes all there is to @stream: with @is_direct at once as far as the socket takes it, unless
 * something waits already. 0: all of it is sent; 1: @cb is going to be told, once; -ENOMEM and
 * libuv's errors, and then it is lost.
 */
int colony__tls_send(struct colony__tls *tls, uv_stream_t *stream, bool is_direct,
                     colony__tls_sent_cb cb, void *data);

/* The same at once or not at all: last words. */
void colony__tls_send_last(struct colony__tls *tls, uv_stream_t *stream);

#endif
