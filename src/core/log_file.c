/* SPDX-License-Identifier: Apache-2.0 */
/* log_file.c - one log: from the pipe to the file, rotated at line ends, exact when it is full. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "core/logs_internal.h"

enum {
    TURN_BYTES = 1 << 20,      /* then it is another log's turn */
    LONG_LINE_BYTES = 1 << 20, /* over the size by this much, a line is torn after all */
};

static void close_file(struct colony_log *log)
{
    if (log->file_fd >= 0)
        (void)close(log->file_fd);
    log->file_fd = -1;
}

static int open_file(struct colony_log *log)
{
    struct stat info;

    log->file_fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    if (log->file_fd < 0)
        return -errno;
    if (fstat(log->file_fd, &info) < 0)
        return -errno;
    log->offset = S_ISREG(info.st_mode) ? info.st_size : 0;
    log->cannot_splice = !S_ISREG(info.st_mode);
    return 0;
}

/* Somebody may have emptied or removed the file under us; its end is where we go on. */
static int check_file(struct colony_log *log)
{
    struct stat info;

    if (log->file_fd >= 0 && fstat(log->file_fd, &info) == 0 && info.st_nlink > 0) {
        if (!log->cannot_splice)
            log->offset = info.st_size;
        return 0;
    }
    close_file(log);
    return open_file(log);
}

static void rotated_name(const struct colony_log *log, char *out, size_t size, uint32_t number)
{
    if (number == 0)
        (void)snprintf(out, size, "%s", log->path);
    else
        (void)snprintf(out, size, "%s.%u", log->path, number);
}

/* The oldest goes first: renaming onto a file costs more than unlinking it before. */
static int rotate(struct colony_log *log)
{
    char from[COLONY_LOG_PATH_MAX];
    char to[COLONY_LOG_PATH_MAX];
    int rc;

    close_file(log);
    rotated_name(log, to, sizeof to, log->settings.count);
    if (unlink(to) < 0 && errno != ENOENT)
        colony_log(SEVERITY_WARNING, "cannot remove %s: %s", to, strerror(errno));
    for (uint32_t i = log->settings.count; i > 0; i--) {
        rotated_name(log, from, sizeof from, i - 1);
        rotated_name(log, to, sizeof to, i);
        if (rename(from, to) < 0 && errno != ENOENT)
            colony_log(SEVERITY_WARNING, "cannot rename %s: %s", from, strerror(errno));
    }
    rc = open_file(log);
    /* Where nothing could be renamed the file goes on, and rotating is tried again later. */
    log->limit = log->settings.size_bytes;
    if ((uint64_t)log->offset >= log->limit)
        log->limit += (uint64_t)log->offset;
    return rc;
}

static size_t count_lines(const char *bytes, size_t size)
{
    const char *end = bytes + size;
    size_t lines = 0;

    while (bytes < end && (bytes = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        lines++;
        bytes++;
    }
    return lines;
}

/* Takes bytes out of the pipe that cannot be kept. */
static ssize_t drop(struct colony_log *log, char *buffer)
{
    ssize_t count = read(log->pipe_fd, buffer, LOG_COPY_BYTES);

    if (count > 0) {
        (void)atomic_fetch_add(&log->dropped_bytes, (uint64_t)count);
        (void)atomic_fetch_add(&log->dropped_lines, count_lines(buffer, (size_t)count));
        colony__log_tee_copy(log, buffer, (size_t)count);
    }
    return count;
}

/* For a file that takes no splice: what an engine killed between the two calls has read is lost. */
static ssize_t copy(struct colony_log *log, char *buffer, size_t size)
{
    ssize_t count = read(log->pipe_fd, buffer, size < LOG_COPY_BYTES ? size : LOG_COPY_BYTES);
    ssize_t done = 0;

    if (count > 0)
        colony__log_tee_copy(log, buffer, (size_t)count);
    while (done < count) {
        ssize_t written = write(log->file_fd, buffer + done, (size_t)(count - done));

        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            (void)atomic_fetch_add(&log->dropped_bytes, (uint64_t)(count - done));
            (void)atomic_fetch_add(&log->dropped_lines,
                                   count_lines(buffer + done, (size_t)(count - done)));
            return written;
        }
        done += written > 0 ? written : 0;
    }
    return count;
}

