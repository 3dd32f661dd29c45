/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats.h - what processes use of CPU and memory, from /proc (ORIGINALS §1, proc(5)).
 *
 * A watch samples one process and its descendants each COLONY_STATS_MS while somebody holds it; its
 * descriptors are kept and read with pread. One timer serves all watches and runs only while there
 * is one. Loop thread only.
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
};

struct colony_process_stats {
    pid_t pid;
    uint64_t rss_bytes;   /* mem_info1 */
    uint64_t vms_bytes;   /* mem_info2 */
    double cpu_percent;   /* of one CPU, since the sample before; the first: since it was started */
    double mem_percent;   /* of the machine's memory */
    uint64_t cpu_seconds; /* ctime */
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
void colony_stats_close(struct colony_stats *stats, colony_stats_close_cb cb, void *data);

/*
 * Calls @cb with a sample of the living process @pid (started at @start_ticks, field 22 of its
 * stat) each COLONY_STATS_MS × @every, first after one of these. Watches of one process share their
 * samples. -ESRCH, -EMFILE, -ENOMEM.
 */
int colony_stats_watch(struct colony_stats *stats, pid_t pid, uint64_t start_ticks, uint32_t every,
                       colony_stats_cb cb, void *data, struct colony_stats_watch **out);
/* Safe inside a callback; NULL is fine. */
void colony_stats_unwatch(struct colony_stats *stats, struct colony_stats_watch *watch);

/*
 * A look without waiting, without descendants and without texts: pid, rss, vms, ctime, nice, and
 * the cpu since it was started (or since the last sample of a watch). -ESRCH: it has ended.
 */
int colony_stats_look(struct colony_stats *stats, pid_t pid, struct colony_process_stats *out);

#endif
