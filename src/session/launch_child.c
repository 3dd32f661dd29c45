/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_child.c - between fork and exec. Only what is safe after the fork of a process with other
 * threads (signal-safety(7)): no memory, no locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/orphan.h"
#include "session/launch_internal.h"

enum {
    LIFTED_FD = 16,        /* from here on nothing stands in the way of the final numbers */
    FDS_CLOSED_MAX = 4096, /* one by one, where the kernel has no close_range */
};

static void tell(int fd, int step, int number)
{
    const struct colony__launch_word word = {step, number};
    ssize_t written = write(fd, &word, sizeof word); /* at once: it is less than PIPE_BUF */

    (void)written; /* nobody is there any more: then it ends by its GO */
}

static __attribute__((noreturn)) void fail(int fd, int step)
{
    tell(fd, step, errno);
    _exit(127);
}

/* The lock of the workspace is among what goes. */
static void close_from(unsigned first)
{
    struct rlimit limit = {FDS_CLOSED_MAX, FDS_CLOSED_MAX};

    if (syscall(SYS_close_range, first, ~0U, 0) == 0)
        return;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t fd = first; fd < limit.rlim_cur && fd < FDS_CLOSED_MAX; fd++)
        (void)close((int)fd);
}

/* Only the first three outlast exec. */
static int place_descriptors(const struct colony__launch_plan *plan)
{
    int lifted[LAUNCH_FDS];

    for (int i = 0; i < LAUNCH_FDS; i++) {
        lifted[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, LIFTED_FD);
        if (lifted[i] < 0)
            return -1;
    }
    for (int i = 0; i < LAUNCH_FDS; i++)
        if (dup3(lifted[i], i, i > STDERR_FILENO ? O_CLOEXEC : 0) < 0)
            return -1;
    close_from(LAUNCH_FDS);
    return 0;
}

/* It is in the workspace's records once this returns true. */
static bool may_go(void)
{
    char byte;
    ssize_t count;

    do
        count = read(LAUNCH_GO, &byte, 1);
    while (count < 0 && errno == EINTR);
    return count == 1;
}

/* In this order: who is root no more can change no group. By the kernel's own calls: libc would
 * have the threads of the program do it, too, which are not here. */
static int become(const struct colony_identity *identity)
{
    if (!identity->is_set)
        return 0;
    if (syscall(SYS_setgroups, identity->group_count, identity->groups) < 0 ||
        syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) < 0)
        return -1;
    return (int)syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid);
}

static __attribute__((noreturn)) void run_program(const struct colony__launch_plan *plan)
{
    if (setsid() < 0)
        fail(plan->fds[LAUNCH_TELL], LAUNCH_STEP_SETSID);
    if (place_descriptors(plan) < 0)
        fail(plan->fds[LAUNCH_TELL], LAUNCH_STEP_DESCRIPTORS);
    colony_orphan_reset_signals();
    if (!may_go())
        _exit(127);
    if (become(&plan->identity) < 0)
        fail(LAUNCH_TELL, LAUNCH_STEP_IDENTITY);
    if (chdir(plan->cwd) < 0)
        fail(LAUNCH_TELL, LAUNCH_STEP_CHDIR);
    (void)execve(plan->program, plan->argv, plan->env);
    fail(LAUNCH_TELL, LAUNCH_STEP_EXEC);
}

void colony__launch_middle(const struct colony__launch_plan *plan, const int parent_ends[2])
{
    pid_t pid;

    /* While a child had these, it would not see that its parent is gone. */
    (void)close(parent_ends[0]);
    (void)close(parent_ends[1]);
    pid = colony_orphan_fork(); /* init is told of its end all the same */
    if (pid < 0)
        fail(plan->fds[LAUNCH_TELL], LAUNCH_STEP_FORK);
    if (pid == 0)
        run_program(plan);
    tell(plan->fds[LAUNCH_TELL], LAUNCH_STEP_BORN, pid);
    _exit(0);
}
