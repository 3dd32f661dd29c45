/* SPDX-License-Identifier: Apache-2.0 */
#include "core/zmq.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/library.h"

#define SONAME "libzmq.so.5"

COLONY_LIBRARY_NOTE(zmq_note, "zmq",
                    "ZeroMQ: the RPC endpoint, colony rpc and events handed to ZeroMQ", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_zmq, function)},

static const struct colony_symbol symbols[] = {COLONY_ZMQ_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_zmq functions;
static bool is_open;

int colony_zmq_get(const struct colony_zmq **out, struct colony_error *err)
{
    static const struct colony_library library = {SONAME, "libzmq5", "ZeroMQ"};
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int rc = 0;

    (void)pthread_mutex_lock(&lock);
    if (!is_open)
        rc = colony_library_open(&library, symbols, &functions, err);
    is_open = rc == 0;
    (void)pthread_mutex_unlock(&lock);
    if (rc == 0)
        *out = &functions;
    return rc;
}

int colony_zmq_fail(const struct colony_zmq *zmq, struct colony_error *err, const char *what)
{
    int code = errno;

    return colony_fail(err, code > 0 ? -code : -EIO, "%s: %s", what, zmq->zmq_strerror(code));
}
