/* SPDX-License-Identifier: Apache-2.0 */
#include "core/orphan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STACK_BYTES = 64 * 1024, /* of each of the two */
    FDS_BEFORE_CLOSE_RANGE = 65536,
};

/* They run on stacks of their own and never return from their frames. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

struct birth {
    const struct colony_orphan *orphan;
    char *stack; /* of the parent-to-be, then of its child */
    int rc;
};

/* By the kernel's own call: libc's refuses two signals of its own, which posix_spawn(3) of whoever
 * began us has ignored, and a sanitizer's would change the program's, whose memory this may be. */
IN_CHILD static void set_default(int signo)
{
    static const uint64_t as_usual[4] = {0}; /* struct sigaction as the kernel has it: SIG_DFL */

    (void)syscall(SYS_rt_sigaction, signo, as_usual, NULL, sizeof(uint64_t));
}

IN_CHILD void colony_orphan_reset_signals(void)
{
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++) /* fails for KILL and STOP */
        set_default(signo);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* All else is closed by the exec. */
IN_CHILD static int pass_fds(const struct colony_orphan *orphan)
{
    int lifted[3];

    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        for (int fd = 3; fd < FDS_BEFORE_CLOSE_RANGE; fd++)
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    for (size_t i = 0; i < orphan->kept_count; i++)
        if (fcntl(orphan->kept[i], F_SETFD, 0) < 0)
            return -errno;
    for (int i = 0; i < 3; i++) { /* none is to be in the way of another */
        lifted[i] = fcntl(orphan->stdio[i], F_DUPFD_CLOEXEC, 3);
        if (lifted[i] < 0)
            return -errno;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(lifted[i], i) < 0)
            return -errno;
    return 0;
}

/* It and its parent borrow the memory of the caller, which waits: errno, too. */
IN_CHILD static int run_program(void *data)
{
    struct birth *birth = data;
    const struct colony_orphan *orphan = birth->orphan;

    (void)setsid();
    if (orphan->status)
        colony_orphan_reset_signals();
    birth->rc = pass_fds(orphan);
    if (birth->rc == 0) {
        (void)execve(orphan->program, orphan->argv, orphan->envp);
        birth->rc = -errno;
    }
    return 1;
}

/* Ends when its child runs, which is an orphan then, or has ended. */
IN_CHILD static int bear(void *data)
{
    struct birth *birth = data;
    int *status = birth->orphan->status;
    pid_t pid;

    if (status)
        set_default(SIGCHLD); /* where it is ignored nobody learns how a child has ended */
    pid = clone(run_program, birth->stack + 2 * (size_t)STACK_BYTES,
                CLONE_VM | CLONE_VFORK | SIGCHLD, birth);
    if (pid < 0)
        birth->rc = -errno;
    else if (status && birth->rc == 0)
        while (waitpid(pid, status, 0) < 0 && errno == EINTR)
            ;
    return 0;
}

void colony_orphan_wait(pid_t pid)
{
    while (waitpid(pid, NULL, (int)__WCLONE) < 0 && errno == EINTR)
        ;
}

/* No signal at its end: that is what waitpid(2) passes over and SIGCHLD does not tell of. */
static int bear_masked(struct birth *birth)
{
    sigset_t all;
    sigset_t before;
    pid_t pid;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = clone(bear, birth->stack + STACK_BYTES, CLONE_VM | CLONE_VFORK, birth);
    if (pid < 0)
        birth->rc = -errno;
    else
        colony_orphan_wait(pid);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return birth->rc;
}

int colony_orphan_start(const struct colony_orphan *orphan)
{
    struct birth birth = {.orphan = orphan};
    int rc;

    birth.stack = mmap(NULL, 2 * (size_t)STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (birth.stack == MAP_FAILED)
        return -errno;
    rc = bear_masked(&birth);
    (void)munmap(birth.stack, 2 * (size_t)STACK_BYTES);
    return rc;
}

pid_t colony_orphan_fork(void)
{
    sigset_t all;
    sigset_t before;
    pid_t pid;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0); /* all 0, so that their order is no matter */
    if (pid != 0)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}
