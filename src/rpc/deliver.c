/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - takes answers where they are waited for, alone or with others of their batch. */
#include <stdlib.h>
#include <string.h>

#include "rpc/call_internal.h"

static void send_text(const struct colony__rpc_dispatch_options *options,
                      const struct colony__rpc_sender *to, const char *text)
{
    options->send(to, text, strlen(text), options->send_data);
}

static void free_batch(struct colony__rpc_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->replies[i]);
    free(batch);
}

/* "[a,b]" of the replies there are, or NULL: there are none, or no memory. */
static char *join_replies(const struct colony__rpc_batch *batch)
{
    size_t size = 2;
    char *text;
    char *at;

    for (size_t i = 0; i < batch->count; i++)
        size += batch->replies[i] ? strlen(batch->replies[i]) + 1 : 0;
    text = size > 2 ? malloc(size + 1) : NULL;
    if (!text)
        return NULL;
    at = text;
    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->replies[i])
            continue;
        *at++ = ',';
        at = stpcpy(at, batch->replies[i]);
    }
    *text = '[';
    (void)stpcpy(at, "]");
    return text;
}

/* A REQ client cannot go on without an answer. */
static void let_go_on(const struct colony__rpc_dispatch_options *options,
                      const struct colony__rpc_sender *to)
{
    if (to->has_delimiter)
        send_text(options, to, "");
}

void colony__rpc_settle(const struct colony__rpc_dispatch_options *options,
                        struct colony__rpc_batch *batch)
{
    char *text;

    if (--batch->left > 0)
        return;
    text = options ? join_replies(batch) : NULL;
    if (text)
        send_text(options, &batch->sender, text);
    else if (options)
        let_go_on(options, &batch->sender);
    free(text);
    free_batch(batch);
}

void colony__rpc_deliver(const struct colony__rpc_dispatch_options *options,
                         const struct colony__rpc_place *place, const char *text)
{
    if (place->batch) {
        place->batch->replies[place->index] = text && options ? strdup(text) : NULL;
        colony__rpc_settle(options, place->batch);
    } else if (options && text) {
        send_text(options, &place->sender, text);
    } else if (options) {
        let_go_on(options, &place->sender);
    }
}
