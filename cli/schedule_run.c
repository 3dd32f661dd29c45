/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_run.c - one run of a command: in a session of its own, watched until it has exited and
 * closed its output, ended with its whole group when that takes too long.
 *
 * It is reaped last, so that the number of its group is nobody else's while signals are sent to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "schedule_internal.h"

enum {
    PIPE_READS_MAX = 32, /* as much as a pipe holds, several times over */
};

/* --- its output ------------------------------------------------------------------------------ */

static void finish(struct schedule_run *run);

static void on_stream_closed(uv_handle_t *handle)
{
    struct schedule_stream *stream = handle->data;

    (void)close(stream->fd);
    stream->fd = -1;
    stream->run->open_handles--;
    finish(stream->run);
}

static bool is_open(const struct schedule_stream *stream)
{
    return stream->fd >= 0 && !uv_is_closing((const uv_handle_t *)&stream->poll);
}

/* What it ends with, without an end of line. */
static void flush_line(struct schedule_stream *stream)
{
    if (stream->used > 0 && schedule_output_has_room(stream->run->output))
        schedule_output_line(stream->run->output, stream->number, stream->line, stream->used);
    stream->used = 0;
}

static void end_stream(struct schedule_stream *stream)
{
    if (!is_open(stream))
        return;
    flush_line(stream);
    uv_close((uv_handle_t *)&stream->poll, on_stream_closed);
}

/* Writes the whole lines, or all when there is not one in the whole buffer. False: no room left. */
static bool write_lines(struct schedule_stream *stream)
{
    while (schedule_output_has_room(stream->run->output)) {
        char *end = memchr(stream->line, '\n', stream->used);
        size_t size = end ? (size_t)(end - stream->line) : stream->used;

        if (!end && stream->used < sizeof stream->line)
            return true;
        schedule_output_line(stream->run->output, stream->number, stream->line, size);
        size += end != NULL;
        stream->used -= size;
        memmove(stream->line, stream->line + size, stream->used);
    }
    return false;
}

