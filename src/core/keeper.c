/* SPDX-License-Identifier: Apache-2.0 */
#include "core/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/folder.h"
#include "core/keeper_internal.h"
#include "core/log.h"
#include "core/notes.h"
#include "core/notify.h"

enum {
    EVENTS_A_TURN = 128,
    TURNS_UNTOLD = 16,       /* while it spawns: the engine is woken once for many */
    STRAY_CHECK_MS = 1000,   /* strays are reaped at most this often */
    ENGINE_LEAVES_MS = 5000, /* after SHUTDOWN */
    FDS_OF_OUR_OWN = 37,     /* beside those that are set aside for children */
    FEW_FDS = 256,           /* below that little is set aside */
};

uint64_t keeper_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int keeper_watch(struct keeper *keeper, int fd, enum keeper_source source, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | index};

    return epoll_ctl(keeper->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Starting. */

void colony_keeper_signals(sigset_t *out)
{
    (void)sigemptyset(out);
    (void)sigaddset(out, SIGTERM);
    (void)sigaddset(out, SIGINT);
    (void)sigaddset(out, SIGQUIT);
    (void)sigaddset(out, SIGHUP);
}

/* Children inherit nothing: no handler, no ignored signal, no mask (signals come by signalfd). */
static int take_signals(struct keeper *keeper)
{
    static const unsigned long default_action[8]; /* the kernel's struct sigaction: SIG_DFL */
    /* That we are broken: a watchdog says so with SIGABRT, and must be able to end us. */
    static const int fatal[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigset_t all;
    sigset_t watched;

    /* The raw call: libc keeps 32 and 33 to itself, and whoever started us may ignore them. */
    for (int signo = 1; signo < NSIG; signo++)
        (void)syscall(SYS_rt_sigaction, signo, default_action, NULL, sizeof(uint64_t));
    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        (void)sigdelset(&all, fatal[i]);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    colony_keeper_signals(&watched);
    keeper->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    (void)sigemptyset(&watched);
    (void)sigaddset(&watched, SIGCHLD);
    keeper->children_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return keeper->signal_fd < 0 || keeper->children_fd < 0 ? -errno : 0;
}

static int lift_known_fds(struct colony_keeper_options *options, int first)
{
    int rc = colony_spawn_lift_fd(&options->lock_fd, first);

    if (rc == 0 && options->ready_fd >= 0)
        rc = colony_spawn_lift_fd(&options->ready_fd, first);
    if (rc == 0 && options->host_fd >= 0)
        rc = colony_spawn_lift_fd(&options->host_fd, first);
    if (rc == 0 && options->link_fd >= 0)
        rc = colony_spawn_lift_fd(&options->link_fd, first);
    for (size_t i = 0; rc == 0 && i < options->socket_count; i++)
        rc = colony_spawn_lift_fd(&options->sockets[i].fd, first);
    return rc;
}

/* What else is open at the low numbers is a stream of a process, or a leak of whoever started us.
 */
static int clear_low_fds(int first)
{
    for (int fd = STDERR_FILENO + 1; fd < first; fd++) {
        int moved = fd;

        if (fcntl(fd, F_GETFD) < 0)
            continue;
        if (colony_may_be_stream(fd) && colony_spawn_lift_fd(&moved, first) < 0)
            return -errno;
        if (moved == fd)
            (void)close(fd);
    }
    if (syscall(SYS_close_range, first, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */) < 0)
        for (int fd = first; fd < 65536; fd++)
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

/* The lowest numbers are the children's, what lies above is not theirs. */
static int set_fds_aside(struct keeper *keeper, int stages)
{
    const int first = colony_spawn_first_fd(stages);
    int rc = lift_known_fds(keeper->options, first);

    if (rc == 0)
        rc = clear_low_fds(first);
    return rc == 0 ? colony_spawn_reserve_fds(stages) : rc;
}

static int prepare_fds(struct keeper *keeper)
{
    struct rlimit limit = {.rlim_max = RLIM_INFINITY};
    int stages = COLONY_STAGES_MAX;
    rlim_t own;

    keeper->capacity = COLONY_TABLE_CAPACITY_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        if (keeper->options->nofile_soft == 0)
            keeper->options->nofile_soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_max < FEW_FDS)
        stages = 1;
    own = FDS_OF_OUR_OWN + (rlim_t)stages * KEEPER_FDS_A_STAGE;
    if (limit.rlim_max < (rlim_t)COLONY_TABLE_CAPACITY_MAX * KEEPER_FDS_A_PROCESS)
        keeper->capacity =
            limit.rlim_max > own ? (uint32_t)((limit.rlim_max - own) / KEEPER_FDS_A_PROCESS) : 0;
    return set_fds_aside(keeper, stages);
}

static int open_table(struct keeper *keeper, uint32_t *damaged, struct colony_error *err)
{
    uint32_t records;
    int rc = colony_boot_read(&keeper->boot, err);

    if (rc < 0)
        return rc;
    keeper->state_fd = open(keeper->options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (keeper->state_fd < 0)
        return colony_fail_os(err, -errno, "cannot open the state folder %s",
                              keeper->options->state_dir);
    records = keeper->capacity < COLONY_TABLE_CAPACITY_MAX / 2 ? keeper->capacity * 2 + 64
                                                               : COLONY_TABLE_CAPACITY_MAX;
    rc = colony_table_open(&keeper->table, keeper->state_fd, records, damaged, err);
    if (rc < 0)
        return rc;
    keeper->notes_fd = colony_notes_open(keeper->state_fd, keeper->table.header->capacity, err);
    if (keeper->notes_fd < 0)
        return keeper->notes_fd;
    keeper->processes = calloc(keeper->table.header->capacity, sizeof *keeper->processes);
    if (!keeper->processes)
        return colony_fail(err, -ENOMEM, "cannot start: out of memory");
    return 0;
}

static void open_cgroups(struct keeper *keeper)
{
    struct colony_error err;

    if (colony_cgroups_open(&keeper->cgroups, keeper->state_fd, keeper->table.header->instance,
                            &err) < 0)
        colony_log(SEVERITY_INFO, "works without cgroups: %s", err.message);
}

static int write_pidfile(const struct keeper *keeper, struct colony_error *err)
{
    char text[32];
    char temporary[sizeof keeper->options->pidfile + 8];
    const char *path = keeper->options->pidfile;
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    ssize_t written;
    int fd;

    /* The lock says who holds the state folder; a second instance reads it there. */
    if (pwrite(keeper->options->lock_fd, text, (size_t)length, 0) < 0 ||
        ftruncate(keeper->options->lock_fd, length) < 0)
        colony_log(SEVERITY_WARNING, "cannot write the pid to the lock: %s", strerror(errno));
    if (path[0] == '\0')
        return 0;
    (void)snprintf(temporary, sizeof temporary, "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot write the pid file %s", path);
    written = write(fd, text, (size_t)length);
    (void)close(fd);
    if (written != length || rename(temporary, path) < 0)
        return colony_fail_os(err, -errno, "cannot write the pid file %s", path);
    return 0;
}

/*
 * Edge-triggered and not read before strays are looked for: of all SIGCHLD meanwhile, as most are
 * of those whose pidfd tells, only the first wakes us.
 */
static int watch_children(struct keeper *keeper)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET,
                                .data.u64 = (uint64_t)SOURCE_CHILDREN << 32};

    return epoll_ctl(keeper->epoll_fd, EPOLL_CTL_ADD, keeper->children_fd, &event) < 0 ? -errno : 0;
}

static int start(struct keeper *keeper, struct colony_error *err)
{
    uint32_t damaged = 0;
    int rc;

    rc = prepare_fds(keeper);
    if (rc == 0)
        rc = take_signals(keeper);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot start: descriptors or signals");
    (void)prctl(PR_SET_NAME, "colony", 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    keeper->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (keeper->epoll_fd < 0)
        return colony_fail_os(err, -errno, "cannot start");
    rc = open_table(keeper, &damaged, err);
    if (rc == 0)
        rc = write_pidfile(keeper, err);
    if (rc < 0)
        return rc;
    open_cgroups(keeper);
    keeper_open_manager(keeper);
    rc = keeper_watch(keeper, keeper->signal_fd, SOURCE_SIGNALS, 0);
    if (rc == 0)
        rc = watch_children(keeper);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot start");
    memset(keeper->pid_buckets, 0xff, sizeof keeper->pid_buckets);
    keeper_take_over(keeper, damaged);
    rc = colony_spawner_new(&keeper->spawner, keeper->epoll_fd, (uint64_t)SOURCE_SPAWNER << 32);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot start");
    rc = keeper_watch_host(keeper);
    if (rc == 0)
        rc = keeper_start_engine(keeper);
    return rc < 0 ? colony_fail_os(err, rc, "cannot start the engine") : 0;
}

/* The loop. */

static void ask_engine_to_end(struct keeper *keeper, int signo)
{
    keeper->ended_requests++;
    keeper->is_asked_to_end = true;
    keeper->requests |= 1U << signo;
    keeper_tell_ending(keeper);
    if (keeper->ended_requests == 3) {
        colony_log(SEVERITY_WARNING, "asked to end for the third time: ends at once, what still "
                                     "runs is left running and taken over by the next start");
        keeper->is_ending = true;
        keeper->exit_code = EXIT_FAILED;
        if (keeper->engine_pidfd >= 0)
            (void)syscall(SYS_pidfd_send_signal, keeper->engine_pidfd, SIGKILL, NULL, 0);
    }
}

static void on_signals(struct keeper *keeper)
{
    struct signalfd_siginfo info;

    while (read(keeper->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            keeper->requests |= 1U << SIGHUP;
            keeper_tell_reloading(keeper);
        } else {
            ask_engine_to_end(keeper, (int)info.ssi_signo);
        }
    }
    keeper_flush(keeper);
}

static void on_event(struct keeper *keeper, const struct epoll_event *event)
{
    uint32_t index = (uint32_t)event->data.u64;

    switch ((enum keeper_source)(event->data.u64 >> 32)) {
    case SOURCE_SIGNALS:
        on_signals(keeper);
        break;
    case SOURCE_CHILDREN:
        if (keeper->stray_check_at_ms == 0)
            keeper->stray_check_at_ms = keeper_now_ms() + STRAY_CHECK_MS;
        break;
    case SOURCE_LINK:
        if (keeper->link_fd >= 0)
            keeper_on_link(keeper, event->events);
        break;
    case SOURCE_ENGINE:
        if (keeper->engine_pid > 0)
            keeper_on_engine_exit(keeper);
        break;
    case SOURCE_SPAWNER:
        keeper_on_landed(keeper, index);
        break;
    case SOURCE_PROCESS:
        keeper_reap(keeper, index);
        break;
    case SOURCE_SCOPES:
        keeper_on_scopes(keeper);
        break;
    case SOURCE_HOST:
        keeper_on_host(keeper);
        break;
    }
}

/* -1 is never. */
static void soonest(int *timeout_ms, int other_ms)
{
    if (other_ms >= 0 && (*timeout_ms < 0 || other_ms < *timeout_ms))
        *timeout_ms = other_ms;
}

static void earlier(int *timeout_ms, uint64_t now, uint64_t at_ms)
{
    if (at_ms != 0)
        soonest(timeout_ms, at_ms > now ? (int)(at_ms - now) : 0);
}

/* Does what is due and says how long there is nothing to do: for ever, when idle. */
static int run_timers(struct keeper *keeper)
{
    uint64_t now = keeper_now_ms();
    uint64_t manager_at_ms;
    int timeout_ms;

    if (keeper->stray_check_at_ms != 0 && keeper->stray_check_at_ms <= now)
        keeper_reap_strays(keeper);
    if (keeper->status_check_at_ms != 0 && keeper->status_check_at_ms <= now)
        keeper_check_statuses(keeper);
    if (keeper->engine_pid == 0 && keeper->engine_restart_at_ms <= now && !keeper->is_ending) {
        int rc = keeper_start_engine(keeper);

        if (rc < 0) {
            colony_log(SEVERITY_ERROR, "cannot start the engine: %s", strerror(-rc));
            keeper->engine_restart_at_ms = now + 1000;
        }
    }
    if (keeper->tell_again_at_ms != 0 && keeper->tell_again_at_ms <= now)
        keeper_flush(keeper);
    keeper_fail_late_spawns(keeper);
    manager_at_ms = keeper_run_manager(keeper, now);
    timeout_ms = keeper_until_job(keeper);
    soonest(&timeout_ms, colony_spawner_until_late(keeper->spawner));
    earlier(&timeout_ms, now, keeper->stray_check_at_ms);
    earlier(&timeout_ms, now, keeper->status_check_at_ms);
    earlier(&timeout_ms, now, keeper->tell_again_at_ms);
    earlier(&timeout_ms, now, manager_at_ms);
    if (keeper->engine_pid == 0)
        earlier(&timeout_ms, now, keeper->engine_restart_at_ms);
    return timeout_ms;
}

/* One spawn a turn: a thousand of them must not keep ends from being seen. */
static void loop(struct keeper *keeper)
{
    struct epoll_event events[EVENTS_A_TURN];
    unsigned unflushed = 0;

    while (!keeper->is_ending) {
        int count = epoll_wait(keeper->epoll_fd, events, EVENTS_A_TURN, run_timers(keeper));

        keeper->has_one_event = count == 1;
        for (int i = 0; i < count; i++)
            on_event(keeper, &events[i]);
        keeper_begin_job(keeper);
        if (keeper_until_job(keeper) != 0 || ++unflushed == TURNS_UNTOLD) {
            keeper_flush(keeper);
            unflushed = 0;
        }
    }
}

/* Ending. */

static void wait_for_engine(struct keeper *keeper)
{
    uint64_t deadline = keeper_now_ms() + ENGINE_LEAVES_MS;
    struct epoll_event event;

    while (keeper->engine_pid > 0) {
        uint64_t now = keeper_now_ms();

        if (now >= deadline)
            (void)syscall(SYS_pidfd_send_signal, keeper->engine_pidfd, SIGKILL, NULL, 0);
        if (epoll_wait(keeper->epoll_fd, &event, 1, now < deadline ? (int)(deadline - now) : 100) ==
            1)
            on_event(keeper, &event);
    }
}

static void end(struct keeper *keeper)
{
    char code = (char)keeper->exit_code;
    uint32_t left = 0;

    wait_for_engine(keeper);
    keeper_reap_strays(keeper);
    for (uint32_t i = 0; keeper->table.header && i < keeper->table.header->high_water; i++)
        left += colony_record_state(&keeper->table.records[i]) == RECORD_ALIVE &&
                !(keeper->table.records[i].flags & RECORD_DETACHED);
    if (left == 0) {
        colony_cgroups_remove(&keeper->cgroups, keeper->state_fd);
        colony_notify_remove_folder(keeper->state_fd);
    }
    colony_keeper_options_unlink(keeper->options);
    if (keeper->options->pidfile[0] != '\0')
        (void)unlink(keeper->options->pidfile);
    if (left == 0 && keeper->options->is_temporary)
        colony_folder_remove(keeper->options->state_dir);
    if (keeper->options->ready_fd >= 0 && write(keeper->options->ready_fd, &code, 1) < 0)
        colony_log(SEVERITY_DEBUG, "whoever started colony is gone");
}

int colony_keeper_run(struct colony_keeper_options *options)
{
    static struct keeper keeper; /* one a process; too large for the stack */
    struct colony_error err = {0};
    int rc;

    keeper.options = options;
    keeper.link_fd = -1;
    keeper.engine_pidfd = -1;
    keeper.state_fd = -1;
    keeper.notify_fd = -1;
    keeper.cgroups.base_fd = -1;
    keeper.queue_head = NO_INDEX;
    keeper.queue_tail = NO_INDEX;
    keeper.jobs_end = &keeper.jobs;
    keeper.manager.fd = -1;
    keeper.scopes_fd = -1;
    keeper.is_asked_to_end = options->ending_with >= 0;
    keeper.exit_code = keeper.is_asked_to_end ? options->ending_with : 0;
    rc = start(&keeper, &err);
    if (rc < 0) {
        /* A missing file is no missing name, which is what that code is for. */
        char code = (char)(rc == -ENOENT ? EXIT_FAILED : (int)colony_error_info(rc)->exit_code);

        colony_log(SEVERITY_ERROR, "%s", err.message);
        colony_keeper_options_unlink(keeper.options);
        if (options->ready_fd >= 0 && write(options->ready_fd, &code, 1) < 0)
            return EXIT_FAILED;
        return code;
    }
    (void)malloc_trim(0); /* what starting took */
    loop(&keeper);
    end(&keeper);
    return keeper.exit_code;
}
