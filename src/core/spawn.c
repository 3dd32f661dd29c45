/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STAGE_BASE = COLONY_CHILD_FDS_MAX, /* where a child's descriptors are put */
    CGROUP_STAGE = STAGE_BASE + COLONY_CHILD_FDS_MAX,
    RESERVED_FDS = COLONY_RESERVED_FDS, /* a child's table is cut off here */
    STACK_BYTES = 64 << 10,
    SPAWN_SECONDS_MAX = 5,
};

#define LATE_NS (SPAWN_SECONDS_MAX * 1000000000ULL - 100000000)

struct child {
    const struct colony_spawn_plan *plan;
    const int *fds;
    int cgroup_fd; /* to be entered by the child itself; -1: it was born there, or has none */
    struct colony_spawn_result *result;
};

static const char *const step_names[STEP_COUNT] = {
    [STEP_NONE] = "spawn",           [STEP_PREPARE] = "prepare",
    [STEP_CLONE] = "clone",          [STEP_TIMER] = "timer_create",
    [STEP_DESCRIPTORS] = "dup2",     [STEP_SETSID] = "setsid",
    [STEP_CGROUP] = "cgroup",        [STEP_RLIMIT] = "setrlimit",
    [STEP_NICE] = "setpriority",     [STEP_OOM] = "oom_score_adj",
    [STEP_SETGROUPS] = "setgroups",  [STEP_SETGID] = "setgid",
    [STEP_SETUID] = "setuid",        [STEP_CHDIR] = "chdir",
    [STEP_SIGNALS] = "sigprocmask",  [STEP_EXEC] = "exec",
    [STEP_NOTIFY] = "notify",        [STEP_LIMIT_MEMORY] = "limits.memory",
    [STEP_LIMIT_CPU] = "limits.cpu", [STEP_LIMIT_PIDS] = "limits.pids",
};

const char *colony_spawn_step_name(int step)
{
    return step >= 0 && step < STEP_COUNT ? step_names[step] : step_names[STEP_NONE];
}

int colony_spawn_lift_fd(int *fd)
{
    int lifted = fcntl(*fd, F_DUPFD_CLOEXEC, RESERVED_FDS);

    if (lifted < 0)
        return -errno;
    (void)close(*fd);
    *fd = lifted;
    return 0;
}

int colony_spawn_reserve_fds(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd < RESERVED_FDS);
    if (fd < 0)
        return -errno;
    (void)close(fd);
    return 0;
}

/*
 * What follows runs in the child, on the keeper's memory: system calls and nothing else. Libc's own
 * setuid and friends talk to all threads, so the raw ones are used. A child never returns from its
 * frames, so a sanitizer must not mark them: the next one is on the same stack.
 */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

IN_CHILD static __attribute__((noreturn)) void fail(struct child *child)
{
    child->result->error = -errno;
    for (;;)
        (void)syscall(SYS_exit, 127);
}

IN_CHILD static void step(struct child *child, enum colony_spawn_step step)
{
    child->result->step = (int)step;
}

/* If exec is not reached in time (a cwd on a hung mount) the kernel ends the child. */
IN_CHILD static void start_timer(struct child *child)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_sec = SPAWN_SECONDS_MAX}};
    int timer = 0; /* the kernel's timer_t */

    step(child, STEP_TIMER);
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) < 0 ||
        syscall(SYS_timer_settime, timer, 0, &when, NULL) < 0)
        fail(child);
}

IN_CHILD static void set_descriptors(struct child *child)
{
    step(child, STEP_DESCRIPTORS);
    /* A table of its own with just the lowest numbers; without the call (ENOSYS, or EPERM in some
     * containers) a whole copy, whose rest is close-on-exec. */
    if (syscall(SYS_close_range, RESERVED_FDS, ~0U, CLOSE_RANGE_UNSHARE) < 0 &&
        syscall(SYS_unshare, CLONE_FILES) < 0)
        fail(child);
    for (int i = 0; i < COLONY_CHILD_FDS_MAX; i++) {
        if (child->fds[i] >= 0 && syscall(SYS_dup3, STAGE_BASE + i, i, 0) < 0)
            fail(child);
        if (child->fds[i] < 0 && i <= STDERR_FILENO)
            (void)syscall(SYS_close, i); /* the rest of the reserved ones is close-on-exec */
    }
}

IN_CHILD static void write_file(struct child *child, int folder, const char *path, const char *text)
{
    long fd = syscall(SYS_openat, folder, path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || syscall(SYS_write, fd, text, strlen(text)) < 0)
        fail(child);
    (void)syscall(SYS_close, fd);
}

IN_CHILD static void set_oom_score(struct child *child, int score)
{
    char text[16];

    step(child, STEP_OOM);
    (void)snprintf(text, sizeof text, "%d", score);
    write_file(child, AT_FDCWD, "/proc/self/oom_score_adj", text);
}

