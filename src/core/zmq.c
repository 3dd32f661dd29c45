/* SPDX-License-Identifier: Apache-2.0 */
#include "core/zmq.h"

#include <errno.h>
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
    int rc = is_open ? 0 : colony_library_open(&library, symbols, &functions, err);

    if (rc < 0)
        return rc;
    is_open = true;
    *out = &functions;
    return 0;
}

int colony_zmq_fail(const struct colony_zmq *zmq, struct colony_error *err, const char *what)
{
    int code = errno;

    return colony_fail(err, code > 0 ? -code : -EIO, "%s: %s", what, zmq->zmq_strerror(code));
}
