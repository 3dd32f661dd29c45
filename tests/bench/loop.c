/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c - the least that starts processes, sees them end and starts them again: the limit that
 * colony is measured beside.
 *
 *     loop [-d] [-g FOLDER] COUNT PROGRAM [ARGUMENT...]
 *
 * COUNT processes of PROGRAM, each with a session of its own and one pipe for its output that stays
 * over restarts, as colony has it. Lines on stdin are orders: `start` starts all, `stop` sends
 * SIGTERM to all; each is answered by the order's word once it has come about. The end of stdin
 * ends all. -d: restarts are delayed as colony's are by default (at once, then 0.1 s, doubling up
 * to 60 s). -g: each process is born in a cgroup of its own, made in FOLDER.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_A_TURN = 256,
    FIRST_DELAY_MS = 100,
    LAST_DELAY_MS = 60000,
    COUNT_MAX = 100000,
};

/* What an epoll event is about: a number of a process with one of these, or the orders. */
enum about {
    ABOUT_ORDERS,
    ABOUT_END,
    ABOUT_OUTPUT,
};

struct process {
    int pidfd;
    int output[2]; /* -1: not made yet */
    int cgroup_fd; /* -1: none */
    uint64_t delay_ms;
    uint64_t due_ms; /* 0: it runs, or is to stay down */
};

struct loop {
    struct process *processes;
    uint32_t count;
    uint32_t living;
    char **argv;
    const char *cgroups; /* NULL: none */
    bool has_delays;
    bool is_stopping;
    int epoll_fd;
    int orders_fd;
    int answers_fd;
};

extern char **environ;

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The child shares memory and descriptors until it has cut its table off. Never returns. */
static __attribute__((noinline, noreturn)) void run_child(char **argv)
{
    (void)syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE);
    (void)syscall(SYS_setsid);
    (void)syscall(SYS_execve, argv[0], argv, environ);
    for (;;)
        (void)syscall(SYS_exit, 127);
}

/*
 * Without a stack of its own the child goes on upon this one, as after vfork(2): it must not return
 * from here, and no function may be between the system call and this frame.
 */
static __attribute__((noinline)) long clone_child(struct clone_args *args, char **argv)
{
#if defined(__x86_64__)
    long result = SYS_clone3;

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(args), "S"(sizeof *args)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)args;
    register long size __asm__("x1") = sizeof *args;

    __asm__ volatile("svc #0" : "+r"(result) : "r"(number), "r"(size) : "memory");
#else
#error "loop.c knows clone3 of x86-64 and aarch64 only"
#endif
    if (result == 0)
        run_child(argv);
    return result;
}

static void watch(const struct loop *loop, int fd, uint32_t number, enum about about)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)number << 8 | about};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        err(1, "cannot watch a descriptor");
}

/* What a slot has once: its pipe, and its cgroup. */
static void prepare(const struct loop *loop, uint32_t number)
{
    struct process *process = &loop->processes[number];
    char path[4096];

    if (pipe2(process->output, O_CLOEXEC | O_NONBLOCK) < 0)
        err(1, "cannot make a pipe");
    watch(loop, process->output[0], number, ABOUT_OUTPUT);
    if (!loop->cgroups)
        return;
    (void)snprintf(path, sizeof path, "%s/%u", loop->cgroups, number);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        err(1, "cannot make %s", path);
    process->cgroup_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (process->cgroup_fd < 0)
        err(1, "cannot open %s", path);
}

static void spawn(struct loop *loop, uint32_t number)
{
    struct process *process = &loop->processes[number];
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_FILES,
        .pidfd = (uintptr_t)&process->pidfd,
        .exit_signal = SIGCHLD,
    };
    long pid;

    if (process->output[0] < 0)
        prepare(loop, number);
    if (process->cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)process->cgroup_fd;
    }
    /* These numbers are the children's: it is at them that a child's table is cut off. */
    (void)dup3(process->output[1], STDOUT_FILENO, 0);
    (void)dup3(process->output[1], STDERR_FILENO, 0);
    pid = clone_child(&args, loop->argv);
    if (pid < 0) {
        errno = (int)-pid;
        err(1, "cannot start %s", loop->argv[0]);
    }
    process->due_ms = 0;
    loop->living++;
    watch(loop, process->pidfd, number, ABOUT_END);
}

static void answer(const struct loop *loop, const char *text)
{
    if (write(loop->answers_fd, text, strlen(text)) < 0)
        err(1, "cannot answer");
}

