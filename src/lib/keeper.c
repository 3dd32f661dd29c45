/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/keeper_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <uv.h>

#include "core/error.h"
#include "core/fd.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "core/message.h"
#include "core/orphan.h"
#include "lib/fds_internal.h"

enum {
    LINE_SIZE = 2048,
    READS_A_TURN = 16,
};

struct colony__keeper {
    uv_poll_t channel; /* links are sent on it; its end is the keeper's */
    uv_poll_t log;
    int channel_fd;
    int log_fd;
    int handle_count; /* that are to be closed */
    void (*ended)(void *data);
    void *data;
    size_t used;
    char line[LINE_SIZE];
};

/* What it logs. */

static void pass_lines_on(struct colony__keeper *keeper)
{
    char *begin = keeper->line;
    char *end;

    while ((end = memchr(begin, '\n', keeper->used - (size_t)(begin - keeper->line)))) {
        *end = '\0';
        colony_log_pass_on(begin);
        begin = end + 1;
    }
    keeper->used -= (size_t)(begin - keeper->line);
    memmove(keeper->line, begin, keeper->used);
    if (keeper->used == sizeof keeper->line)
        keeper->used = 0; /* no line of its is so long */
}

/* Whether there may be more; 0: not now; -EPIPE: never more. */
static int read_log(struct colony__keeper *keeper)
{
    ssize_t count =
        read(keeper->log_fd, keeper->line + keeper->used, sizeof keeper->line - keeper->used);

    if (count < 0 && errno == EINTR)
        return 1;
    if (count <= 0)
        return count < 0 && errno == EAGAIN ? 0 : -EPIPE;
    keeper->used += (size_t)count;
    pass_lines_on(keeper);
    return 1;
}

