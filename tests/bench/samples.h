/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h - what stats_colony.c and stats_pread.c share: pids from stdin, and CPU time of a
 * thread.
 */
#ifndef COLONY_BENCH_SAMPLES_H
#define COLONY_BENCH_SAMPLES_H

#include <err.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

enum {
    SAMPLE_PIDS_MAX = 10000,
};

static inline uint64_t samples_cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* As colony does it at its start. */
static inline void samples_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* One pid a line until the end of stdin; returns how many. */
static inline size_t samples_read_pids(pid_t pids[SAMPLE_PIDS_MAX])
{
    char line[32];
    size_t count = 0;

    while (count < SAMPLE_PIDS_MAX && fgets(line, sizeof line, stdin))
        pids[count++] = (pid_t)strtol(line, NULL, 10);
    if (count == 0)
        errx(2, "cannot sample nothing: stdin has pids, one a line");
    return count;
}

/* How many samples the command line asks for; ends the program when it asks for none. */
static inline size_t samples_wanted(int argc, char **argv)
{
    size_t wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (wanted == 0)
        errx(2, "usage: %s SAMPLES < PIDS", argv[0]);
    return wanted;
}

#endif
