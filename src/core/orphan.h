/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orphan.h - starts a program that is nobody's child, from within a program that is not ours.
 *
 * Neither SIGCHLD nor waitpid(2) of the caller tell of it, no descriptor goes along but those that
 * are named, and no memory is copied: it is as fast in a large program with many threads. The new
 * process leads a session of its own; whoever reaps orphans reaps it: init, unless the caller or a
 * parent of it is a subreaper.
 */
#ifndef COLONY_CORE_ORPHAN_H
#define COLONY_CORE_ORPHAN_H

#include <stddef.h>

struct colony_orphan {
    const char *program; /* a path */
    char *const *argv;
    char *const *envp;
    int stdio[3];    /* what its descriptors 0, 1 and 2 are */
    const int *kept; /* descriptors above these, which it has under the same numbers */
    size_t kept_count;
};

/* Returns once it runs its program. Any thread. 0, or what clone(2) or execve(2) said. */
int colony_orphan_start(const struct colony_orphan *orphan);

#endif
