/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_tap.c - output as it passes: copied by tee(2) into a pipe of the engine's own, read on the
 * loop and handed to all who tap. There is such a pipe only while somebody does, and the log does
 * not wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <uv.h>

#include "core/logs_internal.h"

enum {
    TEE_PIPE_BYTES = 1 << 20,
    SMALL_BYTES = 4096, /* PIPE_BUF: written whole or not at all */
    READS_A_TURN = 8,
};

struct colony_log_tap {
    struct colony_log_tap *next;
    struct colony__tee *tee;
    colony_log_output_cb cb; /* NULL: taken off */
    void *data;
    size_t skip;    /* what was in the pipe before it */
    size_t left;    /* it ends after so many bytes of the pipe at most */
    bool is_ending; /* that counts; and, once it is drained, it ends where the pipe does */
    bool has_end;
    bool is_mark;         /* it does not end there, but hears of it */
    uint64_t lost_before; /* of the log, when it was last asked */
};

/* The pipe of one log; loop thread only. */
struct colony__tee {
    uv_poll_t poll;
    struct colony_logs *logs;
    struct colony_log *log; /* NULL: it was closed, or takes nobody here any more */
    struct colony_log_tap *taps;
    int fd;
    uint64_t lost; /* of the log, when that was closed */
    bool is_telling;
};

/* Both sides'; under the lock. */

void colony__log_take_tee_locked(struct colony_log *log)
{
    int wanted = atomic_load(&log->tee_wanted);

    if (log->tee_fd == wanted)
        return;
    if (log->tee_fd >= 0)
        (void)close(log->tee_fd);
    log->tee_fd = wanted;
}

static void want_tee(struct colony_log *log, int fd)
{
    int before;

    (void)pthread_mutex_lock(&log->logs->lock);
    before = atomic_exchange(&log->tee_wanted, fd);
    if (before >= 0 && before != log->tee_fd)
        (void)close(before); /* the mover has never had it */
    if (log->logs->busy != log && !log->is_stalled)
        colony__log_take_tee_locked(log);
    (void)pthread_mutex_unlock(&log->logs->lock);
}

/* The mover's side. */

/* True: somebody taps. */
static bool refresh_tee(struct colony_log *log)
{
    if (atomic_load(&log->tee_wanted) != log->tee_fd) {
        (void)pthread_mutex_lock(&log->logs->lock);
        colony__log_take_tee_locked(log);
        (void)pthread_mutex_unlock(&log->logs->lock);
    }
    return log->tee_fd >= 0;
}

static void count_dropped(struct colony_log *log, size_t size)
{
    (void)atomic_fetch_add(&log->tee_dropped, size);
}

void colony__log_tee_copy(struct colony_log *log, const char *bytes, size_t size)
{
    size_t skipped = log->teed < size ? log->teed : size;
    ssize_t written;

    log->teed -= skipped;
    bytes += skipped;
    size -= skipped;
    if (!refresh_tee(log) || size == 0)
        return;
    written = write(log->tee_fd, bytes, size);
    if (written < (ssize_t)size)
        count_dropped(log, size - (size_t)(written > 0 ? written : 0));
}

/*
 * Each block that is teed fills one of the pipe's 256 places, however short it is: a process that
 * writes line by line would fill it with little. So what is short is read and written, which packs.
 */
static ssize_t tee_small(struct colony_log *log, size_t size, char *buffer, const int peek[2])
{
    ssize_t count = tee(log->pipe_fd, peek[1], size, SPLICE_F_NONBLOCK);

    if (count > 0)
        count = read(peek[0], buffer, (size_t)count);
    if (count > 0)
        colony__log_tee_copy(log, buffer, (size_t)count);
    return count;
}

