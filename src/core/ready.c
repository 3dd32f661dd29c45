/* SPDX-License-Identifier: Apache-2.0 */
/* ready.c - finds out when a process is ready: the object, and the kinds that need little. */
#include "core/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/ready_internal.h"
#include "core/template.h"
#include "core/words_internal.h"

enum {
    READ_BYTES = 4096,
    READS_A_TURN = 8,  /* then the loop sees to others */
    DRAIN_READS = 256, /* 1 MiB, which is what a pipe holds at most */
};

/* How a process tells that it is ready; NULL: there is nothing to do. */
struct kind {
    int (*init)(struct colony_ready *ready);
    int (*begin)(struct colony_ready *ready);
    void (*end)(struct colony_ready *ready); /* of all that _begin did but the timer */
};

static const struct kind *kind_of(const struct colony_ready *ready);

/* What the parts use. */

void colony__ready_tell(struct colony_ready *ready, enum colony_ready_news news, const char *text,
                        uint64_t ms)
{
    if (ready->is_begun)
        ready->cb(news, text, ms, ready->data);
}

static void stop_looking(struct colony_ready *ready)
{
    (void)uv_timer_stop(&ready->timer);
    if (kind_of(ready)->end)
        kind_of(ready)->end(ready);
}

void colony__ready_set(struct colony_ready *ready)
{
    if (ready->is_ready)
        return;
    ready->is_ready = true;
    stop_looking(ready);
    colony__ready_tell(ready, READY_NEWS_READY, NULL, 0);
}

void colony__ready_tried(struct colony_ready *ready, const char *text, uv_timer_cb again)
{
    uint64_t interval_ms = ready->template->ready->interval_ms;

    (void)uv_timer_start(&ready->timer, again, interval_ms > 0 ? interval_ms : 1, 0);
    colony__ready_tell(ready, READY_NEWS_TRIED, text, 0);
}

static void free_ready(struct colony_ready *ready)
{
    if (ready->notify.fd >= 0)
        (void)close(ready->notify.fd);
    if (ready->pipe.fd >= 0)
        (void)close(ready->pipe.fd);
    colony__words_free(ready->argv);
    colony__ready_line_free(ready->line);
    colony__ready_tcp_free(ready->tcp);
    free(ready);
}

void colony__ready_release(struct colony_ready *ready)
{
    colony_ready_close_cb cb = ready->close_cb;
    void *data = ready->close_data;

    if (--ready->open > 0)
        return;
    free_ready(ready);
    if (cb)
        cb(data);
}

/* A line on a descriptor. */

static void on_pipe_readable(uv_poll_t *poll, int status, int events)
{
    struct colony_ready *ready = poll->data;
    char bytes[READ_BYTES];
    ssize_t count = 0;

    (void)events;
    for (int i = 0; i < READS_A_TURN && status == 0; i++) {
        count = read(ready->pipe.fd, bytes, sizeof bytes);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (count <= 0)
            break;
        if (memchr(bytes, '\n', (size_t)count)) {
            colony__ready_set(ready);
            return;
        }
    }
    if (count > 0)
        return;
    (void)uv_poll_stop(poll); /* it would be readable for ever */
    colony__ready_tell(ready, READY_NEWS_TRIED,
                       "cannot read a line that tells readiness: the descriptor was closed", 0);
}

static int begin_pipe(struct colony_ready *ready)
{
    if (ready->pipe.fd < 0)
        return 0; /* it begins when it comes */
    return uv_poll_start(&ready->pipe.poll, UV_READABLE, on_pipe_readable);
}

static void end_pipe(struct colony_ready *ready)
{
    if (ready->pipe.fd >= 0)
        (void)uv_poll_stop(&ready->pipe.poll);
}

static void drain_pipe(const struct colony_ready *ready)
{
    char bytes[READ_BYTES];

    for (int i = 0; i < DRAIN_READS && read(ready->pipe.fd, bytes, sizeof bytes) > 0; i++)
        ;
}

/* A command that succeeds. */

static void check(uv_timer_t *timer);

