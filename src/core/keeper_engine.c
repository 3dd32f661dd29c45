/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_engine.c - the keeper's engine: started, told what happens, started again. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/keeper_internal.h"
#include "core/log.h"

enum {
    ENGINE_DELAY_FIRST_MS = 50,
    ENGINE_DELAY_SERVED_MS = 100, /* at most, for one that had begun to serve */
    ENGINE_DELAY_MAX_MS = 10000,  /* at most, for one that cannot even begin */
    TELL_AGAIN_MS = 100,
    ENGINE_SETTLED_MS = 10000, /* one that lived this long died for a reason of its own */
};

/* The engine's process. */

static void keep_over_exec(int fd)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, 0);
}

static void close_on_exec(int fd)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the engine's process, before its program: it gets what it needs and no right it needs not. */
static __attribute__((noreturn)) void run_engine(const struct keeper *keeper, int link_fd,
                                                 char **argv)
{
    const struct colony_keeper_options *options = keeper->options;
    sigset_t none;

    (void)setsid(); /* Ctrl-C is for the keeper: processes are stopped first */
    if (options->has_user) {
        const struct colony_keeper_identity *user = &options->identities[0];

        if (setgroups(user->group_count, user->groups) < 0 ||
            setresgid(user->gid, user->gid, user->gid) < 0 ||
            setresuid(user->uid, user->uid, user->uid) < 0)
            _exit(EXIT_NOT_ALLOWED);
    }
    colony_manager_hide();
    keep_over_exec(link_fd);
    keep_over_exec(options->lock_fd);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv("/proc/self/exe", argv);
    _exit(EXIT_FAILED);
}

/* A new engine knows nothing: all is told again. */
static void reset_told(struct keeper *keeper)
{
    keeper->hello_cursor = 0;
    keeper->hello_sockets = 0;
    keeper->hello_batch = 0;
    keeper->hello_is_sent = false;
    keeper->hello_waits = false;
    keeper->is_welcomed = false;
    keeper->wants_write = false;
    keeper->queue_head = NO_INDEX;
    keeper->queue_tail = NO_INDEX;
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++) {
        struct keeper_process *process = &keeper->processes[i];

        process->is_told = false;
        process->is_queued = false;
        process->notices = 0;
        process->fresh_streams = UINT16_MAX;
    }
}

/* One that nobody would hear of must not run. It has not begun: this takes no time. */
static int abandon_engine(struct keeper *keeper, int rc)
{
    (void)kill(keeper->engine_pid, SIGKILL);
    (void)waitpid(keeper->engine_pid, NULL, 0);
    if (keeper->engine_pidfd >= 0)
        (void)close(keeper->engine_pidfd);
    keeper->engine_pidfd = -1;
    keeper->engine_pid = 0;
    return rc;
}

static int fork_engine(struct keeper *keeper, int engine_end)
{
    struct colony_keeper_options options = *keeper->options;
    char **argv;
    pid_t pid;

    options.link_fd = engine_end;
    options.host_fd = -1;
    options.ready_fd = -1;
    options.keeper_pid = (int)getpid();
    argv = colony_keeper_options_argv(&options, "engine");
    if (!argv)
        return -ENOMEM;
    pid = fork();
    if (pid == 0)
        run_engine(keeper, engine_end, argv);
    free(argv);
    if (pid < 0)
        return -errno;
    keeper->engine_pid = pid;
    keeper->engine_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return keeper->engine_pidfd < 0 ? abandon_engine(keeper, -errno) : 0;
}

int keeper_take_link(struct keeper *keeper, int fd)
{
    int rc = keeper_watch(keeper, fd, SOURCE_LINK, 0);

    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    reset_told(keeper);
    keeper->link_fd = fd;
    keeper->engine_started_ms = keeper_now_ms();
    keeper->engine_is_ready = false;
    keeper_flush(keeper);
    return 0;
}

