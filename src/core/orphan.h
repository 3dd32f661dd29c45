/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orphan.h - starts a program that is nobody's child, from within a program that is not ours.
 *
 * Neither SIGCHLD nor waitpid(2) of the caller tell of it, no descriptor goes along but those that
 * are named, and no memory is copied: it is as fast in a large program with many threads. The new
 * process leads a session of its own; whoever reaps orphans reaps it: init, unless the caller or a
 * parent of it is a subreaper. Only one that is waited for is reaped here.
 */
#ifndef COLONY_CORE_ORPHAN_H
#define COLONY_CORE_ORPHAN_H

#include <stddef.h>
#include <sys/types.h>

struct colony_orphan {
    const char *program; /* a path */
    char *const *argv;
    char *const *envp;
    int stdio[3];    /* what its descriptors 0, 1 and 2 are */
    const int *kept; /* descriptors above these, which it has under the same numbers */
    size_t kept_count;
    int *status; /* not NULL: it begins with signals as usual, is waited for until it has ended, and
                    this is how it did, as of waitpid(2) */
};

/* Returns once it runs its program, or has ended. Any thread. 0, or what clone(2) or execve(2)
 * said.
 */
int colony_orphan_start(const struct colony_orphan *orphan);

/*
 * fork(2) of which the program sees as little: no handler of pthread_atfork(3) runs, neither. The
 * child has all signals blocked, and may do what is safe in a handler, up to _exit(2) or execve(2),
 * with nothing of libc that asks all threads (setuid(2)). It is for colony_orphan_wait().
 */
pid_t colony_orphan_fork(void);
void colony_orphan_wait(pid_t pid);

/* In such a child: what was ignored would stay so after exec, and what is blocked. */
void colony_orphan_reset_signals(void);

#endif
