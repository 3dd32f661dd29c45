/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_output.c - what runs have written, line by line, on our own standard output.
 *
 * Nothing waits for its reader: what it does not take is kept, up to a limit. Its descriptor is
 * shared with whoever started us, so it is not made non-blocking: the kernel tells when a pipe has
 * room for PIPE_BUF bytes, and no more are written at once.
 *
 * A pipe that fails has no reader any more: all comes to its end. A file that fails may take lines
 * again as soon as its disk has room: until then they are left out and counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "commands.h"
#include "core/error.h"
#include "schedule_internal.h"

enum {
    PREFIX_MAX = 8, /* `[1] `, and the end of the line */
};

static void write_some(struct schedule_output *output)
{
    size_t size = output->used < PIPE_BUF ? output->used : PIPE_BUF;
    ssize_t done = write(STDOUT_FILENO, output->bytes, size);

    if (done < 0 && errno != EINTR && errno != EAGAIN)
        output->error = -errno;
    if (done <= 0)
        return;
    output->used -= (size_t)done;
    memmove(output->bytes, output->bytes + done, output->used);
}

static void on_writable(uv_poll_t *poll, int status, int events);

/* Asks to be told when stdout takes some, or no more. */
static void set_polling(struct schedule_output *output)
{
    bool is_needed = output->used > 0 && output->error == 0;

    if (is_needed == output->is_polling)
        return;
    output->is_polling = is_needed;
    if (!is_needed)
        (void)uv_poll_stop(&output->poll);
    else
        output->error = uv_poll_start(&output->poll, UV_READABLE, on_writable);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct schedule_output *output = poll->data;

    (void)status;
    (void)events;
    write_some(output);
    if (output->error != 0)
        output->used = 0; /* nobody takes it any more, and what runs need not wait for that */
    set_polling(output);
    output->on_change(output->data);
}

/*
 * A file takes all at once, and cannot be watched: each line is a new try. What is left of the one
 * that failed is kept, so that the next does not go on in the middle of it. False: it is full.
 */
static bool write_file(struct schedule_output *output)
{
    int before = output->error;

    output->error = 0;
    while (output->used > 0 && output->error == 0)
        write_some(output);
    if (output->error != 0 && before == 0)
        colony_options_complain(&colony_schedule_usage,
                                "cannot write to standard output: %s: until it can be written, "
                                "lines are left out",
                                strerror(-output->error));
    if (output->error == 0 && before != 0) {
        colony_options_complain(&colony_schedule_usage,
                                "standard output can be written again: %" PRIu64
                                " lines were left out",
                                output->lost_lines);
        output->lost_lines = 0;
    }
    return output->error == 0;
}

int schedule_output_init(struct schedule_output *output, uv_loop_t *loop,
                         schedule_output_cb on_change, void *data, struct colony_error *err)
{
    struct epoll_event event = {.events = EPOLLOUT};
    int rc;

    output->on_change = on_change;
    output->data = data;
    output->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (output->epoll_fd < 0)
        return colony_fail_os(err, -errno, "cannot watch standard output");
    if (epoll_ctl(output->epoll_fd, EPOLL_CTL_ADD, STDOUT_FILENO, &event) < 0) {
        rc = -errno;
        (void)close(output->epoll_fd);
        output->epoll_fd = -1;
        return rc == -EPERM ? 0 : colony_fail_os(err, rc, "cannot watch standard output");
    }
    rc = uv_poll_init(loop, &output->poll, output->epoll_fd);
    if (rc < 0) {
        (void)close(output->epoll_fd);
        output->epoll_fd = -1;
        return colony_fail_os(err, rc, "cannot watch standard output");
    }
    output->poll.data = output;
    return 0;
}

bool schedule_output_has_room(const struct schedule_output *output)
{
    return SCHEDULE_OUTPUT_MAX - output->used >= SCHEDULE_LINE_MAX + PREFIX_MAX;
}

void schedule_output_line(struct schedule_output *output, int number, const char *line, size_t size)
{
    bool is_file = output->epoll_fd < 0;
    int prefix;

    if (output->error != 0 && !(is_file && write_file(output))) {
        output->lost_lines++;
        return;
    }
    prefix = snprintf(output->bytes + output->used, PREFIX_MAX, "[%d] ", number);
    output->used += (size_t)prefix;
    memcpy(output->bytes + output->used, line, size);
    output->used += size;
    output->bytes[output->used++] = '\n';
    if (is_file)
        (void)write_file(output);
    else
        set_polling(output);
}

static void on_closed(uv_handle_t *handle)
{
    struct schedule_output *output = handle->data;

    (void)close(output->epoll_fd);
    output->epoll_fd = -1;
}

void schedule_output_close(struct schedule_output *output)
{
    if (output->epoll_fd >= 0)
        uv_close((uv_handle_t *)&output->poll, on_closed);
    else if (output->error != 0 && !write_file(output))
        colony_options_complain(&colony_schedule_usage, "%" PRIu64 " lines were left out",
                                output->lost_lines + 1); /* with the one that is kept */
}