int keeper_start_engine(struct keeper *keeper)
{
    int ends[2];
    int rc;

    keeper->engine_restart_at_ms = 0;
    if (keeper->options->host_fd >= 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    rc = fork_engine(keeper, ends[1]);
    (void)close(ends[1]);
    if (rc < 0) {
        (void)close(ends[0]);
        return rc;
    }
    rc = keeper_take_link(keeper, ends[0]);
    if (rc == 0)
        rc = keeper_watch(keeper, keeper->engine_pidfd, SOURCE_ENGINE, 0);
    if (rc < 0) {
        (void)abandon_engine(keeper, rc);
        keeper_drop_link(keeper);
    }
    return rc;
}

void keeper_drop_link(struct keeper *keeper)
{
    if (keeper->link_fd >= 0)
        (void)close(keeper->link_fd);
    keeper->link_fd = -1;
    keeper->tell_again_at_ms = 0;
    /* One that lost its link can do nothing any more, but might still write logs: it must go. */
    if (keeper->engine_pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, keeper->engine_pidfd, SIGKILL, NULL, 0);
}

static void describe_end(char *text, size_t size, int status)
{
    if (WIFSIGNALED(status))
        (void)snprintf(text, size, "was ended by signal %d", WTERMSIG(status));
    else
        (void)snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}

/* The first at once, then later and later while it keeps dying. */
static uint64_t next_delay(struct keeper *keeper, uint64_t lived_ms)
{
    uint64_t most = keeper->engine_is_ready ? ENGINE_DELAY_SERVED_MS : ENGINE_DELAY_MAX_MS;
    uint64_t delay_ms = keeper->engine_delay_ms;

    if (lived_ms >= ENGINE_SETTLED_MS)
        delay_ms = 0;
    keeper->engine_delay_ms = delay_ms == 0 ? ENGINE_DELAY_FIRST_MS : delay_ms * 2;
    if (keeper->engine_delay_ms > most)
        keeper->engine_delay_ms = most;
    return delay_ms < most ? delay_ms : most;
}

void keeper_on_engine_exit(struct keeper *keeper)
{
    uint64_t lived_ms = keeper_now_ms() - keeper->engine_started_ms;
    char how[64];
    int status = 0;

    if (keeper->link_fd >= 0)
        keeper_on_link(keeper, 0); /* its last words */
    if (waitpid(keeper->engine_pid, &status, WNOHANG) != keeper->engine_pid)
        return;
    (void)close(keeper->engine_pidfd);
    keeper->engine_pidfd = -1;
    keeper->engine_pid = 0;
    keeper_drop_link(keeper);
    if (keeper->is_ending)
        return;
    if (!keeper->was_ready && WIFEXITED(status) && keeper->table.used == 0) {
        keeper->is_ending = true; /* it could not begin and has told why */
        keeper->exit_code = WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
        return;
    }
    keeper->engine_restart_at_ms = keeper_now_ms() + next_delay(keeper, lived_ms);
    describe_end(how, sizeof how, status);
    colony_log(SEVERITY_ERROR, "the engine %s: it is started again, processes go on", how);
}

/* Telling it. Nothing is queued but what the table holds: a slow engine costs no memory. */

int keeper_send_message(struct keeper *keeper, struct colony_message *message, const int *fds,
                        size_t fd_count)
{
    int rc;

    message->version = COLONY_PROTOCOL_VERSION;
    rc = colony_message_send(keeper->link_fd, message, fds, fd_count);
    if (rc == -EAGAIN || rc == -ETOOMANYREFS)
        keeper->wants_write = true;
    else if (rc < 0)
        keeper_drop_link(keeper);
    return rc;
}

static int send_hello(struct keeper *keeper)
{
    struct colony_message message = {.type = MESSAGE_HELLO};
    struct rlimit limit = {0};
    int fds[2] = {colony_pipe_reopen(keeper->table.fd, O_RDONLY), keeper->notes_fd};
    int rc;

    if (fds[0] < 0)
        return fds[0];
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    message.u.hello = (struct colony_hello){
        .keeper_pid = getpid(),
        .owner_uid = getuid(),
        .capacity = keeper->capacity,
        .record_count = keeper->table.used,
        .has_cgroups = keeper->cgroups.base_fd >= 0,
        .is_ending = keeper->is_asked_to_end,
        .exit_code = keeper->exit_code,
        .nofile_soft = keeper->options->nofile_soft,
        .nofile_hard = limit.rlim_max,
    };
    rc = keeper_send_message(keeper, &message, fds, 2);
    (void)close(fds[0]);
    return rc;
}

/* A socket cannot be opened again: the engine shares ours. */
static int make_engine_end(int stream, enum colony_stream_kind kind)
{
    int fd;

    if (kind != STREAM_NOTIFY && kind != STREAM_SOCKET)
        return colony_pipe_reopen(stream, kind == STREAM_OUTPUT ? O_RDONLY | O_NONBLOCK
                                                                : O_WRONLY | O_NONBLOCK);
    fd = fcntl(stream, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
}

/*
 * Sends a notice with the engine's ends of the streams it has not got yet. Of what was there before
 * it, all or none for now: nobody would read it as long as this engine lives.
 */
static int send_about(struct keeper *keeper, uint32_t index, enum colony_message_type type)
{
    const struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];
    struct colony_message message = {
        .type = (uint16_t)type,
        .index = index,
        .id = record->id,
        .value = (int32_t)colony_record_state(record),
    };
    int fds[COLONY_STREAMS_MAX];
    size_t count = 0;
    int rc;

    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++) {
        int stream = keeper_stream(keeper, index, i);
        int fd;

        if (stream < 0 || !(process->fresh_streams & 1U << i))
            continue;
        fd = make_engine_end(stream, colony_stream_kind_of(record, i));
        if (type == MESSAGE_RECORD && colony_is_shortage(fd)) {
            close_all(fds, count);
            return fd;
        }
        if (fd < 0)
            continue;
        message.flags |= 1U << i;
        fds[count++] = fd;
    }
    if (type == MESSAGE_SWEPT)
        message.u.swept = process->swept;
    rc = keeper_send_message(keeper, &message, fds, count);
    close_all(fds, count);
    if (rc == 0)
        process->fresh_streams = 0;
    if (rc == 0 && keeper_is_ended(record))
        keeper_close_custom(keeper, index); /* the engine reads what is left in them */
    return rc;
}