static void on_checked(int exit_status, const char *why, void *data)
{
    struct colony_ready *ready = data;
    const char *command = ready->template->ready->text;
    char text[COLONY__READY_TEXT_MAX];

    if (!ready->is_checking)
        return;
    ready->is_checking = false;
    if (exit_status == 0) {
        colony__ready_set(ready);
        return;
    }
    if (exit_status < 0)
        (void)snprintf(text, sizeof text, "cannot run '%.300s': %s", command,
                       why ? why : "nobody knows why");
    else
        (void)snprintf(text, sizeof text, "'%.300s' ended with %d", command, exit_status);
    colony__ready_tried(ready, text, check);
}

static void check(uv_timer_t *timer)
{
    struct colony_ready *ready = timer->data;
    int rc;

    ready->is_checking = true; /* first: the answer may come at once */
    rc = ready->runner.run(ready->runner.slot, ready->argv, ready->template->ready->try_ms,
                           on_checked, ready);
    if (rc < 0)
        on_checked(-1, strerror(-rc), ready);
}

static int init_check(struct colony_ready *ready)
{
    struct colony__words words = {0};
    int rc = colony__words_split(&words, ready->template->ready->text, WORDS_SHELL, NULL);

    if (rc == 0 && words.count == 0)
        rc = -EINVAL;
    if (rc == 0 && !ready->runner.run)
        rc = -EINVAL;
    if (rc < 0)
        colony__words_free(words.items);
    else
        ready->argv = words.items;
    return rc;
}

static int begin_check(struct colony_ready *ready)
{
    return uv_timer_start(&ready->timer, check, 0, 0); /* nothing is told from inside begin */
}

static void end_check(struct colony_ready *ready)
{
    if (!ready->is_checking)
        return;
    ready->is_checking = false;
    ready->runner.cancel(ready->runner.slot);
}

/* A time that has passed. */

static void on_delay(uv_timer_t *timer)
{
    colony__ready_set(timer->data);
}

static int begin_delay(struct colony_ready *ready)
{
    return uv_timer_start(&ready->timer, on_delay, ready->template->ready->delay_ms, 0);
}

/* What is told by the notify socket is heard whatever the kind: READY_NOTIFY needs nothing else. */
/* clang-format off */
static const struct kind kinds[] = {
    [READY_NONE]   = {NULL,                   NULL,                    NULL},
    [READY_NOTIFY] = {NULL,                   NULL,                    NULL},
    [READY_FD]     = {NULL,                   begin_pipe,              end_pipe},
    [READY_LINE]   = {colony__ready_line_init, colony__ready_line_begin, colony__ready_line_end},
    [READY_TCP]    = {colony__ready_tcp_init, colony__ready_tcp_begin, colony__ready_tcp_end},
    [READY_EXEC]   = {init_check,             begin_check,             end_check},
    [READY_DELAY]  = {NULL,                   begin_delay,             NULL},
    [READY_HTTP]   = {colony__ready_http_init, colony__ready_http_begin, colony__ready_http_end},
};
/* clang-format on */

static const struct kind *kind_of(const struct colony_ready *ready)
{
    return &kinds[ready->template->ready->kind];
}

/* The object. */

int colony_ready_new(struct colony_ready **out, const struct colony_ready_options *options)
{
    struct colony_ready *ready = calloc(1, sizeof *ready);
    int rc;

    if (!ready)
        return -ENOMEM;
    ready->loop = options->loop;
    ready->template = options->template;
    ready->cb = options->cb;
    ready->data = options->data;
    ready->notify.fd = ready->pipe.fd = -1;
    if (options->runner)
        ready->runner = *options->runner;
    rc = kind_of(ready)->init ? kind_of(ready)->init(ready) : 0;
    if (rc < 0) {
        free_ready(ready);
        return rc;
    }
    (void)uv_timer_init(ready->loop, &ready->timer); /* never fails; the last that could */
    ready->timer.data = ready;
    ready->open = 1;
    *out = ready;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    colony__ready_release(handle->data);
}

void colony_ready_each_fd(const struct colony_ready *ready, void (*cb)(int fd, void *data),
                          void *data)
{
    if (ready->notify.fd >= 0)
        cb(ready->notify.fd, data);
    if (ready->pipe.fd >= 0)
        cb(ready->pipe.fd, data);
}

void colony_ready_set_template(struct colony_ready *ready, const struct colony_template *template)
{
    ready->template = template;
}

