/* SPDX-License-Identifier: Apache-2.0 */
#include "core/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(COLONY_MESSAGE_FDS_MAX * sizeof(int))];
};

enum colony_stream_kind colony_stream_kind_of(const struct colony_record *record, size_t stream)
{
    if (stream >= CUSTOM_STREAM_FIRST)
        return stream - CUSTOM_STREAM_FIRST < record->custom_count ? STREAM_SOCKET : STREAM_NONE;
    if (record->stream_kind[stream] > STREAM_NOTIFY)
        return STREAM_NONE; /* a damaged table */
    return (enum colony_stream_kind)record->stream_kind[stream];
}

size_t colony_message_size(const struct colony_message *message)
{
    return offsetof(struct colony_message, payload) + message->payload_size;
}

int colony_message_send(int socket, const struct colony_message *message, const int *fds,
                        size_t fd_count)
{
    struct iovec part = {.iov_base = (void *)message, .iov_len = colony_message_size(message)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;

    if (fd_count > COLONY_MESSAGE_FDS_MAX || message->payload_size > sizeof message->payload)
        return -EINVAL;
    if (fd_count > 0) {
        struct cmsghdr *header;

        memset(&control, 0, sizeof control);
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        header = CMSG_FIRSTHDR(&packet);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    while (sendmsg(socket, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        return errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
    }
    return 0;
}

static size_t take_fds(struct msghdr *packet, int *fds)
{
    size_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header;
         header = CMSG_NXTHDR(packet, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    }
    return count;
}

/* All of it is there, and what is said of its payload is true. */
static bool is_whole(const struct colony_message *message, size_t size)
{
    if (size < offsetof(struct colony_message, u) || message->version < 1 ||
        message->type <= MESSAGE_NONE || message->type >= MESSAGE_TYPE_COUNT)
        return false;
    return message->payload_size == 0 ? size <= offsetof(struct colony_message, payload)
                                      : size == colony_message_size(message);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
}

int colony_message_receive(int socket, struct colony_message *message, int *fds, size_t *fd_count)
{
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    union control control;
    struct msghdr packet = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    ssize_t size;

    *fd_count = 0;
    memset(message, 0, offsetof(struct colony_message, payload));
    do {
        size = recvmsg(socket, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    *fd_count = take_fds(&packet, fds); /* an empty packet can have some, too */
    if (!(packet.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) && is_whole(message, (size_t)size))
        return 0;
    close_all(fds, *fd_count);
    *fd_count = 0;
    if (size == 0)
        return -ECONNRESET;
    return packet.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
}
