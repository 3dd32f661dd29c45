/* SPDX-License-Identifier: Apache-2.0 */
/* channel_internal.h - between channel.c and channel_tls.c. */
#ifndef COLONY_CORE_CHANNEL_INTERNAL_H
#define COLONY_CORE_CHANNEL_INTERNAL_H

#include <stddef.h>
#include <sys/types.h>

struct colony_channel;
struct colony_error;
struct colony_target;

/* What a channel does otherwise whose bytes are sealed. */
struct colony__channel_seal {
    int (*send)(struct colony_channel *channel, const char *bytes, size_t size);
    ssize_t (*receive)(struct colony_channel *channel, char *bytes, size_t size,
                       struct colony_error *err);
    /* Says goodbye. */
    void (*end)(struct colony_channel *channel);
    void (*free)(struct colony_channel *channel);
};

/*
 * Seals a channel that has just been connected, and makes sure who is there. Errors of
 * colony_channel_open(), after which it is to be closed.
 */
int colony__channel_secure(struct colony_channel *channel, const struct colony_target *target,
                           struct colony_error *err);

#endif