/* Reads once. False: there is nothing more for now, or ever. */
static bool read_some(struct schedule_stream *stream)
{
    ssize_t got = read(stream->fd, stream->line + stream->used, sizeof stream->line - stream->used);

    if (got > 0)
        stream->used += (size_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        end_stream(stream);
    return got > 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct schedule_stream *stream = poll->data;

    (void)status;
    (void)events;
    /* Also before: the other stream may have taken the room that its last line needs. */
    if (!write_lines(stream) || (read_some(stream) && !write_lines(stream)))
        (void)uv_poll_stop(poll); /* until schedule_run_resume */
}

/* It was killed: what is in its pipes is still told, but who else has them has left its group. */
static void settle_stream(struct schedule_stream *stream)
{
    for (unsigned i = 0; i < PIPE_READS_MAX; i++) {
        if (!is_open(stream))
            return;
        if (!write_lines(stream) && !stream->run->is_hurried)
            return; /* until schedule_run_resume */
        if (stream->run->is_hurried || !read_some(stream))
            break;
    }
    end_stream(stream);
}

static void settle(struct schedule_run *run)
{
    if (run->state != RUN_KILLED || !run->has_exited)
        return;
    for (size_t i = 0; i < SCHEDULE_STREAMS; i++)
        settle_stream(&run->streams[i]);
}

void schedule_run_resume(struct schedule_run *run)
{
    for (size_t i = 0; i < SCHEDULE_STREAMS; i++) {
        struct schedule_stream *stream = &run->streams[i];

        if (is_open(stream) && !uv_is_active((uv_handle_t *)&stream->poll) && write_lines(stream))
            (void)uv_poll_start(&stream->poll, UV_READABLE, on_readable);
    }
    settle(run);
}

static int watch_stream(struct schedule_run *run, size_t index, int fd)
{
    struct schedule_stream *stream = &run->streams[index];
    int rc = uv_poll_init(run->loop, &stream->poll, fd);

    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    stream->fd = fd;
    stream->used = 0;
    stream->poll.data = stream;
    run->open_handles++;
    (void)uv_poll_start(&stream->poll, UV_READABLE, on_readable);
    return 0;
}

/* --- its end --------------------------------------------------------------------------------- */

static void signal_group(const struct schedule_run *run, int signo)
{
    (void)kill(-run->pid, signo);
}

/* All is closed: it is reaped, and told. */
static void finish(struct schedule_run *run)
{
    int status = 0;

    if (run->open_handles > 0 || run->state == RUN_NONE)
        return;
    if (run->state != RUN_GOES)
        signal_group(run, SIGKILL); /* what is left of a group that was told to end */
    (void)uv_timer_stop(&run->timer);
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    run->state = RUN_NONE;
    run->pid = 0;
    run->cb(status, run->data);
}

static void on_exit_closed(uv_handle_t *handle)
{
    struct schedule_run *run = handle->data;

    (void)close(run->pidfd);
    run->pidfd = -1;
    run->open_handles--;
    finish(run);
}

static void on_exited(uv_poll_t *poll, int status, int events)
{
    struct schedule_run *run = poll->data;

    (void)status;
    (void)events;
    run->has_exited = true;
    uv_close((uv_handle_t *)poll, on_exit_closed);
    settle(run);
}

static void on_time(uv_timer_t *timer)
{
    schedule_run_end(timer->data);
}

void schedule_run_end(struct schedule_run *run)
{
    if (run->state == RUN_GOES && run->grace_ms > 0) {
        run->state = RUN_ENDING;
        signal_group(run, SIGTERM);
        signal_group(run, SIGCONT); /* one that is stopped would not see it */
        (void)uv_timer_start(&run->timer, on_time, run->grace_ms, 0);
        return;
    }
    if (run->state == RUN_GOES || run->state == RUN_ENDING) {
        run->state = RUN_KILLED;
        (void)uv_timer_stop(&run->timer);
        signal_group(run, SIGKILL);
    }
    settle(run); /* also of one that was killed before: it may be hurried by now */
}

/* --- its start ------------------------------------------------------------------------------- */

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

/* From here on it ends as every run does, even when it cannot be watched as it should. */
static void watch(struct schedule_run *run, int ours[SCHEDULE_STREAMS])
{
    bool is_watched = true;

    run->state = RUN_GOES;
    run->has_exited = false;
    for (size_t i = 0; i < SCHEDULE_STREAMS; i++) {
        is_watched &= watch_stream(run, i, ours[i]) == 0;
        ours[i] = -1;
    }
    if (!is_watched)
        schedule_run_end(run);
    else if (run->timeout_ms > 0)
        (void)uv_timer_start(&run->timer, on_time, run->timeout_ms, 0);
}

/* Its end is awaited by a descriptor. Without one it is not left running. */
static int watch_exit(struct schedule_run *run)
{
    int rc;

    run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    rc = run->pidfd < 0 ? -errno : uv_poll_init(run->loop, &run->exit_poll, run->pidfd);
    if (rc == 0) {
        run->exit_poll.data = run;
        run->open_handles++;
        (void)uv_poll_start(&run->exit_poll, UV_READABLE, on_exited);
        return 0;
    }
    if (run->pidfd >= 0)
        (void)close(run->pidfd);
    run->pidfd = -1;
    signal_group(run, SIGKILL);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}

int schedule_run_start(struct schedule_run *run, struct colony_error *err)
{
    int ours[SCHEDULE_STREAMS] = {-1, -1};
    int theirs[SCHEDULE_STREAMS] = {-1, -1};
    int rc = 0;

    for (size_t i = 0; i < SCHEDULE_STREAMS && rc == 0; i++) {
        int ends[2];

        rc = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
        if (rc < 0)
            break;
        ours[i] = ends[0];
        theirs[i] = ends[1];
    }
    if (rc == 0)
        rc = schedule_spawn(run->argv, theirs, &run->pid);
    if (rc == 0)
        rc = watch_exit(run);
    close_all(theirs, SCHEDULE_STREAMS);
    if (rc == 0) {
        watch(run, ours);
        return 0;
    }
    close_all(ours, SCHEDULE_STREAMS);
    run->pid = 0;
    return colony_fail_os(err, rc, "cannot run %s", run->argv[0]);
}

int schedule_run_init(struct schedule_run *run)
{
    run->pidfd = -1;
    for (size_t i = 0; i < SCHEDULE_STREAMS; i++) {
        run->streams[i].run = run;
        run->streams[i].number = (int)i + 1;
        run->streams[i].fd = -1;
    }
    run->timer.data = run;
    return uv_timer_init(run->loop, &run->timer);
}

void schedule_run_close(struct schedule_run *run)
{
    uv_close((uv_handle_t *)&run->timer, NULL);
}
