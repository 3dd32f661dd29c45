/* SPDX-License-Identifier: Apache-2.0 */
#include "core/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "core/log.h"

enum {
    MESSAGES_A_TURN = 256, /* then the loop sees to others */
};

struct packet {
    struct packet *next;
    size_t fd_count;
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct colony_message message; /* last: allocated is what is sent of it */
};

struct colony_link {
    uv_poll_t poll;
    int fd;
    colony_link_cb cb;
    void *data;
    struct packet *queue;
    struct packet **queue_end;
    int error; /* that it was lost by; 0: none */
    bool is_lost;
    bool is_closing;
    bool is_closed;
    colony_link_close_cb close_cb;
    void *close_data;
};

static void free_packet(struct packet *packet)
{
    for (size_t i = 0; i < packet->fd_count; i++)
        (void)close(packet->fds[i]);
    free(packet);
}

static void on_closed(uv_handle_t *handle)
{
    struct colony_link *link = handle->data;
    colony_link_close_cb cb = link->close_cb;
    void *data = link->close_data;

    while (link->queue) {
        struct packet *next = link->queue->next;

        free_packet(link->queue);
        link->queue = next;
    }
    (void)close(link->fd);
    free(link);
    if (cb)
        cb(data);
}

static void finish_close(struct colony_link *link)
{
    if (link->is_closed)
        return;
    link->is_closed = true;
    uv_close((uv_handle_t *)&link->poll, on_closed);
}

static void lose(struct colony_link *link, int error)
{
    if (link->is_lost)
        return;
    link->error = error;
    link->is_lost = true;
    (void)uv_poll_stop(&link->poll);
    colony_log_flush();
    if (link->is_closing)
        finish_close(link);
    else
        link->cb(NULL, NULL, 0, link->data);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static int want(struct colony_link *link)
{
    return uv_poll_start(&link->poll, UV_READABLE | (link->queue ? UV_WRITABLE : 0), on_poll);
}

static void send_queue(struct colony_link *link)
{
    while (link->queue) {
        struct packet *packet = link->queue;
        int rc = colony_message_send(link->fd, &packet->message, packet->fds, packet->fd_count);

        if (rc == -EAGAIN || rc == -ETOOMANYREFS)
            return;
        if (rc < 0) {
            lose(link, rc);
            return;
        }
        link->queue = packet->next;
        if (!link->queue)
            link->queue_end = &link->queue;
        free_packet(packet);
    }
    if (link->is_closing)
        finish_close(link);
    else
        (void)want(link);
}

static void receive(struct colony_link *link)
{
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t fd_count;

    colony_log_hold(); /* what follows from an end is ordered before it is told */
    for (int i = 0; i < MESSAGES_A_TURN && !link->is_lost && !link->is_closing; i++) {
        int rc = colony_message_receive(link->fd, &message, fds, &fd_count);

        if (rc == -EAGAIN)
            break;
        if (rc < 0) { /* lost descriptors (MSG_CTRUNC) are lost output: begin anew */
            lose(link, rc);
            break;
        }
        link->cb(&message, fds, fd_count, link->data);
    }
    colony_log_flush();
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct colony_link *link = poll->data;

    if (!link->is_closing && (events & UV_READABLE || status < 0))
        receive(link);
    if (!link->is_lost && !link->is_closed && events & UV_WRITABLE)
        send_queue(link);
}

int colony_link_new(struct colony_link **out, struct uv_loop_s *loop, int fd, colony_link_cb cb,
                    void *data)
{
    struct colony_link *link = calloc(1, sizeof *link);
    int rc;

    if (!link)
        return -ENOMEM;
    link->fd = fd;
    link->cb = cb;
    link->data = data;
    link->queue_end = &link->queue;
    rc = uv_poll_init(loop, &link->poll, fd);
    if (rc < 0) {
        free(link);
        return rc;
    }
    link->poll.data = link;
    (void)want(link);
    *out = link;
    return 0;
}

int colony_link_error(const struct colony_link *link)
{
    return link->error;
}

void colony_link_drop(struct colony_link *link)
{
    link->is_lost = true;
    (void)uv_poll_stop(&link->poll);
}

/* What was said before is still sent: the keeper must hear the last order of all. */
void colony_link_close(struct colony_link *link, colony_link_close_cb cb, void *data)
{
    link->is_closing = true;
    link->close_cb = cb;
    link->close_data = data;
    if (!link->queue || link->is_lost)
        finish_close(link);
    else
        (void)uv_poll_start(&link->poll, UV_WRITABLE, on_poll); /* nobody listens any more */
}

static int enqueue(struct colony_link *link, const struct colony_message *message, const int *fds,
                   size_t fd_count)
{
    size_t size = colony_message_size(message);
    struct packet *packet = calloc(1, offsetof(struct packet, message) + size);

    if (!packet)
        return -ENOMEM;
    memcpy(&packet->message, message, size);
    for (; packet->fd_count < fd_count; packet->fd_count++) {
        int fd = fcntl(fds[packet->fd_count], F_DUPFD_CLOEXEC, 0);

        if (fd < 0) {
            free_packet(packet);
            return -EMFILE;
        }
        packet->fds[packet->fd_count] = fd;
    }
    *link->queue_end = packet;
    link->queue_end = &packet->next;
    return want(link);
}

int colony_link_send(struct colony_link *link, struct colony_message *message, const int *fds,
                     size_t fd_count)
{
    int rc = -EAGAIN;

    message->version = COLONY_PROTOCOL_VERSION;
    if (link->is_lost || link->is_closing)
        return -ESHUTDOWN;
    if (!link->queue)
        rc = colony_message_send(link->fd, message, fds, fd_count);
    if (rc == -EAGAIN || rc == -ETOOMANYREFS)
        return enqueue(link, message, fds, fd_count);
    return rc < 0 ? -ESHUTDOWN : 0; /* that it is lost is told by the poll */
}
