/* SPDX-License-Identifier: Apache-2.0 */
/* ready_notify.c - the notify socket of a slot: who may speak, and what was said. */
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "core/log.h"
#include "core/ready_internal.h"
#include "core/template.h"

enum {
    DATAGRAMS_A_TURN = 64, /* then the loop sees to others */
    DRAIN_MAX = 4096,      /* more than a queue holds: somebody keeps sending */
    IGNORED_LOG_MS = 1000,
};

static const uid_t no_uid = (uid_t)-1;

struct datagram {
    size_t size;
    uid_t uid; /* of the sender */
    bool is_cut;
    char bytes[COLONY__NOTIFY_BYTES_MAX];
};

static uid_t sender_of(struct msghdr *message)
{
    struct cmsghdr *part = CMSG_FIRSTHDR(message);

    if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS ||
        part->cmsg_len < CMSG_LEN(sizeof(struct ucred)))
        return no_uid;
    return ((const struct ucred *)(const void *)CMSG_DATA(part))->uid;
}

/*
 * There is room for the credentials, which come first, and for nothing else: descriptors that came
 * along are closed by the kernel (and MSG_CTRUNC set), which answers BARRIER=1. Closing them here
 * could hang, as a file's server is asked at each close.
 */
static int receive(int fd, struct datagram *out)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {out->bytes, sizeof out->bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (size < 0)
        return -errno;
    out->size = (size_t)size;
    out->uid = sender_of(&message);
    out->is_cut = message.msg_flags & MSG_TRUNC;
    return 0;
}

static void ignore(struct colony_ready *ready, enum colony_log_severity severity, const char *why)
{
    uint64_t now_ms = uv_now(ready->loop);

    ready->ignored++;
    if (ready->ignored_told_ms > 0 && now_ms - ready->ignored_told_ms < IGNORED_LOG_MS)
        return;
    colony_log(severity, "%s: ignored %" PRIu64 " message%s to its notify socket: the last %s",
               ready->template->name, ready->ignored, ready->ignored == 1 ? "" : "s", why);
    ready->ignored = 0;
    ready->ignored_told_ms = now_ms > 0 ? now_ms : 1;
}

static void tell(struct colony_ready *ready, const struct colony__notify *said)
{
    uint64_t round = ready->round;

    if (said->has_status)
        colony__ready_tell(ready, READY_NEWS_STATUS, said->status, 0);
    if (said->has_extend && ready->round == round)
        colony__ready_tell(ready, READY_NEWS_EXTEND, NULL, said->extend_ms);
    if (said->is_ready && ready->round == round && ready->template->ready->kind == READY_NOTIFY)
        colony__ready_set(ready);
    if (said->is_alive && ready->round == round)
        colony__ready_tell(ready, READY_NEWS_ALIVE, NULL, 0);
    if (said->is_trigger && ready->round == round)
        colony__ready_tell(ready, READY_NEWS_TRIGGER, NULL, 0);
}

static void handle(struct colony_ready *ready, const struct datagram *datagram)
{
    struct colony__notify said;

    if (datagram->uid != ready->uid)
        ignore(ready, SEVERITY_DEBUG, "came from another user");
    else if (datagram->is_cut)
        ignore(ready, SEVERITY_WARNING, "is longer than 4096 bytes");
    else if (colony__notify_parse(&said, datagram->bytes, datagram->size) < 0)
        ignore(ready, SEVERITY_WARNING, "has a NUL in it");
    else
        tell(ready, &said);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct datagram datagram;
    struct colony_ready *ready = poll->data;
    uint64_t round = ready->round;

    (void)events;
    if (status < 0)
        (void)colony__ready_listen(ready); /* libuv has stopped; what it is, recvmsg says */
    for (int i = 0; i < DATAGRAMS_A_TURN && ready->round == round; i++) {
        int rc = receive(ready->notify.fd, &datagram);

        if (rc == -EAGAIN || rc == -EINTR)
            return;
        if (rc < 0) {
            colony_log(SEVERITY_ERROR, "%s: cannot read its notify socket: %s",
                       ready->template->name, uv_strerror(rc));
            (void)uv_poll_stop(poll);
            return;
        }
        handle(ready, &datagram);
    }
}

int colony__ready_listen(struct colony_ready *ready)
{
    return uv_poll_start(&ready->notify.poll, UV_READABLE, on_readable);
}

void colony__ready_drain_notify(struct colony_ready *ready)
{
    char byte;

    for (int i = 0; i < DRAIN_MAX && recv(ready->notify.fd, &byte, 1, MSG_DONTWAIT) >= 0; i++)
        ;
}
