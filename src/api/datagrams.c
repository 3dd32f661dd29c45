/* SPDX-License-Identifier: Apache-2.0 */
#include "api/datagrams_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "api/events.h"
#include "core/address.h"
#include "core/error.h"
#include "core/log.h"

enum {
    BATCH = 32,
    BATCHES_PER_TURN = 8,
    SIZE_MAX_BYTES = 65536, /* more than UDP has */
    TELL_MS = 1000,
};

struct colony__datagrams {
    uv_poll_t poll;
    uv_timer_t timer; /* runs for a second after something bad was told */
    int fd;
    struct colony_inbox *inbox;
    bool is_local; /* others could show no token */
    uint64_t bad;  /* since the log was told */
    char reason[COLONY_ERROR_TEXT_MAX];
    int open_handles;
    colony__datagrams_closed_cb closed_cb;
    void *closed_data;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_storage peers[BATCH];
    char bytes[BATCH][SIZE_MAX_BYTES]; /* of which only those pages are ever had that are used */
};

uint64_t colony__datagrams_dropped(const struct colony__datagrams *datagrams)
{
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof info;

    if (getsockopt(datagrams->fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0)
        return 0;
    return info[SK_MEMINFO_DROPS];
}

void colony__datagrams_set_local(struct colony__datagrams *datagrams, bool is_local)
{
    datagrams->is_local = is_local;
}

/* --- what cannot be used ---------------------------------------------------------------------- */

static void tell(struct colony__datagrams *datagrams)
{
    if (datagrams->bad == 1)
        colony_log(SEVERITY_WARNING, "%s", datagrams->reason);
    else
        colony_log(SEVERITY_WARNING, "cannot use %" PRIu64 " datagrams, the last because: %s",
                   datagrams->bad, datagrams->reason);
    datagrams->bad = 0;
}

static void on_second_over(uv_timer_t *timer)
{
    struct colony__datagrams *datagrams = timer->data;

    if (datagrams->bad == 0)
        return;
    tell(datagrams);
    (void)uv_timer_start(timer, on_second_over, TELL_MS, 0);
}

static void complain(struct colony__datagrams *datagrams, const char *peer, const char *why)
{
    datagrams->bad++;
    (void)snprintf(datagrams->reason, sizeof datagrams->reason,
                   "cannot use a datagram from %s: %.*s", peer, COLONY_ERROR_TEXT_MAX - 128, why);
    if (uv_is_active((const uv_handle_t *)&datagrams->timer))
        return;
    tell(datagrams);
    (void)uv_timer_start(&datagrams->timer, on_second_over, TELL_MS, 0);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void take(struct colony__datagrams *datagrams, size_t i)
{
    const struct mmsghdr *message = &datagrams->messages[i];
    char peer[COLONY_ADDRESS_TEXT_MAX];
    struct colony_inbox_offer offer = {
        .json = datagrams->bytes[i],
        .size = message->msg_len,
        .via = INBOX_VIA_UDP,
        .peer = peer,
    };
    struct colony_error err;

    colony_address_format(&datagrams->peers[i], peer);
    if (datagrams->is_local && !colony_address_is_loopback(&datagrams->peers[i])) {
        colony_inbox_reject(datagrams->inbox);
        complain(datagrams, peer, "it shows no token, send the event by HTTP");
    } else if (message->msg_len == 0) {
        colony_inbox_reject(datagrams->inbox);
        complain(datagrams, peer, "it is empty");
    } else if (colony_inbox_offer(datagrams->inbox, &offer, NULL, &err) < 0) {
        complain(datagrams, peer, err.message);
    }
}

static int read_batch(struct colony__datagrams *datagrams)
{
    int count;

    for (size_t i = 0; i < BATCH; i++)
        datagrams->messages[i].msg_hdr.msg_namelen = sizeof datagrams->peers[i];
    count = recvmmsg(datagrams->fd, datagrams->messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        take(datagrams, (size_t)i);
    return count;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct colony__datagrams *datagrams = poll->data;

    (void)status, (void)events; /* an error of the socket is read away, too */
    colony_log_hold();          /* the lines of a batch are one write */
    for (int i = 0; i < BATCHES_PER_TURN; i++)
        if (read_batch(datagrams) < BATCH)
            break;
    colony_log_flush();
}

/* --- its life --------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct colony__datagrams *datagrams = handle->data;
    colony__datagrams_closed_cb cb = datagrams->closed_cb;
    void *data = datagrams->closed_data;

    if (--datagrams->open_handles > 0)
        return;
    (void)close(datagrams->fd);
    free(datagrams);
    if (cb)
        cb(data);
}

static void prepare(struct colony__datagrams *datagrams)
{
    for (size_t i = 0; i < BATCH; i++) {
        struct msghdr *head = &datagrams->messages[i].msg_hdr;

        datagrams->parts[i].iov_base = datagrams->bytes[i];
        datagrams->parts[i].iov_len = SIZE_MAX_BYTES;
        head->msg_iov = &datagrams->parts[i];
        head->msg_iovlen = 1;
        head->msg_name = &datagrams->peers[i];
    }
}

int colony__datagrams_new(struct colony__datagrams **out, struct uv_loop_s *loop, int fd,
                          struct colony_inbox *inbox, struct colony_error *err)
{
    struct colony__datagrams *datagrams = calloc(1, sizeof *datagrams);
    int rc;

    if (!datagrams)
        return colony_fail_os(err, -ENOMEM, "cannot take datagrams");
    datagrams->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    rc = datagrams->fd < 0 ? -errno : uv_poll_init(loop, &datagrams->poll, datagrams->fd);
    if (rc < 0) {
        if (datagrams->fd >= 0)
            (void)close(datagrams->fd);
        free(datagrams);
        return colony_fail_os(err, rc, "cannot take datagrams");
    }
    (void)uv_timer_init(loop, &datagrams->timer); /* never fails */
    datagrams->poll.data = datagrams->timer.data = datagrams;
    datagrams->open_handles = 2;
    datagrams->inbox = inbox;
    prepare(datagrams);
    *out = datagrams;
    return 0;
}

void colony__datagrams_start(struct colony__datagrams *datagrams)
{
    (void)uv_poll_start(&datagrams->poll, UV_READABLE, on_readable);
}

void colony__datagrams_stop(struct colony__datagrams *datagrams)
{
    (void)uv_poll_stop(&datagrams->poll);
    (void)uv_timer_stop(&datagrams->timer);
}

void colony__datagrams_close(struct colony__datagrams *datagrams, colony__datagrams_closed_cb cb,
                             void *data)
{
    datagrams->closed_cb = cb;
    datagrams->closed_data = data;
    colony__datagrams_stop(datagrams);
    uv_close((uv_handle_t *)&datagrams->poll, on_handle_closed);
    uv_close((uv_handle_t *)&datagrams->timer, on_handle_closed);
}
