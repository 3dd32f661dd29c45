/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_tap.c - output as it passes: copied by tee(2) into a pipe of the engine's own, read on the
 * loop. The log does not wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <uv.h>

#include "core/logs_internal.h"

enum {
    TAP_PIPE_BYTES = 1 << 20,
    READS_A_TURN = 8,
};

struct tap {
    uv_poll_t poll;
    struct colony_logs *logs;
    colony_log_output_cb cb;
    void *data;
    int fd;
};

/* The mover's side. */

size_t colony__log_tee(struct colony_log *log, size_t size)
{
    ssize_t count;
    int waiting;

    if (log->tee_fd < 0)
        return size;
    count = tee(log->pipe_fd, log->tee_fd, size, SPLICE_F_NONBLOCK);
    if (count > 0)
        return (size_t)count; /* just what was copied, so that nothing is copied twice or missed */
    /* Nothing waits, or the tap is full: then the log goes on without it. */
    if (count < 0 && ioctl(log->pipe_fd, FIONREAD, &waiting) == 0 && waiting > 0) {
        if ((size_t)waiting < size)
            size = (size_t)waiting;
        (void)atomic_fetch_add(&log->tee_dropped, size);
    }
    return size;
}

void colony__log_tee_copy(struct colony_log *log, const char *bytes, size_t size)
{
    ssize_t written;

    if (log->tee_fd < 0)
        return;
    written = write(log->tee_fd, bytes, size);
    if (written < (ssize_t)size)
        (void)atomic_fetch_add(&log->tee_dropped, size - (size_t)(written > 0 ? written : 0));
}

/* The loop's side. */

static void on_closed(uv_handle_t *handle)
{
    struct tap *tap = handle->data;
    struct colony_logs *logs = tap->logs;

    (void)close(tap->fd);
    free(tap);
    colony__logs_on_handle_closed(logs);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    static char buffer[LOG_COPY_BYTES]; /* loop thread only; nothing is kept in it */
    struct tap *tap = poll->data;

    (void)events;
    for (int i = 0; i < READS_A_TURN; i++) {
        ssize_t count = status < 0 ? 0 : read(tap->fd, buffer, sizeof buffer);

        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        tap->cb(buffer, count > 0 ? (size_t)count : 0, tap->data);
        if (count <= 0) {
            uv_close((uv_handle_t *)poll, on_closed);
            return;
        }
    }
}

int colony_log_tap(struct colony_log *log, colony_log_output_cb cb, void *data)
{
    struct tap *tap;
    int ends[2];
    int rc;

    if (log->has_tap)
        return -EBUSY;
    tap = calloc(1, sizeof *tap);
    if (!tap)
        return -ENOMEM;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        free(tap);
        return -EMFILE;
    }
    (void)fcntl(ends[0], F_SETPIPE_SZ, TAP_PIPE_BYTES); /* as large as it may be */
    *tap = (struct tap){.logs = log->logs, .cb = cb, .data = data, .fd = ends[0]};
    rc = uv_poll_init(log->logs->loop, &tap->poll, tap->fd);
    if (rc < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(tap);
        return rc;
    }
    tap->poll.data = tap;
    log->logs->open_handles++;
    log->has_tap = true;
    (void)uv_poll_start(&tap->poll, UV_READABLE | UV_DISCONNECT, on_readable);
    (void)pthread_mutex_lock(&log->logs->lock);
    log->tee_wanted = ends[1];
    (void)pthread_mutex_unlock(&log->logs->lock);
    return 0;
}

uint64_t colony_log_tap_dropped(const struct colony_log *log)
{
    return atomic_load(&log->tee_dropped);
}