size_t colony__log_tee(struct colony_log *log, size_t size, char *buffer, const int peek[2])
{
    ssize_t count;
    int waiting;

    /*
     * Counted before the look at who taps, and no more than that is moved: what a process writes
     * that began after the tap was made cannot go past it.
     */
    if (ioctl(log->pipe_fd, FIONREAD, &waiting) == 0 && waiting >= 0 && (size_t)waiting < size)
        size = (size_t)waiting;
    if (log->teed > 0)
        return log->teed < size ? log->teed : size; /* the file did not take it then */
    if (!refresh_tee(log) || size == 0)
        return size;
    if (size <= SMALL_BYTES)
        count = tee_small(log, size, buffer, peek);
    else
        count = tee(log->pipe_fd, log->tee_fd, size, SPLICE_F_NONBLOCK);
    if (count <= 0)
        count_dropped(log, size); /* it is full: the log goes on without it */
    else
        size = (size_t)count; /* just what was copied, so that nothing is copied twice or missed */
    log->teed = size;
    return size;
}

void colony__log_tee_moved(struct colony_log *log, size_t size)
{
    log->teed -= log->teed < size ? log->teed : size;
}

/* The loop's side. */

static void on_closed(uv_handle_t *handle)
{
    struct colony__tee *tee = handle->data;
    struct colony_logs *logs = tee->logs;

    (void)close(tee->fd);
    free(tee);
    colony__logs_on_handle_closed(logs);
}

/* Nothing comes any more. */
static void leave_log(struct colony__tee *tee)
{
    struct colony_log *log = tee->log;

    if (!log)
        return;
    tee->lost = atomic_load(&log->tee_dropped);
    tee->log = NULL;
    log->tee = NULL;
    log->own_tap = NULL;
    want_tee(log, -1);
}

/* Frees those that were taken off; without any the pipe goes. */
static void sweep(struct colony__tee *tee)
{
    struct colony_log_tap **link = &tee->taps;

    while (*link) {
        struct colony_log_tap *tap = *link;

        if (tap->cb) {
            link = &tap->next;
            continue;
        }
        *link = tap->next;
        free(tap);
    }
    if (tee->taps || uv_is_closing((uv_handle_t *)&tee->poll))
        return;
    leave_log(tee);
    uv_close((uv_handle_t *)&tee->poll, on_closed);
}

static void tell_end(struct colony_log_tap *tap)
{
    colony_log_output_cb cb = tap->cb;

    tap->cb = NULL;
    if (cb)
        cb("", 0, tap->data);
}

/* It has all up to where it was to end, or to hear a mark. */
static void tell_reached(struct colony_log_tap *tap)
{
    if (!tap->is_mark || !tap->cb) {
        tell_end(tap);
        return;
    }
    tap->is_mark = false;
    tap->is_ending = false;
    tap->has_end = false;
    tap->cb(NULL, 0, tap->data);
}

/* How many of the bytes are before its end or mark. */
static size_t tell_part(struct colony_log_tap *tap, const char *bytes, size_t size)
{
    size_t taken = tap->is_ending && tap->left < size ? tap->left : size;
    size_t skipped = tap->skip < taken ? tap->skip : taken;

    tap->skip -= skipped;
    tap->left -= tap->is_ending ? taken : 0;
    if (tap->cb && skipped < taken)
        tap->cb(bytes + skipped, taken - skipped, tap->data);
    if (tap->is_ending && tap->left == 0)
        tell_reached(tap);
    return taken;
}

static void tell_one(struct colony_log_tap *tap, const char *bytes, size_t size)
{
    size_t taken = tell_part(tap, bytes, size);

    if (taken < size && tap->cb)
        (void)tell_part(tap, bytes + taken, size - taken); /* what is behind the mark */
    if (size == 0)
        tell_end(tap);
}

static void tell(struct colony__tee *tee, const char *bytes, size_t size)
{
    tee->is_telling = true;
    for (struct colony_log_tap *tap = tee->taps; tap; tap = tap->next)
        tell_one(tap, bytes, size);
    tee->is_telling = false;
    sweep(tee);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct colony__tee *tee = poll->data;
    char *buffer = tee->logs->tap_bytes;

    (void)events;
    for (int i = 0; i < READS_A_TURN && !uv_is_closing((uv_handle_t *)poll); i++) {
        ssize_t count = status < 0 ? 0 : read(tee->fd, buffer, LOG_COPY_BYTES);

        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0)
            leave_log(tee);
        tell(tee, buffer, count > 0 ? (size_t)count : 0);
    }
}