IN_CHILD static void set_limits(struct child *child)
{
    const struct colony_payload *payload = child->plan->payload;

    step(child, STEP_RLIMIT);
    for (uint32_t i = 0; i < payload->rlimit_count; i++) {
        struct rlimit64 limit = {payload->rlimits[i].soft, payload->rlimits[i].hard};

        if (syscall(SYS_prlimit64, 0, payload->rlimits[i].resource, &limit, NULL) < 0)
            fail(child);
    }
    step(child, STEP_NICE);
    if (payload->flags & PAYLOAD_HAS_NICE &&
        syscall(SYS_setpriority, PRIO_PROCESS, 0, payload->nice) < 0)
        fail(child);
    if (payload->flags & PAYLOAD_HAS_OOM)
        set_oom_score(child, payload->oom_score_adj);
    if (payload->flags & PAYLOAD_HAS_UMASK)
        (void)syscall(SYS_umask, payload->umask);
}

IN_CHILD static void set_identity(struct child *child)
{
    const struct colony_payload *payload = child->plan->payload;

    if (!(payload->flags & PAYLOAD_HAS_IDENTITY))
        return;
    step(child, STEP_SETGROUPS);
    /* An unprivileged keeper cannot, and its groups are the user's own already. */
    if (syscall(SYS_setgroups, payload->group_count, payload->groups) < 0 &&
        (errno != EPERM || payload->group_count > 0 || syscall(SYS_geteuid) == 0))
        fail(child);
    step(child, STEP_SETGID);
    if (syscall(SYS_setresgid, payload->gid, payload->gid, payload->gid) < 0)
        fail(child);
    step(child, STEP_SETUID);
    if (syscall(SYS_setresuid, payload->uid, payload->uid, payload->uid) < 0)
        fail(child);
}

/* As execvp(3): the first candidate that is there; EACCES is told only if no other can be run. */
IN_CHILD static void exec_first(struct child *child)
{
    int denied = 0;

    step(child, STEP_EXEC);
    errno = ENOENT;
    for (char **path = child->plan->paths; *path; path++) {
        (void)syscall(SYS_execve, *path, child->plan->argv, child->plan->env);
        if (errno == EACCES)
            denied = 1;
        else if (errno != ENOENT && errno != ENOTDIR)
            break;
    }
    if (denied && (errno == ENOENT || errno == ENOTDIR))
        errno = EACCES;
    fail(child);
}

IN_CHILD static int run_child(void *data)
{
    struct child *child = data;
    uint64_t no_signals = 0;

    start_timer(child);
    set_descriptors(child);
    step(child, STEP_SETSID);
    if (syscall(SYS_setsid) < 0)
        fail(child);
    step(child, STEP_CGROUP);
    if (child->cgroup_fd >= 0)
        write_file(child, CGROUP_STAGE, "cgroup.procs", "0");
    set_limits(child);
    set_identity(child);
    step(child, STEP_CHDIR);
    if (child->plan->cwd && syscall(SYS_chdir, child->plan->cwd) < 0)
        fail(child);
    /* The keeper ignores no signal and has no handlers: the mask is all there is to undo. */
    step(child, STEP_SIGNALS);
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof no_signals) < 0)
        fail(child);
    exec_first(child);
    return 0;
}

/* Here ends what runs in the child. */

#if defined(__x86_64__) || defined(__aarch64__)
/*
 * clone3(2) has no wrapper in libc. The child begins on a stack of its own, so it must not return
 * into this function: the call of @run is part of the assembly.
 */
static __attribute__((noinline)) long raw_clone3(struct clone_args *args, int (*run)(void *),
                                                 void *data)
{
#if defined(__x86_64__)
    long result = SYS_clone3;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %[data], %%rdi\n\t"
                     "call *%[run]\n\t"
                     "ud2\n"
                     "1:"
                     : "+a"(result)
                     : "D"(args), "S"(sizeof *args), [run] "r"(run), [data] "r"(data)
                     : "rcx", "r11", "memory", "cc");
    return result;
#else
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)args;
    register long size __asm__("x1") = sizeof *args;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, %[data]\n\t"
                     "blr %[run]\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(result)
                     : "r"(number), "r"(size), [run] "r"(run), [data] "r"(data)
                     : "x30", "memory", "cc");
    return result;
#endif
}
#define HAS_CLONE3 1
#else
#define HAS_CLONE3 0
static long raw_clone3(struct clone_args *args, int (*run)(void *), void *data)
{
    (void)args, (void)run, (void)data;
    return -ENOSYS;
}
#endif

/* One a thread, kept: mapping and faulting it anew for each spawn would show. */
static _Thread_local char *thread_stack;

static char *stack_base(void)
{
    void *base;

    if (thread_stack)
        return thread_stack;
    base = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    (void)mprotect(base, 4096, PROT_NONE); /* an overflow must not reach the keeper's memory */
    thread_stack = base;
    return base;
}

