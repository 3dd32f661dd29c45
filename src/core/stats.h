/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h - what processes use of CPU and memory, from /proc (ORIGINALS §1, proc(5)).
 *
 * A watch samples one process and its descendants each COLONY_STATS_MS while somebody holds it; its
 * descriptors are kept and read with pread. One timer serves all watches, at the same moments, and
 * runs only while there is one. Loop thread only.
 */
#ifndef COLONY_CORE_STATS_H
#define COLONY_CORE_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_stats;
struct colony_stats_watch;
struct uv_loop_s;

enum {
    COLONY_STATS_MS = 100,
    COLONY_STATS_CHILDREN_MAX = 4096, /* descendants of one process; more are not looked at */
    COLONY_STATS_DEPTH_MAX = 64,      /* generations of them */
};

struct colony_process_stats {
    pid_t pid;
    uint64_t rss_bytes;   /* mem_info1 */
    uint64_t vms_bytes;   /* mem_info2 */
    double cpu_percent;   /* of one CPU, since the sample before; the first: since it was started */
    double mem_percent;   /* of the machine's memory */
    uint64_t cpu_seconds; /* ctime */
    uint64_t cpu_ns;      /* the same, exactly */
    int nice;
    const char *username;                        /* a number when it has no name; borrowed */
    const char *cmdline;                         /* arguments joined by spaces; borrowed */
    const struct colony_process_stats *children; /* borrowed */
    size_t child_count;
};

/* @stats: valid during the call; NULL: the process has ended, and so has the watch. */
typedef void (*colony_stats_cb)(const struct colony_process_stats *stats, void *data);
typedef void (*colony_stats_close_cb)(void *data);

int colony_stats_new(struct colony_stats **out, struct uv_loop_s *loop);
/* Watches still held end without being told, and are freed before @cb. */
void colony_stats_close(struct colony_stats *stats, colony_stats_close_cb cb, void *data);

/* What a watch is for. */
struct colony_stats_wish {
    pid_t pid;
    uint64_t start_ticks; /* field 22 of its stat; 0: whoever has the number now */
    uint32_t every;       /* of the samples */
    colony_stats_cb cb;
    void *data;
};

/*
 * Calls wish->cb with a sample of the living process each COLONY_STATS_MS × wish->every, first
 * after one of these. Watches of one process share their samples; one is taken here, so that the
 * first that is told has the cpu of the time between. -ESRCH, -EMFILE, -ENOMEM; -EPERM: /proc hides
 * it (hidepid).
 */
int colony_stats_watch(struct colony_stats *stats, const struct colony_stats_wish *wish,
                       struct colony_stats_watch **out);
/* Safe inside a callback, also in that which tells of the end; NULL is fine. */
void colony_stats_unwatch(struct colony_stats *stats, struct colony_stats_watch *watch);

/*
 * A look without waiting, without descendants and without texts, as cheap as can be: pid, rss, vms,
 * ctime, nice, and the cpu over the @uptime_ms since it was started; that of its last sample where
 * it is watched. -ESRCH: it has ended; one that nobody has reaped yet has no memory any more.
 */
int colony_stats_look(struct colony_stats *stats, pid_t pid, uint64_t uptime_ms,
                      struct colony_process_stats *out);

/* The descriptors it has open, at most 65,536 before Linux 6.2. -ESRCH; -EACCES: it is not ours to
 * see. */
int colony_stats_count_fds(pid_t pid, uint64_t *count);

#endif