static int send_simple(struct keeper *keeper, enum colony_message_type type, int32_t value)
{
    struct colony_message message = {.type = (uint16_t)type, .value = value};

    return keeper_send_message(keeper, &message, NULL, 0);
}

/* One that has no room for it does not read: it is told by that it does not answer. */
void keeper_send_ping(struct keeper *keeper)
{
    if (keeper->is_welcomed)
        (void)send_simple(keeper, MESSAGE_PING, 0);
}

static int send_held(struct keeper *keeper, const struct colony_held_socket *held)
{
    struct colony_message message = {.type = MESSAGE_HELD};

    (void)snprintf(message.u.name, sizeof message.u.name, "%s", held->name);
    return keeper_send_message(keeper, &message, &held->fd, 1);
}

/* What this engine must know before it decides anything. Returns 0 when all of it is told. */
static int tell_hello(struct keeper *keeper)
{
    int rc = 0;

    if (!keeper->hello_is_sent) {
        rc = send_hello(keeper);
        keeper->hello_is_sent = rc == 0;
    }
    while (rc == 0 && keeper->hello_sockets < keeper->options->socket_count) {
        rc = send_held(keeper, &keeper->options->sockets[keeper->hello_sockets]);
        keeper->hello_sockets += rc == 0;
    }
    while (rc == 0 && keeper->hello_cursor < keeper->table.header->high_water) {
        uint32_t index = keeper->hello_cursor;

        if (keeper->hello_batch == COLONY_HELLO_BATCH && !keeper->hello_waits) {
            rc = send_simple(keeper, MESSAGE_MORE, 0);
            keeper->hello_waits = rc == 0;
        }
        if (keeper->hello_waits || rc < 0)
            return -EAGAIN;
        if (colony_record_state(&keeper->table.records[index]) != RECORD_FREE) {
            rc = send_about(keeper, index, MESSAGE_RECORD);
            if (rc < 0)
                return rc;
            keeper->processes[index].is_told = true;
            keeper->hello_batch++;
        }
        keeper->hello_cursor++;
    }
    if (rc == 0)
        rc = send_simple(keeper, MESSAGE_WELCOME, 0);
    keeper->is_welcomed = rc == 0;
    return rc;
}

static int tell_notice(struct keeper *keeper, uint32_t index)
{
    struct keeper_process *process = &keeper->processes[index];
    enum colony_record_state state = colony_record_state(&keeper->table.records[index]);
    int rc = 0;

    if (process->notices & NOTICE_SPAWN) {
        rc = send_about(keeper, index,
                        state == RECORD_FAILED ? MESSAGE_SPAWN_FAILED : MESSAGE_SPAWNED);
        if (rc == 0)
            process->notices &= (uint8_t)~NOTICE_SPAWN;
    }
    if (rc == 0 && process->notices & NOTICE_EXIT) {
        rc = send_about(keeper, index, MESSAGE_EXITED);
        if (rc == 0)
            process->notices &= (uint8_t)~NOTICE_EXIT;
    }
    if (rc == 0 && process->notices & NOTICE_SWEPT) {
        rc = send_about(keeper, index, MESSAGE_SWEPT);
        if (rc == 0)
            process->notices &= (uint8_t)~NOTICE_SWEPT;
    }
    return rc;
}

static int tell_requests(struct keeper *keeper)
{
    int rc = 0;

    for (int signo = 1; rc == 0 && keeper->requests != 0 && signo < 32; signo++) {
        if (!(keeper->requests & 1U << signo))
            continue;
        rc = send_simple(keeper, MESSAGE_REQUEST, signo);
        if (rc == 0)
            keeper->requests &= ~(1U << signo);
    }
    if (rc == 0 && keeper->strays > 0) {
        rc = send_simple(keeper, MESSAGE_STRAY, (int32_t)keeper->strays);
        if (rc == 0)
            keeper->strays = 0;
    }
    return rc;
}

