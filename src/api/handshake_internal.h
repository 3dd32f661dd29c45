/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake_internal.h - how a request becomes a WebSocket (RFC 6455, section 4.2).
 */
#ifndef COLONY_API_HANDSHAKE_INTERNAL_H
#define COLONY_API_HANDSHAKE_INTERNAL_H

struct colony__request;
struct colony_error;

enum {
    COLONY__ACCEPT_SIZE = 29, /* with the NUL */
};

/*
 * Judges the request but for its Origin (access_internal.h). -EINVAL: it asks for a WebSocket, but
 * not as it must; -EPROTONOSUPPORT: for none, or for another version than 13.
 */
int colony__handshake_check(const struct colony__request *request, struct colony_error *err);

/* What Sec-WebSocket-Accept answers to the key of a request that was found good. */
void colony__handshake_accept(const struct colony__request *request,
                              char accept[COLONY__ACCEPT_SIZE]);

#endif