static void on_log(uv_poll_t *poll, int status, int events)
{
    struct colony__keeper *keeper = poll->data;
    int more = 1;

    (void)events;
    for (int i = 0; i < READS_A_TURN && more > 0; i++)
        more = read_log(keeper);
    if (more < 0 || (more == 0 && status < 0))
        (void)uv_poll_stop(poll);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct colony__keeper *keeper = poll->data;

    (void)status, (void)events; /* it says nothing: this is its end */
    (void)uv_poll_stop(poll);
    while (read_log(keeper) > 0)
        ; /* its last words: the pipe holds no more than 64 KiB */
    (void)uv_poll_stop(&keeper->log);
    keeper->ended(keeper->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct colony__keeper *keeper = handle->data;

    if (--keeper->handle_count > 0)
        return;
    colony_fd_close(&keeper->channel_fd);
    colony_fd_close(&keeper->log_fd);
    free(keeper);
}

void colony__keeper_close(struct colony__keeper *keeper)
{
    uv_close((uv_handle_t *)&keeper->channel, on_closed);
    uv_close((uv_handle_t *)&keeper->log, on_closed);
}

/* Starting it. */

/* What the two have of each other. */
struct ends {
    int channel[2]; /* ours, its */
    int log[2];     /* the same */
    int host;       /* a pidfd of this program */
    int null;
};

static int open_ends(struct ends *ends)
{
    *ends = (struct ends){{-1, -1}, {-1, -1}, -1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends->channel) < 0 ||
        pipe2(ends->log, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    ends->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (ends->null < 0)
        return -errno;
    ends->host = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return ends->host < 0 ? -errno : 0;
}

static void close_ends(struct ends *ends)
{
    colony_fd_close(&ends->channel[0]);
    colony_fd_close(&ends->channel[1]);
    colony_fd_close(&ends->log[0]);
    colony_fd_close(&ends->log[1]);
    colony_fd_close(&ends->host);
    colony_fd_close(&ends->null);
}

/* Where the program has closed its first three they are not to be mistaken for ours. */
static int lift_ends(struct ends *ends)
{
    int *fds[] = {&ends->channel[1], &ends->log[1], &ends->host, &ends->null};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof fds / sizeof fds[0]; i++)
        rc = colony__fd_lift(fds[i]);
    return rc;
}

static int run_keeper(const struct colony__keeper_plan *plan, const struct ends *ends)
{
    struct colony_keeper_options options = *plan->options;
    struct colony_orphan orphan = {.program = options.program, .envp = environ};
    size_t count = 0;
    int *kept = calloc(plan->pipe_count + options.socket_count + 3, sizeof *kept);
    char **argv;
    int rc = -ENOMEM;

    options.link_fd = ends->channel[1];
    options.host_fd = ends->host;
    options.log_style = LOG_STYLE_PIPE;
    options.log_level = SEVERITY_DEBUG;
    argv = colony_keeper_options_argv(&options, "keeper");
    if (kept && argv) {
        kept[count++] = options.link_fd;
        kept[count++] = options.host_fd;
        kept[count++] = options.lock_fd;
        for (size_t i = 0; i < options.socket_count; i++)
            kept[count++] = options.sockets[i].fd;
        for (size_t i = 0; i < plan->pipe_count; i++)
            kept[count++] = plan->pipes[i];
        orphan.argv = argv;
        orphan.kept = kept;
        orphan.kept_count = count;
        orphan.stdio[0] = orphan.stdio[1] = ends->null;
        orphan.stdio[2] = ends->log[1];
        rc = colony_orphan_start(&orphan);
    }
    free(argv);
    free(kept);
    return rc;
}

/* Takes over our ends, also when it fails. */
static int watch(struct colony__keeper *keeper, struct uv_loop_s *loop, struct ends *ends)
{
    int rc;

    keeper->channel_fd = ends->channel[0];
    keeper->log_fd = ends->log[0];
    ends->channel[0] = ends->log[0] = -1;
    keeper->channel.data = keeper->log.data = keeper;
    rc = uv_poll_init(loop, &keeper->channel, keeper->channel_fd);
    if (rc < 0) {
        colony_fd_close(&keeper->channel_fd);
        colony_fd_close(&keeper->log_fd);
        free(keeper);
        return rc;
    }
    keeper->handle_count = 1;
    rc = uv_poll_init(loop, &keeper->log, keeper->log_fd);
    if (rc < 0) {
        uv_close((uv_handle_t *)&keeper->channel, on_closed);
        return rc;
    }
    keeper->handle_count = 2;
    (void)uv_poll_start(&keeper->channel, UV_READABLE, on_channel);
    (void)uv_poll_start(&keeper->log, UV_READABLE, on_log);
    return 0;
}

int colony__keeper_new(struct colony__keeper **out, struct uv_loop_s *loop,
                       const struct colony__keeper_plan *plan, struct colony_error *err)
{
    struct colony__keeper *keeper = calloc(1, sizeof *keeper);
    struct ends ends;
    int rc;

    if (!keeper)
        return colony_fail(err, -ENOMEM, "cannot start the keeper: out of memory");
    keeper->ended = plan->ended;
    keeper->data = plan->data;
    rc = open_ends(&ends);
    if (rc == 0)
        rc = lift_ends(&ends);
    if (rc == 0)
        rc = run_keeper(plan, &ends);
    if (rc == 0) {
        rc = watch(keeper, loop, &ends); /* its end of them closes with ours */
        keeper = rc == 0 ? keeper : NULL;
    }
    close_ends(&ends);
    if (rc < 0) {
        free(keeper);
        return colony_fail_os(err, rc, "cannot run %s as keeper", plan->options->program);
    }
    *out = keeper;
    return 0;
}

int colony__keeper_link(struct colony__keeper *keeper, int *fd)
{
    struct colony_message message = {.type = MESSAGE_LINK, .version = COLONY_PROTOCOL_VERSION};
    int ends[2];
    int rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    rc = colony_message_send(keeper->channel_fd, &message, &ends[1], 1);
    (void)close(ends[1]);
    if (rc < 0) {
        (void)close(ends[0]);
        return rc;
    }
    *fd = ends[0];
    return 0;
}