static void on_end(struct loop *loop, uint32_t number)
{
    struct process *process = &loop->processes[number];
    siginfo_t info;

    if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED) < 0)
        err(1, "cannot wait for a process");
    (void)close(process->pidfd);
    process->pidfd = -1;
    loop->living--;
    if (loop->is_stopping) {
        if (loop->living == 0)
            answer(loop, "stop\n");
        return;
    }
    if (loop->has_delays && process->delay_ms > 0)
        process->due_ms = now_ms() + process->delay_ms;
    else
        spawn(loop, number);
    process->delay_ms = process->delay_ms == 0 ? FIRST_DELAY_MS : process->delay_ms * 2;
    if (process->delay_ms > LAST_DELAY_MS)
        process->delay_ms = LAST_DELAY_MS;
}

static void on_output(const struct process *process)
{
    char bytes[65536];

    while (read(process->output[0], bytes, sizeof bytes) > 0)
        ;
}

static void signal_all(const struct loop *loop, int signo)
{
    for (uint32_t i = 0; i < loop->count; i++)
        if (loop->processes[i].pidfd >= 0)
            (void)syscall(SYS_pidfd_send_signal, loop->processes[i].pidfd, signo, NULL, 0);
}

static void remove_cgroups(const struct loop *loop)
{
    char path[4096];

    for (uint32_t i = 0; loop->cgroups && i < loop->count; i++) {
        (void)snprintf(path, sizeof path, "%s/%u", loop->cgroups, i);
        (void)rmdir(path);
    }
}

/* False at the end of the orders. */
static bool on_orders(struct loop *loop)
{
    char text[64];
    ssize_t size = read(loop->orders_fd, text, sizeof text);

    if (size <= 0)
        return false;
    if (strncmp(text, "start", 5) == 0) {
        for (uint32_t i = 0; i < loop->count; i++)
            spawn(loop, i);
        answer(loop, "start\n");
    } else {
        loop->is_stopping = true;
        signal_all(loop, SIGTERM);
    }
    return true;
}

/* Starts what is due; returns how long to wait for the next. */
static int start_due(struct loop *loop)
{
    uint64_t next_ms = UINT64_MAX;
    uint64_t now = now_ms();

    if (!loop->has_delays)
        return -1;
    for (uint32_t i = 0; i < loop->count; i++) {
        struct process *process = &loop->processes[i];

        if (process->due_ms > 0 && process->due_ms <= now)
            spawn(loop, i);
        else if (process->due_ms > 0 && process->due_ms < next_ms)
            next_ms = process->due_ms;
    }
    return next_ms == UINT64_MAX ? -1 : (int)(next_ms - now);
}

/* False when it is to end. */
static bool turn(struct loop *loop)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_A_TURN, start_due(loop));

    for (int i = 0; i < count; i++) {
        uint32_t number = (uint32_t)(events[i].data.u64 >> 8);
        enum about about = (enum about)(events[i].data.u64 & 0xff);

        if (about == ABOUT_END)
            on_end(loop, number);
        else if (about == ABOUT_OUTPUT)
            on_output(&loop->processes[number]);
        else if (!on_orders(loop))
            return false;
    }
    return true;
}

/* Our own descriptors go above the three that are the children's. */
static int lift(int fd)
{
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (lifted < 0)
        err(1, "cannot move a descriptor");
    return lifted;
}

static void open_all(struct loop *loop)
{
    struct rlimit limit;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    loop->processes = calloc((size_t)loop->count + 1, sizeof *loop->processes);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!loop->processes || loop->epoll_fd < 0 || null_fd < 0)
        err(1, "cannot begin");
    for (uint32_t i = 0; i < loop->count; i++)
        loop->processes[i] = (struct process){-1, {-1, -1}, -1, 0, 0};
    loop->orders_fd = lift(STDIN_FILENO);
    loop->answers_fd = lift(STDOUT_FILENO);
    (void)dup3(null_fd, STDIN_FILENO, 0);
    watch(loop, loop->orders_fd, 0, ABOUT_ORDERS);
}

int main(int argc, char **argv)
{
    struct loop loop = {0};
    int option;

    while ((option = getopt(argc, argv, "+dg:")) != -1) {
        if (option == '?')
            return 2;
        if (option == 'd')
            loop.has_delays = true;
        else
            loop.cgroups = optarg;
    }
    if (argc - optind < 2)
        errx(2, "usage: loop [-d] [-g FOLDER] COUNT PROGRAM [ARGUMENT...]");
    loop.count = (uint32_t)strtoul(argv[optind], NULL, 10);
    if (loop.count > COUNT_MAX)
        errx(2, "cannot start %s processes: %d is the most", argv[optind], COUNT_MAX);
    loop.argv = argv + optind + 1;
    open_all(&loop);
    while (turn(&loop))
        ;
    signal_all(&loop, SIGKILL);
    while (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED) == 0 || errno == EINTR)
        ;
    remove_cgroups(&loop);
    free(loop.processes);
    return 0;
}
