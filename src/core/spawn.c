/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/spawn_child.h"

enum {
    STACK_BYTES = 64 << 10,
    GUARD_BYTES = 4096,
    CHILD_BYTES = 64, /* above its stack, so that both are in one page */
    STACK_TOP = STACK_BYTES - CHILD_BYTES,
};

#define LATE_NS (COLONY_CHILD_SECONDS_MAX * 1000000000ULL - 100000000)

/* The mapping is shared, as a child may have the rest of the memory to itself. */
struct colony_flight {
    char *stack; /* from its lowest address: a page that none may touch, *child, the stack */
    struct colony_child *child;
    int pipe_fd;
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

static int stage_count;

int colony_spawn_stages(void)
{
    return stage_count;
}

int colony_spawn_first_fd(int stages)
{
    return (stages + 1) * COLONY_STAGE_SIZE; /* the first of them are the child's own */
}

int colony_spawn_lift_fd(int *fd, int first)
{
    int lifted = fcntl(*fd, F_DUPFD_CLOEXEC, first);

    if (lifted < 0)
        return -errno;
    (void)close(*fd);
    *fd = lifted;
    return 0;
}

int colony_spawn_reserve_fds(int stages)
{
    const int first = colony_spawn_first_fd(stages);
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd < first);
    if (fd < 0)
        return -errno;
    (void)close(fd);
    stage_count = stages;
    return 0;
}

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

/* Flights. */

int colony_flight_fd(const struct colony_flight *flight)
{
    return flight->pipe_fd;
}

static int open_pipe(struct colony_flight *flight)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    (void)close(ends[1]); /* each child opens one of its own */
    flight->pipe_fd = ends[0];
    return 0;
}

_Static_assert(sizeof(struct colony_child) <= CHILD_BYTES, "the child is above its stack");

static int map_stack(struct colony_flight *flight)
{
    flight->stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (flight->stack == MAP_FAILED) {
        flight->stack = NULL;
        return -errno;
    }
    /* An overflow must not reach what lies below. */
    (void)mprotect(flight->stack, GUARD_BYTES, PROT_NONE);
    flight->child = (struct colony_child *)(flight->stack + STACK_TOP);
    return 0;
}

int colony_flight_new(struct colony_flight **out)
{
    struct colony_flight *flight = calloc(1, sizeof *flight);
    int rc;

    if (!flight)
        return -ENOMEM;
    flight->pipe_fd = -1;
    rc = map_stack(flight);
    if (rc == 0)
        rc = open_pipe(flight);
    if (rc < 0) {
        colony_flight_free(flight);
        return rc;
    }
    *out = flight;
    return 0;
}

void colony_flight_free(struct colony_flight *flight)
{
    if (!flight)
        return;
    if (flight->pipe_fd >= 0)
        (void)close(flight->pipe_fd);
    if (flight->stack)
        (void)munmap(flight->stack, STACK_BYTES);
    free(flight);
}

/* Stages: above what a child has itself, below all else. */

static int stage_base(int stage)
{
    return colony_spawn_first_fd(stage);
}

static int put_on_stage(int stage, int place, int fd)
{
    return dup3(fd, stage_base(stage) + place, O_CLOEXEC) < 0 ? -errno : 0;
}

static int fill_stage(int stage, const struct colony_flight *flight, const int *fds)
{
    int rc = put_on_stage(stage, COLONY_STAGE_WATCH, flight->pipe_fd);

    for (int i = 0; i < COLONY_CHILD_FDS_MAX && rc == 0; i++)
        if (fds[i] >= 0)
            rc = put_on_stage(stage, i, fds[i]);
    return rc;
}

static bool use_legacy = !HAS_CLONE3;

void colony_spawn_clear_stage(int stage, const int fds[COLONY_CHILD_FDS_MAX])
{
    if (use_legacy)
        (void)put_on_stage(stage, COLONY_STAGE_CGROUP, COLONY_RESERVED_NULL_FD);
    for (int i = 0; i < COLONY_CHILD_FDS_MAX; i++)
        if (fds[i] >= 0 && fds[i] != COLONY_RESERVED_NULL_FD)
            (void)put_on_stage(stage, i, COLONY_RESERVED_NULL_FD);
}

int colony_spawn_step_of(const struct colony_flight *flight)
{
    return atomic_load(&flight->child->step);
}

bool colony_spawn_has_taken_fds(const struct colony_flight *flight)
{
    return atomic_load(&flight->child->step) > STEP_DESCRIPTORS ||
           atomic_load(&flight->child->error) != 0;
}

/* Clone. */

/* Outside of its cgroup it must not run. */
static bool must_be_limited(const struct colony_spawn_plan *plan)
{
    return colony_spawn_plan_has_limits(plan) && !(plan->payload->flags & PAYLOAD_LIMITS_OPTIONAL);
}

