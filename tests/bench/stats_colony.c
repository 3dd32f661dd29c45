/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_colony.c - colony's own stats (core/stats.h) with nobody but a watch for each pid.
 *
 *     stats_colony SAMPLES < PIDS
 *
 * Prints the nanoseconds of CPU time of the loop's thread from the end of one sample of all pids to
 * the end of the next, as stats_pread.c does.
 */
#include <string.h>
#include <uv.h>

#include "core/stats.h"
#include "samples.h"

struct bench {
    uv_loop_t loop;
    struct colony_stats *stats;
    size_t pid_count;
    size_t seen;   /* of the pids, in the sample under way */
    size_t wanted; /* samples still to come */
    uint64_t ended_ns;
};

static void on_stats(const struct colony_process_stats *stats, void *data)
{
    struct bench *bench = data;
    uint64_t now_ns;

    if (!stats)
        errx(1, "cannot go on: a process has ended");
    if (++bench->seen < bench->pid_count)
        return;
    bench->seen = 0;
    now_ns = samples_cpu_ns();
    if (bench->ended_ns > 0) { /* else it is the first, which has opened the files */
        (void)printf("%llu\n", (unsigned long long)(now_ns - bench->ended_ns));
        bench->wanted--;
    }
    bench->ended_ns = now_ns;
    if (bench->wanted == 0)
        uv_stop(&bench->loop);
}

static void start(struct bench *bench, const pid_t *pids)
{
    for (size_t i = 0; i < bench->pid_count; i++) {
        const struct colony_stats_wish wish = {
            .pid = pids[i], .every = 1, .cb = on_stats, .data = bench};
        struct colony_stats_watch *watch;
        int rc = colony_stats_watch(bench->stats, &wish, &watch);

        if (rc < 0)
            errx(1, "cannot watch %d: %s", (int)pids[i], strerror(-rc));
    }
}

int main(int argc, char **argv)
{
    static pid_t pids[SAMPLE_PIDS_MAX];
    struct bench bench = {.wanted = samples_wanted(argc, argv)};
    int rc;

    bench.pid_count = samples_read_pids(pids);
    samples_raise_limit();
    rc = uv_loop_init(&bench.loop);
    if (rc == 0)
        rc = colony_stats_new(&bench.stats, &bench.loop);
    if (rc < 0)
        errx(1, "cannot begin: %s", uv_strerror(rc));
    start(&bench, pids);
    (void)uv_run(&bench.loop, UV_RUN_DEFAULT);
    colony_stats_close(bench.stats, NULL, NULL);
    (void)uv_run(&bench.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&bench.loop) == 0 ? 0 : 1;
}