static ssize_t move_block(struct colony_log *log, size_t size, char *buffer, const int peek[2])
{
    ssize_t count;

    if (log->cannot_splice)
        return copy(log, buffer, size);
    size = colony__log_tee(log, size, buffer, peek);
    count = splice(log->pipe_fd, NULL, log->file_fd, &log->offset, size,
                   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count > 0)
        colony__log_tee_moved(log, (size_t)count);
    if (count >= 0 || errno != EINVAL)
        return count;
    log->cannot_splice = true;
    if (lseek(log->file_fd, log->offset, SEEK_SET) < 0 && errno != ESPIPE)
        return -1;
    return copy(log, buffer, size);
}

static bool ends_with_newline(const struct colony_log *log)
{
    char last = '\0';

    return log->offset > 0 && pread(log->file_fd, &last, 1, log->offset - 1) == 1 && last == '\n';
}

/* How much of what waits in the pipe ends the line, looked up without taking it; 0: no end yet. */
static size_t peek_line_end(const struct colony_log *log, char *buffer, const int peek[2])
{
    ssize_t count = tee(log->pipe_fd, peek[1], LOG_COPY_BYTES, SPLICE_F_NONBLOCK);
    const char *newline;

    if (count > 0)
        count = read(peek[0], buffer, (size_t)count);
    newline = count > 0 ? memchr(buffer, '\n', (size_t)count) : NULL;
    return newline ? (size_t)(newline - buffer) + 1 : 0;
}

/*
 * At the size limit: how much may still go into this file. A file ends with a whole line, unless
 * one is longer than LONG_LINE_BYTES.
 */
static size_t rest_of_file(struct colony_log *log, char *buffer, const int peek[2])
{
    uint64_t offset = (uint64_t)log->offset;
    uint64_t limit = log->limit;
    size_t rest;

    if (log->cannot_splice || limit == 0)
        return TURN_BYTES;
    if (offset < limit)
        return limit - offset < TURN_BYTES ? (size_t)(limit - offset) : TURN_BYTES;
    if (ends_with_newline(log) || offset >= limit + LONG_LINE_BYTES)
        return 0;
    rest = peek_line_end(log, buffer, peek);
    return rest > 0 ? rest : LOG_COPY_BYTES;
}

static void set_full(struct colony_log *log, int error)
{
    if (!log->is_full)
        colony_log(SEVERITY_ERROR, "cannot write %s: %s: %s", log->path, strerror(error),
                   log->settings.on_full == LOG_FULL_DROP
                       ? "output is dropped and counted until it can be"
                       : "the process waits until it can be");
    log->is_full = true;
}

/* What happens to output that the file does not take. */
static enum colony_move_result handle_full(struct colony_log *log, char *buffer, int error)
{
    set_full(log, error);
    if (log->settings.on_full == LOG_FULL_BLOCK && !log->is_closing)
        return MOVE_BLOCKED;
    return drop(log, buffer) > 0 ? MOVE_MORE : MOVE_EMPTY;
}

static bool has_output(const struct colony_log *log)
{
    int waiting = 0;

    return ioctl(log->pipe_fd, FIONREAD, &waiting) < 0 || waiting > 0;
}

enum colony_move_result colony__log_move(struct colony_log *log, char *buffer, const int peek[2])
{
    size_t moved = 0;
    int rc;

    if (log->is_closing && !has_output(log))
        return MOVE_EMPTY; /* no file is made for nothing */
    rc = check_file(log);
    while (rc == 0 && moved < TURN_BYTES) {
        size_t rest = rest_of_file(log, buffer, peek);
        ssize_t count;

        if (rest == 0) {
            rc = rotate(log);
            continue;
        }
        count = move_block(log, rest, buffer, peek);
        if (count == 0 || (count < 0 && (errno == EAGAIN || errno == EINTR)))
            return MOVE_EMPTY;
        if (count < 0) {
            rc = -errno;
            break;
        }
        if (log->is_full)
            colony_log(SEVERITY_INFO, "%s can be written again", log->path);
        log->is_full = false;
        moved += (size_t)count;
        if ((uint64_t)count >= log->pipe_bytes)
            log->pipe_bytes = colony__log_grow_pipe(log->logs, log->pipe_fd, log->pipe_bytes);
    }
    return rc < 0 ? handle_full(log, buffer, -rc) : MOVE_MORE;
}
