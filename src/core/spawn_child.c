/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    WATCH_FD =
        COLONY_CHILD_FDS_MAX, /* where it has what its stage has beyond its own descriptors */
    CGROUP_FD = COLONY_CHILD_FDS_MAX + 1,
    FIRST_STAGED_FD = COLONY_STAGE_SIZE,
    SCORE_SIZE = 8,
};

/*
 * Libc's own setuid and friends talk to all threads, so the raw ones are used. A child never
 * returns from its frames, so a sanitizer must not mark them: the next one is on the same stack.
 */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

/* Returns a negative errno as the kernel does: errno itself is the keeper's. */
IN_CHILD static inline long call4(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
    register long fourth __asm__("r10") = d;
    long result = number;

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory", "cc");
    return result;
#elif defined(__aarch64__)
    register long name __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;

    __asm__ volatile("svc #0"
                     : "+r"(first)
                     : "r"(name), "r"(second), "r"(third), "r"(fourth)
                     : "memory", "cc");
    return first;
#else
    long result = syscall(number, a, b, c, d);

    return result < 0 ? -errno : result;
#endif
}

#define PICK(_1, _2, _3, _4, _5, name, ...) name
#define CALL1(n) call4(n, 0, 0, 0, 0)
#define CALL2(n, a) call4(n, (long)(a), 0, 0, 0)
#define CALL3(n, a, b) call4(n, (long)(a), (long)(b), 0, 0)
#define CALL4(n, a, b, c) call4(n, (long)(a), (long)(b), (long)(c), 0)
#define CALL5(n, a, b, c, d) call4(n, (long)(a), (long)(b), (long)(c), (long)(d))
#define CALL(...) PICK(__VA_ARGS__, CALL5, CALL4, CALL3, CALL2, CALL1, )(__VA_ARGS__)

IN_CHILD static __attribute__((noreturn)) void fail(struct colony_child *child, long error)
{
    atomic_store(&child->error, (int)error);
    for (;;)
        (void)CALL(SYS_exit, 127);
}

/* Goes on only if @result says that the call has done what it should. */
IN_CHILD static long check(struct colony_child *child, long result)
{
    if (result < 0)
        fail(child, result);
    return result;
}

IN_CHILD static void step(struct colony_child *child, enum colony_spawn_step step)
{
    atomic_store(&child->step, (int)step);
}

/* If exec is not reached in time (a cwd on a hung mount) the kernel ends the child. */
IN_CHILD static void start_timer(struct colony_child *child)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_sec = COLONY_CHILD_SECONDS_MAX}};
    int timer = 0; /* the kernel's timer_t */

    step(child, STEP_TIMER);
    (void)check(child, CALL(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    (void)check(child, CALL(SYS_timer_settime, timer, 0, &when, NULL));
}

/*
 * A table of its own with just the lowest numbers; without the call (ENOSYS, or EPERM in some
 * containers) a whole copy, whose rest is close-on-exec.
 */
IN_CHILD static void cut_off(struct colony_child *child)
{
    if (CALL(SYS_close_range, child->first_foreign_fd, ~0U, CLOSE_RANGE_UNSHARE) < 0)
        (void)check(child, CALL(SYS_unshare, CLONE_FILES));
}

IN_CHILD static void set_descriptors(struct colony_child *child)
{
    const int stage = child->stage;

    step(child, STEP_DESCRIPTORS);
    cut_off(child);
    for (int i = 0; i < COLONY_CHILD_FDS_MAX; i++) {
        if (child->fds[i] >= 0)
            (void)check(child, CALL(SYS_dup3, stage + i, i, 0));
        else if (i <= STDERR_FILENO)
            (void)CALL(SYS_close, i); /* the rest of the reserved ones is close-on-exec */
    }
    (void)check(child, CALL(SYS_dup3, stage + COLONY_STAGE_WATCH, WATCH_FD, O_CLOEXEC));
    if (child->enters_cgroup)
        (void)check(child, CALL(SYS_dup3, stage + COLONY_STAGE_CGROUP, CGROUP_FD, O_CLOEXEC));
    /* What is staged for others must not stay open here, should this one hang. */
    (void)CALL(SYS_close_range, FIRST_STAGED_FD, ~0U, 0);
}

/* Exec, or its end, closes what is opened here: its pipe hangs up, which wakes the keeper. */
IN_CHILD static void watch(struct colony_child *child)
{
    static const char path[] = "/proc/self/fd/8";

    _Static_assert(WATCH_FD == 8, "what the path says");
    (void)check(child, CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC));
    atomic_store(&child->is_watched, true);
}