/* Has @log teed into a pipe from now on. */
static int make_tee(struct colony_log *log)
{
    struct colony__tee *tee = calloc(1, sizeof *tee);
    int ends[2] = {-1, -1};
    int rc;

    if (!tee)
        return -ENOMEM;
    rc = pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
    (void)fcntl(ends[0], F_SETPIPE_SZ, TEE_PIPE_BYTES); /* as large as it may be */
    if (rc == 0)
        rc = uv_poll_init(log->logs->loop, &tee->poll, ends[0]);
    if (rc < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(tee);
        return rc;
    }
    tee->poll.data = tee;
    tee->logs = log->logs;
    tee->log = log;
    tee->fd = ends[0];
    log->tee = tee;
    log->logs->open_handles++;
    (void)uv_poll_start(&tee->poll, UV_READABLE | UV_DISCONNECT, on_readable);
    want_tee(log, ends[1]);
    return 0;
}

int colony_log_tap(struct colony_log *log, colony_log_output_cb cb, void *data,
                   struct colony_log_tap **out)
{
    struct colony_log_tap *tap = calloc(1, sizeof *tap);
    int waiting = 0; /* in the pipe, from before this tap */
    int rc = tap ? 0 : -ENOMEM;

    if (rc == 0 && !log->tee)
        rc = make_tee(log);
    else if (rc == 0 && ioctl(log->tee->fd, FIONREAD, &waiting) < 0)
        rc = -errno;
    if (rc < 0) {
        free(tap);
        return rc;
    }
    tap->tee = log->tee;
    tap->lost_before = atomic_load(&log->tee_dropped);
    tap->cb = cb;
    tap->data = data;
    tap->skip = (size_t)waiting;
    tap->next = tap->tee->taps; /* first: what is told just now is not for one made meanwhile */
    tap->tee->taps = tap;
    if (out)
        *out = tap;
    return 0;
}

void colony_log_untap(struct colony_log_tap *tap)
{
    if (!tap)
        return;
    tap->cb = NULL;
    if (!tap->tee->is_telling)
        sweep(tap->tee);
}

void colony_log_end_tap(struct colony_log_tap *tap)
{
    struct colony_log *log = tap->tee->log;

    int written = 0;
    int teed = 0;

    if (!log || tap->is_ending)
        return; /* it ends in any case */
    /* In this order, nothing is left out; what is being moved just now is counted twice. */
    if (ioctl(log->pipe_fd, FIONREAD, &written) < 0 || ioctl(tap->tee->fd, FIONREAD, &teed) < 0)
        return;
    tap->is_ending = true;
    tap->left = (size_t)written + (size_t)teed;
    (void)pthread_mutex_lock(&log->logs->lock);
    colony__log_drain_locked(log);
    (void)pthread_mutex_unlock(&log->logs->lock);
}

void colony__log_end_taps(struct colony_log *log)
{
    struct colony__tee *tee = log->tee;
    int waiting = 0;

    if (!tee)
        return;
    if (ioctl(tee->fd, FIONREAD, &waiting) < 0)
        waiting = 0;
    tee->is_telling = true;
    for (struct colony_log_tap *tap = tee->taps; tap; tap = tap->next) {
        if (!tap->is_ending || tap->has_end)
            continue;
        tap->has_end = true;
        if ((size_t)waiting < tap->left)
            tap->left = (size_t)waiting;
        if (tap->left == 0)
            tell_reached(tap);
    }
    tee->is_telling = false;
    sweep(tee);
}

void colony_log_mark(struct colony_log *log)
{
    if (!log->own_tap)
        return;
    log->own_tap->is_mark = true;
    colony_log_end_tap(log->own_tap);
}

uint64_t colony_log_tap_lost(struct colony_log_tap *tap)
{
    const struct colony_log *log = tap->tee->log;
    uint64_t lost = log ? atomic_load(&log->tee_dropped) : tap->tee->lost;
    uint64_t since = lost - tap->lost_before;

    tap->lost_before = lost;
    return since;
}

void colony__log_end_tee(struct colony_log *log)
{
    if (log->tee) {
        log->tee->lost = atomic_load(&log->tee_dropped);
        log->tee->log = NULL;
    }
    log->tee = NULL;
}

uint64_t colony_log_tap_dropped(const struct colony_log *log)
{
    return atomic_load(&log->tee_dropped);
}
