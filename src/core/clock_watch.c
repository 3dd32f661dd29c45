/* SPDX-License-Identifier: Apache-2.0 */
/* clock_watch.c - a timer that is never meant to expire, and is cancelled when the clock is set. */
#include "core/clock_watch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/error.h"

#define FAR_AWAY_S (INT64_C(1) << 32) /* 136 years */

struct colony_clock_watch {
    uv_poll_t poll;
    int fd;
    colony_clock_watch_cb cb;
    colony_clock_watch_cb closed;
    void *data;
};

static int arm(int fd)
{
    struct itimerspec spec = {0};

    if (clock_gettime(CLOCK_REALTIME, &spec.it_value) < 0)
        return -errno;
    spec.it_value.tv_sec += FAR_AWAY_S;
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) < 0
               ? -errno
               : 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct colony_clock_watch *watch = poll->data;
    uint64_t expired;

    (void)status;
    (void)events;
    if (read(watch->fd, &expired, sizeof expired) < 0 && errno == EAGAIN)
        return;
    (void)arm(watch->fd);
    watch->cb(watch->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct colony_clock_watch *watch = handle->data;
    colony_clock_watch_cb closed = watch->closed;
    void *data = watch->data;

    (void)close(watch->fd);
    free(watch);
    if (closed)
        closed(data);
}

int colony_clock_watch_new(struct colony_clock_watch **out, struct uv_loop_s *loop,
                           colony_clock_watch_cb cb, void *data, struct colony_error *err)
{
    struct colony_clock_watch *watch = calloc(1, sizeof *watch);
    int rc = -ENOMEM;

    if (!watch)
        return colony_fail(err, rc, "cannot watch the clock: out of memory");
    watch->cb = cb;
    watch->data = data;
    watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    rc = watch->fd < 0 ? -errno : arm(watch->fd);
    if (rc == 0)
        rc = uv_poll_init(loop, &watch->poll, watch->fd);
    if (rc < 0) {
        if (watch->fd >= 0)
            (void)close(watch->fd);
        free(watch);
        return colony_fail_os(err, rc, "cannot watch the clock");
    }
    watch->poll.data = watch;
    uv_unref((uv_handle_t *)&watch->poll);
    rc = uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    if (rc == 0)
        *out = watch;
    else
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    return rc == 0 ? 0 : colony_fail_os(err, rc, "cannot watch the clock");
}

void colony_clock_watch_close(struct colony_clock_watch *watch, colony_clock_watch_cb closed)
{
    if (!watch)
        return;
    watch->closed = closed;
    uv_ref((uv_handle_t *)&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}
