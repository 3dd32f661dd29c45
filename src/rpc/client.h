/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - asks an RPC server (docs/rpc-protocol.md), one question after the other.
 *
 * It blocks: for commands and threads of their own, never on a loop. A connection that is lost is
 * made again, to where the daemon is then, and what was not answered is asked again under the same
 * number, which the server answers once. Whoever else has got the daemon's place is asked nothing.
 */
#ifndef COLONY_RPC_CLIENT_H
#define COLONY_RPC_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rpc/curve.h"

struct cJSON;
struct colony_error;
struct colony_rpc_client;

enum {
    COLONY_RPC_TYPE_MAX = 64, /* of an error, as "AttributeError" */
    COLONY_RPC_TEXT_MAX = 512,
    COLONY_RPC_PLACE_MAX = 300,    /* "HOST:PORT" */
    COLONY_RPC_RESTART_MS = 10000, /* how long a daemon may be away */
};

struct colony_rpc_target;
/* Where it is by now, whose texts live until the next call. Blocks until @deadline_ms of the
 * monotonic clock at most. */
typedef int (*colony_rpc_look_cb)(struct colony_rpc_target *out, uint64_t deadline_ms, void *data,
                                  struct colony_error *err);

/* Whom to ask; all is copied. */
struct colony_rpc_target {
    const char *place;      /* "HOST:PORT", "[V6]:PORT", "ipc://PATH" */
    const char *server_key; /* its public key in Z85; NULL: nothing is encrypted */
    const char *public_key; /* with server_key: our own two */
    const char *secret_key;
    pid_t pid; /* whose place that is; 0: it is not told */
    uint64_t pid_start;
    colony_rpc_look_cb look; /* asked before each new connection; NULL: it is there for ever */
    void *data;
};

/* What is asked; borrowed for the call. */
struct colony_rpc_question {
    const char *method;
    const struct cJSON *params; /* a list, a map or NULL */
    uint64_t timeout_ms;        /* for the answer; UINT64_MAX: as long as it takes */
};

/* What was answered: a result, or an error with its code. */
struct colony_rpc_answer {
    struct cJSON *result;           /* NULL: an error */
    int code;                       /* JSON-RPC's; 0: none */
    char type[COLONY_RPC_TYPE_MAX]; /* of the error, or "" */
    char message[COLONY_RPC_TEXT_MAX];
};

/*
 * Begins to connect. -ENOENT, -ENOTSUP: libzmq is not there; -EINVAL: that is no place, or no key;
 * -ENOMEM, -EMFILE.
 */
int colony_rpc_client_new(struct colony_rpc_client **out, const struct colony_rpc_target *target,
                          struct colony_error *err);

/*
 * Asks and waits for the answer. colony_rpc_answer_clear() ends *answer.
 *
 * When a connection was lost, another one is tried to be made for COLONY_RPC_RESTART_MS.
 *
 * Returns 0 with an answer, which may be an error; -ETIMEDOUT; -ECONNREFUSED: nothing listens
 * there; what `look` said; -EACCES: it does not take our key; -EPROTO: what is there speaks
 * something else; -EMSGSIZE, -ECONNRESET: it hangs up whenever it is asked this; -ENOMEM.
 */
int colony_rpc_client_call(struct colony_rpc_client *client,
                           const struct colony_rpc_question *question,
                           struct colony_rpc_answer *answer, struct colony_error *err);
void colony_rpc_answer_clear(struct colony_rpc_answer *answer);

/* May wait for a name server that does not answer, as libzmq cannot be told to let go of it. */
void colony_rpc_client_free(struct colony_rpc_client *client);

#endif
