/* SPDX-License-Identifier: Apache-2.0 */
/* call_internal.h - a request on its way, and where its answer is to go. */
#ifndef COLONY_RPC_CALL_INTERNAL_H
#define COLONY_RPC_CALL_INTERNAL_H

#include "rpc/dispatch_internal.h"
#include "rpc/object.h"

/* Requests that came in one message, and are answered in one. */
struct colony__rpc_batch {
    struct colony__rpc_sender sender;
    size_t count;
    size_t left;     /* not answered yet; and one while they are being read */
    char *replies[]; /* NULL: none, as for a notification */
};

/* Where an answer goes. */
struct colony__rpc_place {
    struct colony__rpc_place *next;
    struct colony__rpc_batch *batch; /* NULL: @sender has asked for it alone */
    size_t index;                    /* in the batch */
    struct colony__rpc_sender sender;
};

struct colony_rpc_call {
    struct colony__rpc_dispatch *dispatch; /* NULL: it is gone, and the answer goes nowhere */
    struct colony__rpc_entry *entry;       /* of the window */
    struct colony_value *request;
    const char *method;
    const struct colony_value *params;
    char *id; /* as JSON; NULL: a notification */
    const struct colony_value *bound[COLONY_RPC_PARAMS_MAX];
    bool wraps_value; /* getattr: {"value": …} */
    struct colony__rpc_place first;
    size_t place_count;
    struct colony_rpc_call *prev; /* of those under way */
    struct colony_rpc_call *next;
};

/* All that is answered goes through here: @text is the reply, freed (NULL: there was no memory). */
void colony__rpc_call_end(struct colony_rpc_call *call, char *text);

void colony__rpc_count_refused(struct colony__rpc_dispatch *dispatch);

/* Takes @text (NULL: none) where it is waited for. @options NULL: the dispatch is gone, and so is
 * the answer. */
void colony__rpc_deliver(const struct colony__rpc_dispatch_options *options,
                         const struct colony__rpc_place *place, const char *text);
/* One of the batch is answered, or all of it has been read. */
void colony__rpc_settle(const struct colony__rpc_dispatch_options *options,
                        struct colony__rpc_batch *batch);

/* A reply: @body is `"result":…` or `"error":…`. The caller frees it. NULL: no memory. */
char *colony__rpc_reply(const char *id, const char *member, const char *body);
/* An `error` object. NULL: no memory. */
char *colony__rpc_error(int code, const char *type, const char *message);

/* Matches the params against @names (object.h) into call->bound; false: it has been answered. */
bool colony__rpc_bind(struct colony_rpc_call *call, const char *names);

/* Calls what call->method names. */
void colony__rpc_invoke(struct colony_rpc_call *call, const struct colony_rpc_object *object,
                        void *data);

#endif
