/* SPDX-License-Identifier: Apache-2.0 */
/*
 * streams_internal.h - output of a process as a channel, for all who follow it.
 */
#ifndef COLONY_API_STREAMS_INTERNAL_H
#define COLONY_API_STREAMS_INTERNAL_H

#include <stdint.h>

#include "api/channel_internal.h"

struct colony__stream_wish {
    uint64_t id;       /* of the process */
    const char *label; /* "." for all outputs; NULL: the first one */
    enum colony__feed feed;
    bool may_be_silent; /* one without an output is followed until it ends */
};

/* The first part of the path that is a variable. -EINVAL. */
int colony__stream_parse_id(const struct colony__request *request, uint64_t *id,
                            struct colony_error *err);

/*
 * The channel, made if need be: let @connection follow it at once. 1: there is none, and
 * @connection was told so; -ENOENT, -ENOMEM, -EMFILE.
 */
int colony__stream_open(struct colony__channel **out, struct colony__connection *connection,
                        const struct colony__stream_wish *wish, struct colony_error *err);

#endif
