/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.h - bytes to and from a colony, with TLS where its address begins with https.
 */
#ifndef COLONY_CORE_CHANNEL_H
#define COLONY_CORE_CHANNEL_H

#include <stddef.h>
#include <sys/types.h>

struct colony__channel_seal;
struct colony_channel_tls;
struct colony_error;
struct colony_target;

struct colony_channel {
    int fd;
    const struct colony__channel_seal *seal; /* NULL: bytes go as they are */
    struct colony_channel_tls *tls;          /* the seal's */
};

/*
 * Connects, and with TLS makes sure who is there, within 10 seconds. Errors of
 * colony_target_connect(); -EACCES: it is not who it should be, or does not want us; -ENOENT:
 * OpenSSL is not installed; -ENOTSUP: this colony has no TLS; -EINVAL: a file cannot be used.
 */
int colony_channel_open(struct colony_channel *channel, const struct colony_target *target,
                        struct colony_error *err);

/* Sends all of it, waiting as long as it takes. Negative errno. */
int colony_channel_send(struct colony_channel *channel, const char *bytes, size_t size);

/*
 * What is there, without waiting: 0 at the end, -EAGAIN when there is nothing yet (poll the
 * descriptor), -EACCES with the reason when the other side broke TLS off, else negative errno.
 */
ssize_t colony_channel_receive(struct colony_channel *channel, char *bytes, size_t size,
                               struct colony_error *err);

/* Gives up TLS and returns the descriptor, which is the caller's now: only its end means anything.
 */
int colony_channel_release(struct colony_channel *channel);

void colony_channel_close(struct colony_channel *channel);

#endif
