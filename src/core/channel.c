/* SPDX-License-Identifier: Apache-2.0 */
#include "core/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/channel_internal.h"
#include "core/target.h"

int colony_channel_open(struct colony_channel *channel, const struct colony_target *target,
                        struct colony_error *err)
{
    int rc;

    *channel = (struct colony_channel){.fd = colony_target_connect(target, err)};
    if (channel->fd < 0)
        return channel->fd;
    rc = target->is_tls ? colony__channel_secure(channel, target, err) : 0;
    if (rc < 0)
        colony_channel_close(channel);
    return rc;
}

int colony_channel_send(struct colony_channel *channel, const char *bytes, size_t size)
{
    if (channel->seal)
        return channel->seal->send(channel, bytes, size);
    while (size > 0) {
        ssize_t count = send(channel->fd, bytes, size, MSG_NOSIGNAL);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        bytes += count;
        size -= (size_t)count;
    }
    return 0;
}

ssize_t colony_channel_receive(struct colony_channel *channel, char *bytes, size_t size,
                               struct colony_error *err)
{
    ssize_t count;

    if (channel->seal)
        return channel->seal->receive(channel, bytes, size, err);
    count = recv(channel->fd, bytes, size, MSG_DONTWAIT);
    if (count >= 0)
        return count;
    return errno == EINTR ? -EAGAIN : -errno;
}

int colony_channel_release(struct colony_channel *channel)
{
    int fd = channel->fd;

    if (channel->seal)
        channel->seal->free(channel);
    *channel = (struct colony_channel){.fd = -1};
    return fd;
}

void colony_channel_close(struct colony_channel *channel)
{
    if (channel->seal)
        channel->seal->end(channel);
    if (channel->fd >= 0)
        (void)close(colony_channel_release(channel));
}
