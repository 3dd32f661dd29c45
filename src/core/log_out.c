/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log_out_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    KEPT_MAX = 64 * 1024,
    STACK_SIZE = 256 * 1024,
    FINISH_SECONDS = 1,
    FULL_AGAIN_MS = 50,
};

static enum {
    WAITS,       /* a plain write: a file, or whoever never asked for more */
    NEVER_WAITS, /* O_NONBLOCK is its own */
    SOCKET,      /* is asked for each write */
    LOOK_FIRST,  /* shared with others, and may not be opened anew */
} kind;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    char text[KEPT_MAX];
    size_t from, size;
    uint64_t lost;       /* lines, not told yet */
    uint64_t being_told; /* of which the line at the front of @text tells */
    bool has_thread;     /* which alone writes, then */
    colony__log_lost_cb lost_cb;
} out = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

/* Of another open file: O_NONBLOCK of this one would be that of the user's shell, too. */
static bool open_anew(void)
{
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool is_done = fd >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO;

    if (fd >= 0)
        (void)close(fd);
    return is_done;
}

void colony__log_out_never_wait(colony__log_lost_cb lost)
{
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    struct stat info;

    out.lost_cb = lost;
    if (flags < 0 || fstat(STDERR_FILENO, &info) < 0)
        return;
    if (S_ISSOCK(info.st_mode))
        kind = SOCKET;
    else if (flags & O_NONBLOCK)
        kind = NEVER_WAITS;
    else if (S_ISFIFO(info.st_mode) || isatty(STDERR_FILENO))
        kind = open_anew() ? NEVER_WAITS : LOOK_FIRST;
}

static bool has_room(int timeout_ms)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&room, 1, timeout_ms) == 1;
}

/* Bytes written, or negative errno; -EAGAIN: it would wait. */
static ssize_t write_at_once(const char *text, size_t size)
{
    ssize_t written;

    if (kind == LOOK_FIRST && !has_room(0))
        return -EAGAIN;
    if (kind == LOOK_FIRST && size > PIPE_BUF)
        size = PIPE_BUF; /* for which there is room in a pipe that has any */
    do {
        written = kind == SOCKET ? send(STDERR_FILENO, text, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write(STDERR_FILENO, text, size);
    } while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}

static uint64_t count_lines(const char *text, size_t size)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

/* A log that cannot be written has nowhere to be told, until it can. */
static void lose_kept(void)
{
    out.lost += count_lines(out.text + out.from, out.size);
    if (out.being_told > 0)
        out.lost += out.being_told - 1;
    out.being_told = 0;
    out.size = 0;
}

static void take_written(size_t size)
{
    out.being_told = 0;
    out.from += size;
    out.size -= size;
}

/* Only where nothing is kept: the number stands where the lines would. */
static void keep_lost(void)
{
    out.from = 0;
    out.size = out.lost_cb ? out.lost_cb(out.text, sizeof out.text, out.lost) : 0;
    out.being_told = out.size > 0 ? out.lost : 0;
    out.lost = 0;
}

static void keep(const char *lines, size_t size)
{
    if (out.size == 0 && out.lost > 0 && !out.has_thread)
        keep_lost();
    if (out.lost > 0 || size > sizeof out.text - out.size) {
        out.lost += count_lines(lines, size);
        return; /* also what there is room for again: after the gap only once it was told */
    }
    if (out.size == 0 || size > sizeof out.text - out.from - out.size) {
        memmove(out.text, out.text + out.from, out.size);
        out.from = 0;
    }
    memcpy(out.text + out.from + out.size, lines, size);
    out.size += size;
}

static ssize_t write_when_possible(const char *text, size_t size)
{
    for (;;) {
        ssize_t written;

        (void)has_room(-1);
        written = write_at_once(text, size);
        if (written != -EAGAIN)
            return written;
        (void)poll(NULL, 0, FULL_AGAIN_MS); /* a terminal with room for less than a newline */
    }
}

static void *write_kept(void *data)
{
    (void)pthread_mutex_lock(&out.mutex);
    while (out.size > 0 || out.lost > 0) {
        char piece[PIPE_BUF];
        size_t size;
        ssize_t written;

        if (out.size == 0)
            keep_lost();
        size = out.size < sizeof piece ? out.size : sizeof piece;
        memcpy(piece, out.text + out.from, size);
        (void)pthread_mutex_unlock(&out.mutex);
        written = write_when_possible(piece, size);
        (void)pthread_mutex_lock(&out.mutex);
        if (written < 0) {
            lose_kept();
            break;
        }
        take_written((size_t)written);
    }
    out.has_thread = false;
    (void)pthread_cond_broadcast(&out.done);
    (void)pthread_mutex_unlock(&out.mutex);
    return data;
}

/* Its signals are another's: it does nothing but write. */
static void start_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    out.has_thread = pthread_create(&thread, &attributes, write_kept, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
}

static void write_kept_at_once(void)
{
    while (out.size > 0) {
        ssize_t written = write_at_once(out.text + out.from, out.size);

        if (written == -EAGAIN) {
            start_thread(); /* without one the next line tries again */
            return;
        }
        if (written < 0)
            lose_kept();
        else
            take_written((size_t)written);
    }
}

void colony__log_out(const char *lines, size_t size)
{
    (void)pthread_mutex_lock(&out.mutex);
    keep(lines, size);
    if (!out.has_thread)
        write_kept_at_once();
    (void)pthread_mutex_unlock(&out.mutex);
}

void colony__log_out_finish(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FINISH_SECONDS;
    (void)pthread_mutex_lock(&out.mutex);
    while (out.has_thread)
        if (pthread_cond_timedwait(&out.done, &out.mutex, &until) != 0)
            break;
    (void)pthread_mutex_unlock(&out.mutex);
}
