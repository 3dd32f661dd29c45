/* SPDX-License-Identifier: Apache-2.0 */
#include "core/zmq.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/error.h"
#include "core/library.h"

#define SONAME "libzmq.so.5"

COLONY_LIBRARY_NOTE(zmq_note, "zmq",
                    "ZeroMQ: the RPC endpoint, colony rpc and events handed to ZeroMQ", SONAME);

enum {
    SPARE_FDS = 16, /* two threads take five, what we open on one six more at most */
};

#define SYMBOL(function) {#function, offsetof(struct colony_zmq, function)},

static const struct colony_symbol symbols[] = {COLONY_ZMQ_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_zmq functions;

static struct colony_library library = {.soname = SONAME,
                                        .package = "libzmq5",
                                        .purpose = "ZeroMQ",
                                        .symbols = symbols,
                                        .table = &functions,
                                        .lock = PTHREAD_MUTEX_INITIALIZER};

int colony_zmq_get(const struct colony_zmq **out, struct colony_error *err)
{
    int rc = colony_library_open(&library, err);

    if (rc == 0)
        *out = &functions;
    return rc;
}

bool colony_zmq_has_room(void)
{
    int fds[SPARE_FDS];
    size_t count = 0;
    int code = 0;

    while (code == 0 && count < SPARE_FDS) {
        fds[count] = eventfd(0, EFD_CLOEXEC);
        if (fds[count] < 0)
            code = errno;
        else
            count++;
    }
    while (count > 0)
        (void)close(fds[--count]);
    errno = code;
    return code == 0;
}

void *colony_zmq_context_new(const struct colony_zmq *zmq)
{
    return colony_zmq_has_room() ? zmq->zmq_ctx_new() : NULL;
}

int colony_zmq_fail(const struct colony_zmq *zmq, struct colony_error *err, const char *what)
{
    int code = errno;

    return colony_fail(err, code > 0 ? -code : -EIO, "%s: %s", what, zmq->zmq_strerror(code));
}