/* The kernel gives an oom_score_adj to all that share memory, us among them. */
static uint64_t memory_flag(const struct colony_spawn_plan *plan)
{
    return COLONY_CHILD_SHARES_MEMORY && !(plan->payload->flags & PAYLOAD_HAS_OOM) ? CLONE_VM : 0;
}

static bool clone3_is_missing(long result)
{
    return result == -ENOSYS || result == -EPERM;
}

/* clone(2) with the same flags; CLONE_PIDFD excludes CLONE_PARENT_SETTID there. */
static long legacy_clone(struct colony_flight *flight, pid_t *pid, int *pidfd)
{
    int flags = (int)memory_flag(flight->child->plan) | CLONE_FILES | CLONE_PARENT_SETTID | SIGCHLD;
    long result = clone(colony_child_run, flight->stack + STACK_TOP, flags, flight->child, pid);
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

static long clone_child(struct colony_flight *flight, const struct colony_spawn_task *task,
                        struct colony_spawn_result *result)
{
    const int cgroup_fd = task->cgroup_fd;
    struct clone_args args = {
        .flags = memory_flag(flight->child->plan) | CLONE_PIDFD | CLONE_FILES | CLONE_PARENT_SETTID,
        .pidfd = (uintptr_t)&result->pidfd,
        .parent_tid = (uintptr_t)task->pid,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)flight->stack + GUARD_BYTES,
        .stack_size = STACK_TOP - GUARD_BYTES,
    };
    long rc = -ENOSYS;

    if (!use_legacy) {
        if (cgroup_fd >= 0) {
            args.flags |= CLONE_INTO_CGROUP;
            args.cgroup = (unsigned)cgroup_fd;
        }
        rc = raw_clone3(&args, colony_child_run, flight->child);
        if (rc < 0 && cgroup_fd >= 0 && !clone3_is_missing(rc) &&
            !must_be_limited(flight->child->plan)) {
            /* A cgroup that takes nobody must not keep a process from running. */
            result->cgroup_error = (int)rc;
            args.flags &= ~(uint64_t)CLONE_INTO_CGROUP;
            rc = raw_clone3(&args, colony_child_run, flight->child);
        }
        if (!clone3_is_missing(rc))
            return rc;
        use_legacy = true;
    }
    flight->child->enters_cgroup = cgroup_fd >= 0;
    if (cgroup_fd >= 0 && put_on_stage(task->stage, COLONY_STAGE_CGROUP, cgroup_fd) < 0)
        return -errno;
    return legacy_clone(flight, task->pid, &result->pidfd);
}

static uint64_t now_boot_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Without a signal on the way: the child takes the mask over. */
static long clone_masked(struct colony_flight *flight, const struct colony_spawn_task *task,
                         struct colony_spawn_result *result)
{
    sigset_t all;
    sigset_t before;
    long rc;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    result->began_boot_ns = now_boot_ns();
    rc = clone_child(flight, task, result);
    result->born_boot_ns = now_boot_ns();
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void colony_spawn_begin(struct colony_flight *flight, const struct colony_spawn_task *task,
                        struct colony_spawn_result *result)
{
    long rc = fill_stage(task->stage, flight, task->fds);

    *result = (struct colony_spawn_result){.pidfd = -1, .step = STEP_PREPARE};
    *flight->child = (struct colony_child){
        .plan = task->plan,
        .fds = task->fds,
        .first_foreign_fd = colony_spawn_first_fd(stage_count),
        .stage = stage_base(task->stage),
    };
    if (rc == 0) {
        result->step = STEP_CLONE;
        rc = clone_masked(flight, task, result);
    }
    if (rc > 0) {
        result->pid = (pid_t)rc;
        return;
    }
    if (result->step == STEP_CLONE && task->cgroup_fd >= 0 && must_be_limited(task->plan))
        result->step = STEP_CGROUP; /* in which alone it may run */
    result->error = (int)rc;
    result->pidfd = -1;
}

enum colony_flight_state colony_spawn_look(const struct colony_flight *flight)
{
    const struct colony_child *child = flight->child;
    struct pollfd pipe = {.fd = flight->pipe_fd, .events = POLLIN};

    /* In this order: it has opened the pipe, and nobody has it open any more. */
    if (!atomic_load(&child->is_watched) || poll(&pipe, 1, 0) != 1)
        return FLIGHT_GOES_ON;
    return atomic_load(&child->error) == 0 && atomic_load(&child->step) == STEP_EXEC
               ? FLIGHT_LANDED
               : FLIGHT_FAILED;
}

/* A child that shares memory and changes its identity takes our dumpable flag along. */
static void restore_dumpable(void)
{
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

void colony_spawn_end(struct colony_flight *flight, struct colony_spawn_result *result)
{
    const struct colony_child *child = flight->child;

    result->step = atomic_load(&child->step);
    result->error = atomic_load(&child->error);
    result->is_late = now_boot_ns() - result->began_boot_ns >= LATE_NS;
    if (child->plan->payload->flags & PAYLOAD_HAS_IDENTITY)
        restore_dumpable();
}
