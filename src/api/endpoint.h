/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint.h - the listening sockets of the control endpoint, made before there is a loop.
 *
 * Called by `colony serve`, whose keeper holds them over restarts of the engine. Calls block. libc
 * only.
 */
#ifndef COLONY_API_ENDPOINT_H
#define COLONY_API_ENDPOINT_H

#include <stddef.h>

struct colony_error;
struct colony_http_settings;
struct colony_passed;

/* How the names of such sockets begin: plain ones, and those with TLS, where `NUMBER:` follows. */
#define COLONY_ENDPOINT_PREFIX "http:"
#define COLONY_ENDPOINT_TLS_PREFIX "https:"

enum {
    COLONY_ENDPOINT_PLAIN = -1,
};

struct colony_endpoint {
    const char *bind; /* "HOST:PORT", "[V6]:PORT", "PORT" (of 127.0.0.1) or "unix:PATH" */
    struct colony_passed *passed; /* sockets that are there already, used first; NULL: none */
    int tls; /* number of its certificate (colony_http_tls()), or COLONY_ENDPOINT_PLAIN */
};

/*
 * Listens on @endpoint; port 0 is any free one. @name becomes its prefix and the canonical address
 * ("http:127.0.0.1:5000", "http:unix:/run/colony/colony.sock", "https:0:127.0.0.1:5443"), which
 * colony_engine_each_socket() tells the engine.
 *
 * A unix socket gets mode 0660 and the group `colony` where that exists, and mode 0666 where
 * settings->allow names users, who need not be in it: who a peer is decides in any case. Its folder
 * gets that group and mode 0751, if it has to be made. A socket file that nobody listens on is
 * replaced.
 *
 * Returns 0 and the descriptor in *fd, or -EINVAL, -EACCES (an address beyond this machine with
 * neither TLS and tokens nor `insecure: true`), -EADDRINUSE, -EEXIST (there is something else than
 * a socket), or what the system said. Of @endpoint->passed one at that address is taken as it is.
 */
int colony_endpoint_listen(int *fd, char *name, size_t name_size,
                           const struct colony_endpoint *endpoint,
                           const struct colony_http_settings *settings, struct colony_error *err);

/* Whether that may listen there, as far as the settings tell: a port may be taken. -EINVAL,
 * -EACCES.
 */
int colony_endpoint_check(const struct colony_endpoint *endpoint,
                          const struct colony_http_settings *settings, struct colony_error *err);

#endif