/* Outside of its cgroup it must not run. */
static bool must_be_limited(const struct colony_spawn_plan *plan)
{
    return colony_spawn_plan_has_limits(plan) && !(plan->payload->flags & PAYLOAD_LIMITS_OPTIONAL);
}

static bool clone3_is_missing(long result)
{
    return result == -ENOSYS || result == -EPERM;
}

/* clone(2) with the same flags; CLONE_PIDFD excludes CLONE_PARENT_SETTID there. */
static long legacy_clone(struct child *child, char *stack, pid_t *pid, int *pidfd)
{
    long result =
        clone(run_child, stack + STACK_BYTES,
              CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PARENT_SETTID | SIGCHLD, child, pid);
    int error;

    if (result < 0)
        return -errno;
    /* It is our child and not yet waited for: the number cannot have been given away. */
    *pidfd = (int)syscall(SYS_pidfd_open, result, 0);
    if (*pidfd >= 0)
        return result;
    error = -errno;
    (void)kill((pid_t)result, SIGKILL); /* what cannot be watched must not run */
    (void)waitpid((pid_t)result, NULL, 0);
    return error;
}

static long clone_child(struct child *child, pid_t *pid, int *pidfd)
{
    static volatile bool use_legacy = !HAS_CLONE3;
    char *stack = stack_base();
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_FILES | CLONE_PARENT_SETTID,
        .pidfd = (uintptr_t)pidfd,
        .parent_tid = (uintptr_t)pid,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = STACK_BYTES,
    };
    int cgroup_fd = child->cgroup_fd;
    long result = -ENOSYS;

    if (!stack)
        return -ENOMEM;
    if (!use_legacy) {
        if (cgroup_fd >= 0) {
            args.flags |= CLONE_INTO_CGROUP;
            args.cgroup = (unsigned)cgroup_fd;
            child->cgroup_fd = -1; /* it is born there */
        }
        result = raw_clone3(&args, run_child, child);
        if (result < 0 && cgroup_fd >= 0 && !clone3_is_missing(result) &&
            !must_be_limited(child->plan)) {
            /* A cgroup that takes nobody must not keep a process from running. */
            child->result->cgroup_error = (int)result;
            args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
            result = raw_clone3(&args, run_child, child);
        }
        if (!clone3_is_missing(result))
            return result;
        use_legacy = true;
    }
    child->cgroup_fd = cgroup_fd;
    if (cgroup_fd >= 0 && dup3(cgroup_fd, CGROUP_STAGE, O_CLOEXEC) < 0)
        return -errno; /* the child enters the cgroup through it */
    result = legacy_clone(child, stack, pid, pidfd);
    if (cgroup_fd >= 0)
        (void)dup3(COLONY_RESERVED_NULL_FD, CGROUP_STAGE, O_CLOEXEC);
    return result;
}

static int stage_descriptors(const int *fds)
{
    for (int i = 0; i < COLONY_CHILD_FDS_MAX; i++)
        if (fds[i] >= 0 && dup3(fds[i], STAGE_BASE + i, O_CLOEXEC) < 0)
            return -errno;
    return 0;
}

void colony_spawn_release_fds(const int fds[COLONY_CHILD_FDS_MAX])
{
    for (int i = 0; i < COLONY_CHILD_FDS_MAX; i++)
        if (fds[i] >= 0 && fds[i] != COLONY_RESERVED_NULL_FD)
            (void)dup3(COLONY_RESERVED_NULL_FD, STAGE_BASE + i, O_CLOEXEC);
}

/* A child that shares memory and fails an identity change takes the keeper's dumpable flag along.
 */
static void restore_dumpable(void)
{
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static uint64_t now_boot_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void colony_spawn(const struct colony_spawn_plan *plan, const int fds[COLONY_CHILD_FDS_MAX],
                  int cgroup_fd, pid_t *pid, struct colony_spawn_result *result)
{
    struct child child = {plan, fds, cgroup_fd, result};
    int pidfd = -1;
    sigset_t all;
    sigset_t before;
    long rc;

    result->pidfd = -1;
    result->error = 0;
    result->cgroup_error = 0;
    result->step = STEP_PREPARE;
    rc = stage_descriptors(fds);
    if (rc < 0) {
        result->error = (int)rc;
        return;
    }
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result->step = STEP_CLONE;
    result->began_boot_ns = now_boot_ns();
    rc = clone_child(&child, pid, &pidfd);
    result->ended_boot_ns = now_boot_ns();
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    result->is_late = result->ended_boot_ns - result->began_boot_ns >= LATE_NS;
    if (plan->payload->flags & PAYLOAD_HAS_IDENTITY)
        restore_dumpable();
    if (rc < 0) {
        if (cgroup_fd >= 0 && must_be_limited(plan))
            result->step = STEP_CGROUP; /* in which alone it may run */
        result->error = (int)rc;
        return;
    }
    result->pid = (pid_t)rc;
    result->pidfd = pidfd;
}
