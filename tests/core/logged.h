/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logged.h - a log with a pipe to write to and a loop that is turned until something is so.
 *
 * For forked children (CHECK): some change limits, mounts and users.
 */
#ifndef COLONY_TESTS_LOGGED_H
#define COLONY_TESTS_LOGGED_H

#include "../scratch.h"

#include <errno.h>

#include <uv.h>

#include "core/logs.h"

enum {
    STATUSES_MAX = 16,
};

struct logged {
    uv_loop_t loop;
    struct colony_logs *logs;
    struct colony_log *log;
    struct colony_log_settings settings;
    char path[256];
    int write_fd; /* kept to the end: the keeper holds a pipe open, too */
    int statuses[STATUSES_MAX];
    int status_count;
    bool is_closed;
};

/* LeakSanitizer's, where there is one: a forked child ends without its last look. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

static inline void on_log_status(void *owner, enum colony_log_status status, void *data)
{
    struct logged *logged = owner;

    CHECK(data == NULL);
    if (logged->status_count < STATUSES_MAX)
        logged->statuses[logged->status_count++] = (int)status;
}

static inline void on_logs_closed(void *data)
{
    ((struct logged *)data)->is_closed = true;
}

#define TURN_UNTIL(logged, condition)                                                              \
    do {                                                                                           \
        uint64_t until_ms = clock_ms() + DEADLINE_MS;                                              \
                                                                                                   \
        while (!(condition)) {                                                                     \
            CHECK(clock_ms() < until_ms && #condition);                                            \
            (void)uv_run(&(logged)->loop, UV_RUN_NOWAIT);                                          \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

/* One more log of @logged->logs; its write end is returned. */
static inline int open_log(struct logged *logged, const char *path, struct colony_log **log)
{
    struct colony_log_options options = {
        .path = path, .settings = &logged->settings, .owner = logged};
    int ends[2];

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    options.pipe_fd = ends[0];
    CHECK(colony_log_open(log, logged->logs, &options) == 0);
    return ends[1];
}

/* A log FOLDER/x.log, without limits unless @logged->settings has some. */
static inline void logged_init(struct logged *logged, const char *folder)
{
    (void)snprintf(logged->path, sizeof logged->path, "%s/x.log", folder);
    CHECK(uv_loop_init(&logged->loop) == 0);
    CHECK(colony_logs_new(&logged->logs, &logged->loop, on_log_status, NULL) == 0);
    logged->write_fd = open_log(logged, logged->path, &logged->log);
}

/* Moves what is left and ends all of it. */
static inline void logged_close(struct logged *logged)
{
    colony_logs_close(logged->logs, on_logs_closed, logged);
    CHECK(!logged->is_closed); /* never from inside close */
    TURN_UNTIL(logged, logged->is_closed);
    (void)uv_run(&logged->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&logged->loop) == 0);
    (void)close(logged->write_fd);
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
}

/* Writes all, turning the loop while the pipe is full. */
static inline void write_out(struct logged *logged, int fd, const char *bytes, size_t size)
{
    uint64_t until_ms = clock_ms() + DEADLINE_MS;

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (size > 0) {
        ssize_t count = write(fd, bytes, size < 60000 ? size : 60000);

        CHECK(count > 0 || errno == EAGAIN);
        CHECK(clock_ms() < until_ms);
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
            continue;
        }
        (void)uv_run(&logged->loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1);
    }
}

/* Writes as much as the pipe takes just now; returns how much that was. */
static inline size_t fill_pipe(int fd, const char *bytes, size_t size)
{
    size_t done = 0;

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (done < size) {
        ssize_t count = write(fd, bytes + done, size - done);

        if (count < 0)
            break;
        done += (size_t)count;
    }
    return done;
}

static inline off_t size_of(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? info.st_size : -1;
}

/* The whole of @path, appended to @text; -1: there is none. */
static inline ssize_t read_file(const char *path, char *text, size_t space)
{
    size_t size = 0;
    ssize_t count;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    while ((count = read(fd, text + size, space - size)) > 0)
        size += (size_t)count;
    (void)close(fd);
    CHECK(count == 0);
    return (ssize_t)size;
}

/* Numbered lines, @width bytes each with its newline (12 at least). */
static inline void make_lines(char *out, size_t count, size_t width)
{
    for (size_t i = 0; i < count; i++) {
        memset(out + i * width, 'a' + (int)(i % 26), width - 1);
        out[i * width + (size_t)snprintf(out + i * width, 12, "%010zu", i)] = ' ';
        out[(i + 1) * width - 1] = '\n';
    }
}

static inline size_t count_newlines(const char *bytes, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += bytes[i] == '\n';
    return count;
}

#endif