void colony_ready_close(struct colony_ready *ready, colony_ready_close_cb cb, void *data)
{
    colony_ready_end(ready);
    ready->close_cb = cb;
    ready->close_data = data;
    if (ready->notify.fd >= 0)
        uv_close((uv_handle_t *)&ready->notify.poll, on_handle_closed);
    if (ready->pipe.fd >= 0)
        uv_close((uv_handle_t *)&ready->pipe.poll, on_handle_closed);
    uv_close((uv_handle_t *)&ready->timer, on_handle_closed);
}

/* The source that @fd is for; NULL: it is neither a datagram socket nor a pipe. */
static struct colony__ready_source *source_for(struct colony_ready *ready, int fd)
{
    struct stat info;
    int type = 0;
    socklen_t size = sizeof type;

    if (fstat(fd, &info) < 0)
        return NULL;
    if (S_ISFIFO(info.st_mode))
        return &ready->pipe;
    if (S_ISSOCK(info.st_mode) && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
        type == SOCK_DGRAM)
        return &ready->notify;
    return NULL;
}

/* A handle stays with its descriptor's number, so a later descriptor is given the number. */
static int replace_fd(struct colony__ready_source *source, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    (void)uv_poll_stop(&source->poll);
    return dup3(fd, source->fd, O_CLOEXEC) < 0 ? -errno : 0;
}

/* From here on the descriptor is the source's. */
static int take_first_fd(struct colony_ready *ready, struct colony__ready_source *source, int fd)
{
    int rc = uv_poll_init(ready->loop, &source->poll, fd);

    if (rc < 0)
        return rc;
    source->poll.data = ready;
    source->fd = fd;
    ready->open++;
    return 0;
}

static int listen_to(struct colony_ready *ready, const struct colony__ready_source *source)
{
    if (!ready->is_begun)
        return 0;
    if (source == &ready->notify)
        return colony__ready_listen(ready);
    return ready->template->ready->kind == READY_FD && !ready->is_ready ? begin_pipe(ready) : 0;
}

int colony_ready_take_fd(struct colony_ready *ready, int fd)
{
    struct colony__ready_source *source = source_for(ready, fd);
    bool is_first = source && source->fd < 0;
    int rc = -EINVAL;

    if (is_first)
        rc = take_first_fd(ready, source, fd);
    else if (source)
        rc = replace_fd(source, fd);
    if (!is_first || rc < 0)
        (void)close(fd);
    return rc < 0 ? rc : listen_to(ready, source);
}

static void drain(struct colony_ready *ready)
{
    if (ready->notify.fd >= 0)
        colony__ready_drain_notify(ready);
    if (ready->pipe.fd >= 0)
        drain_pipe(ready);
}

int colony_ready_take_log(struct colony_ready *ready, struct colony_log *log)
{
    if (!ready->line || (ready->is_begun && ready->is_ready))
        return 0; /* nobody waits for a line */
    return colony__ready_line_take_log(ready, log);
}

int colony_ready_expect(struct colony_ready *ready, struct colony_log *log)
{
    int rc;

    colony_ready_end(ready);
    drain(ready);
    rc = log ? colony_ready_take_log(ready, log) : 0;
    ready->is_expected = rc == 0;
    return rc;
}

static int begin(struct colony_ready *ready, struct colony_log *log)
{
    int rc = 0;

    if (ready->line && log && !colony__ready_line_has_log(ready))
        rc = colony__ready_line_take_log(ready, log);
    if (rc == 0 && ready->notify.fd >= 0)
        rc = colony__ready_listen(ready);
    if (rc == 0 && kind_of(ready)->begin)
        rc = kind_of(ready)->begin(ready);
    return rc;
}

int colony_ready_begin(struct colony_ready *ready, uid_t uid, struct colony_log *log,
                       int is_adopted)
{
    int rc;

    if (ready->is_begun)
        colony_ready_end(ready);
    if (!ready->is_expected && !is_adopted)
        drain(ready);
    ready->is_begun = true;
    ready->is_ready = false;
    ready->round++;
    ready->uid = uid;
    rc = begin(ready, log);
    if (rc < 0)
        colony_ready_end(ready);
    return rc;
}

void colony_ready_end(struct colony_ready *ready)
{
    ready->is_begun = false;
    ready->is_expected = false;
    ready->round++;
    if (ready->notify.fd >= 0)
        (void)uv_poll_stop(&ready->notify.poll);
    stop_looking(ready);
}