IN_CHILD static void write_file(struct colony_child *child, int folder, const char *path,
                                const char *text, size_t size)
{
    long fd = check(child, CALL(SYS_openat, folder, path, O_WRONLY | O_CLOEXEC));

    (void)check(child, CALL(SYS_write, fd, text, size));
    (void)CALL(SYS_close, fd);
}

/* Between -1000 and 1000. */
IN_CHILD static void set_oom_score(struct colony_child *child, int score)
{
    char text[SCORE_SIZE];
    size_t at = sizeof text;
    unsigned left = score < 0 ? 0U - (unsigned)score : (unsigned)score;

    step(child, STEP_OOM);
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0 && at > 1);
    if (score < 0)
        text[--at] = '-';
    write_file(child, AT_FDCWD, "/proc/self/oom_score_adj", text + at, sizeof text - at);
}

IN_CHILD static void set_limits(struct colony_child *child)
{
    const struct colony_payload *payload = child->plan->payload;

    step(child, STEP_RLIMIT);
    for (uint32_t i = 0; i < payload->rlimit_count; i++) {
        struct rlimit64 limit = {payload->rlimits[i].soft, payload->rlimits[i].hard};

        (void)check(child, CALL(SYS_prlimit64, 0, payload->rlimits[i].resource, &limit, NULL));
    }
    step(child, STEP_NICE);
    if (payload->flags & PAYLOAD_HAS_NICE)
        (void)check(child, CALL(SYS_setpriority, PRIO_PROCESS, 0, payload->nice));
    if (payload->flags & PAYLOAD_HAS_OOM)
        set_oom_score(child, payload->oom_score_adj);
    if (payload->flags & PAYLOAD_HAS_UMASK)
        (void)CALL(SYS_umask, payload->umask);
}

IN_CHILD static void set_identity(struct colony_child *child)
{
    const struct colony_payload *payload = child->plan->payload;
    long rc;

    if (!(payload->flags & PAYLOAD_HAS_IDENTITY))
        return;
    step(child, STEP_SETGROUPS);
    rc = CALL(SYS_setgroups, payload->group_count, payload->groups);
    /* An unprivileged keeper cannot, and its groups are the user's own already. */
    if (rc != -EPERM || payload->group_count > 0 || CALL(SYS_geteuid) == 0)
        (void)check(child, rc);
    step(child, STEP_SETGID);
    (void)check(child, CALL(SYS_setresgid, payload->gid, payload->gid, payload->gid));
    step(child, STEP_SETUID);
    (void)check(child, CALL(SYS_setresuid, payload->uid, payload->uid, payload->uid));
}

/*
 * As execvp(3): the first candidate that is there; EACCES is told only if no other can be run, and
 * ELIBACC in place of ENOENT of what is there: something that it is run by is not.
 */
IN_CHILD static __attribute__((noreturn)) void exec_first(struct colony_child *child)
{
    bool is_denied = false;
    bool is_there = false;
    long error = -ENOENT;

    step(child, STEP_EXEC);
    for (char **path = child->plan->paths; *path; path++) {
        error = CALL(SYS_execve, *path, child->plan->argv, child->plan->env);
        is_denied |= error == -EACCES;
        is_there |= error == -ENOENT && CALL(SYS_faccessat, AT_FDCWD, *path, F_OK) == 0;
        if (error != -EACCES && error != -ENOENT && error != -ENOTDIR)
            break;
    }
    if ((is_denied || is_there) && (error == -ENOENT || error == -ENOTDIR))
        error = is_denied ? -EACCES : -ELIBACC;
    fail(child, error);
}

IN_CHILD int colony_child_run(void *data)
{
    struct colony_child *child = data;
    uint64_t no_signals = 0;

    start_timer(child);
    set_descriptors(child);
    watch(child);
    step(child, STEP_SETSID);
    (void)check(child, CALL(SYS_setsid));
    step(child, STEP_CGROUP);
    if (child->enters_cgroup)
        write_file(child, CGROUP_FD, "cgroup.procs", "0", 1);
    set_limits(child);
    set_identity(child);
    step(child, STEP_CHDIR);
    if (child->plan->cwd)
        (void)check(child, CALL(SYS_chdir, child->plan->cwd));
    /* The keeper ignores no signal and has no handlers: the mask is all there is to undo. */
    step(child, STEP_SIGNALS);
    (void)check(child, CALL(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof no_signals));
    exec_first(child);
}