static int tell_queue(struct keeper *keeper)
{
    int rc = 0;

    while (rc == 0 && keeper->queue_head != NO_INDEX) {
        uint32_t index = (uint32_t)keeper->queue_head;
        struct keeper_process *process = &keeper->processes[index];

        rc = tell_notice(keeper, index);
        if (rc < 0)
            break;
        keeper->queue_head = process->next_queued;
        process->next_queued = NO_INDEX;
        process->is_queued = false;
        if (keeper->queue_head == NO_INDEX)
            keeper->queue_tail = NO_INDEX;
    }
    return rc;
}

void keeper_flush(struct keeper *keeper)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)SOURCE_LINK << 32};
    bool wanted_write = keeper->wants_write;
    int rc = 0;

    if (keeper->link_fd < 0)
        return;
    keeper->wants_write = false;
    keeper->tell_again_at_ms = 0;
    if (!keeper->is_welcomed)
        rc = tell_hello(keeper);
    if (rc < 0 && keeper->link_fd >= 0 && !keeper->wants_write &&
        !keeper->hello_waits) /* no descriptor for it: no event */
        keeper->tell_again_at_ms = keeper_now_ms() + TELL_AGAIN_MS;
    if (rc == 0)
        rc = tell_requests(keeper);
    if (rc == 0)
        (void)tell_queue(keeper);
    if (keeper->wants_write != wanted_write && keeper->link_fd >= 0) {
        event.events |= keeper->wants_write ? (uint32_t)EPOLLOUT : 0;
        (void)epoll_ctl(keeper->epoll_fd, EPOLL_CTL_MOD, keeper->link_fd, &event);
    }
}

/* Notes what the engine must be told; keeper_flush tells it. Before WELCOME, RECORD says it all. */
void keeper_notify(struct keeper *keeper, uint32_t index, enum keeper_notice notice)
{
    struct keeper_process *process = &keeper->processes[index];

    if (keeper->link_fd < 0 ||
        (!keeper->is_welcomed && !process->is_told && index >= keeper->hello_cursor))
        return;
    process->is_told = true;
    process->notices |= (uint8_t)notice;
    if (process->is_queued)
        return;
    process->is_queued = true;
    process->next_queued = NO_INDEX;
    if (keeper->queue_tail == NO_INDEX)
        keeper->queue_head = (int32_t)index;
    else
        keeper->processes[keeper->queue_tail].next_queued = (int32_t)index;
    keeper->queue_tail = (int32_t)index;
}

static void each_kept(struct keeper *keeper, void (*set)(int fd))
{
    set(keeper->options->lock_fd);
    set(keeper->options->ready_fd);
    set(keeper->options->host_fd);
    set(keeper->options->link_fd);
    for (size_t i = 0; i < keeper->options->socket_count; i++)
        set(keeper->options->sockets[i].fd);
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        for (size_t j = 0; j < COLONY_STREAMS_MAX; j++)
            if (colony_record_state(&keeper->table.records[i]) != RECORD_FREE)
                set(keeper_stream(keeper, i, j));
}

/*
 * Execs what is installed now; processes stay our children, all else is found in the table. The
 * engine has said its last word: where that fails, another one begins.
 */
void keeper_upgrade(struct keeper *keeper)
{
    struct colony_keeper_options *options = keeper->options;
    char **argv;

    if (keeper->is_asked_to_end) /* since the engine asked for this */
        options->ending_with = keeper->exit_code;
    keeper_drop_link(keeper);
    if (keeper->engine_pid > 0)
        (void)waitpid(keeper->engine_pid, NULL, 0);
    argv = colony_keeper_options_argv(options, "keeper");
    each_kept(keeper, keep_over_exec);
    colony_log_finish();
    errno = ENOMEM;
    if (argv)
        (void)execv(options->program, argv);
    colony_log(SEVERITY_ERROR, "cannot upgrade: cannot run %s: %s: goes on as it is",
               options->program, strerror(errno));
    free(argv);
    each_kept(keeper, close_on_exec);
    if (keeper->engine_pidfd >= 0)
        (void)close(keeper->engine_pidfd);
    keeper->engine_pid = 0;
    keeper->engine_pidfd = -1;
    if (keeper_start_engine(keeper) < 0)
        keeper->engine_restart_at_ms = keeper_now_ms() + ENGINE_DELAY_FIRST_MS;
}
