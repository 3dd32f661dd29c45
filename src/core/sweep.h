/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.h - finds what a process has left behind, where there is no cgroup to tell (DESIGN §4).
 *
 * A stray is ours by its mark (COLONY_ID=INSTANCE/TEMPLATE/SLOT in its environment) or by having
 * been seen as a descendant before the stop. One with neither is reported and left alone. Every
 * signal goes through a pidfd. libc only.
 */
#ifndef COLONY_CORE_SWEEP_H
#define COLONY_CORE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_swept;

enum {
    COLONY_SEEN_MAX = 4096, /* descendants noted of one process */
};

struct colony_seen_process {
    pid_t pid;
    uint64_t start_ticks;
};

struct colony_seen {
    struct colony_seen_process *items;
    size_t count;
};

struct colony_sweep {
    const char *mark;         /* INSTANCE/TEMPLATE/SLOT */
    pid_t leader;             /* while it lives, what still descends from it is looked at, too */
    struct colony_seen *seen; /* what is found by its mark is added: an ending process has none */
    bool everywhere; /* a dead keeper's strays are not our children: all of /proc is read */
    int signo;       /* 0: only count */
    bool (*is_known)(pid_t pid, void *data); /* leaders and colony's own: never touched */
    void *data;
};

/* Notes the living descendants of @pid in @seen, which it clears first. */
void colony_seen_note(struct colony_seen *seen, pid_t pid);
void colony_seen_clear(struct colony_seen *seen);

/* Signals what it finds and says how much it was. */
void colony_sweep_run(const struct colony_sweep *sweep, struct colony_swept *out);

/* The value of @key in the environment @pid was started with; false when it has none. */
bool colony_proc_get_env(pid_t pid, const char *key, char *value, size_t size);

/* The pids in a file of /proc or of a cgroup; each ends in a blank or a newline. */
size_t colony_proc_read_pids(int folder, const char *path, pid_t *pids, size_t max);
/* The same from an open descriptor, which may have been read before. */
size_t colony_proc_pread_pids(int fd, pid_t *pids, size_t max);

/* False for a zombie too: it holds nothing any more. */
bool colony_proc_is_running(pid_t pid);

/* The children of @pid, from all its threads: returns how many were put in @pids. */
size_t colony_proc_children(pid_t pid, pid_t *pids, size_t max);

#endif
