/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampled.h - children to be looked at, and who looks: a fixture with watches that count what they
 * are told, and one-shot samples of a family.
 */
#ifndef COLONY_TESTS_SAMPLED_H
#define COLONY_TESTS_SAMPLED_H

#include "turned.h"

#include "core/stats.h"
#include "core/stats_internal.h"
#include "core/sweep.h"
#include "core/table.h"

enum {
    PROBES_MAX = 64,
};

/* Whoever watches; counts, keeps the last sample and does one thing more when it is told. */
struct probe {
    struct fixture *f;
    struct colony_stats_watch *watch;
    int count;
    int ends;
    uint64_t first_at_ms;
    double cpu;
    const void *sample;
    char cmdline[STATS_CMDLINE_MAX + 1];
    void (*act)(struct probe *probe);
    struct probe *other;
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline; /* does not keep the loop alive */
    struct colony_stats *stats;
    bool is_closed;
    struct probe probes[PROBES_MAX];
};

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    deadline_init(&f->loop, &f->deadline);
    assert_int_equal(colony_stats_new(&f->stats, &f->loop), 0);
    for (size_t i = 0; i < PROBES_MAX; i++)
        f->probes[i].f = f;
}

static inline void on_closed(void *data)
{
    struct fixture *f = data;

    f->is_closed = true;
}

static inline void fixture_clear(struct fixture *f)
{
    if (f->stats)
        colony_stats_close(f->stats, on_closed, f);
    uv_close((uv_handle_t *)&f->deadline, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_true(f->is_closed);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* no handle is left behind */
}

static inline void on_stats(const struct colony_process_stats *stats, void *data)
{
    struct probe *probe = data;

    if (!stats) {
        probe->ends++;
    } else {
        if (probe->count++ == 0)
            probe->first_at_ms = clock_ms();
        probe->cpu = stats->cpu_percent;
        probe->sample = stats;
        (void)snprintf(probe->cmdline, sizeof probe->cmdline, "%s", stats->cmdline);
    }
    if (probe->act)
        probe->act(probe);
}

static inline int try_watch(struct probe *probe, pid_t pid, uint64_t start_ticks, uint32_t every)
{
    const struct colony_stats_wish wish = {
        .pid = pid, .start_ticks = start_ticks, .every = every, .cb = on_stats, .data = probe};

    return colony_stats_watch(probe->f->stats, &wish, &probe->watch);
}

static inline void watch(struct probe *probe, pid_t pid)
{
    assert_int_equal(try_watch(probe, pid, colony_proc_start_ticks(pid), 1), 0);
}

static inline void unwatch(struct probe *probe)
{
    colony_stats_unwatch(probe->f->stats, probe->watch);
    probe->watch = NULL;
}

/* Children. */

static inline void say_ready(int fd)
{
    CHECK(write(fd, "!", 1) == 1);
    (void)close(fd);
}

/* A child that runs @body; it is ready when all of it has closed @fd (an exec does, too). */
static inline pid_t start(void (*body)(int fd))
{
    int ends[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(ends[0]);
        for (int signo = 1; signo < NSIG; signo++)
            (void)signal(signo, SIG_DFL);
        body(ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    while (read(ends[0], &byte, 1) > 0)
        ;
    (void)close(ends[0]);
    return pid;
}

static inline void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void)wait_for_child(pid);
}

static inline void sleep_on(int fd)
{
    say_ready(fd);
    for (;;)
        (void)pause();
}

static inline void burn(int fd)
{
    say_ready(fd);
    for (volatile unsigned long i = 0;; i++)
        ;
}

/* Two children, the second of which has one of its own: all end with the first. */
static inline void have_family(int fd)
{
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid > 0)
            continue;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (i == 1)
            CHECK(fork() >= 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleep_on(fd);
    }
    sleep_on(fd);
}

/* Samples. */

static inline void sample_of(pid_t pid, bool is_listed, struct colony__family *family,
                             struct colony__sampler *sampler, struct colony__sample **out)
{
    *out = malloc(sizeof **out);
    assert_non_null(*out);
    colony__sampler_init(sampler);
    sampler->has_listed_children &= is_listed;
    assert_int_equal(colony__family_init(family, pid, 0), 0);
    assert_int_equal(colony__family_sample(family, sampler, *out), 0);
}

static inline void forget_sample(struct colony__family *family, struct colony__sampler *sampler,
                                 struct colony__sample *sample)
{
    colony__family_clear(family, sampler);
    colony__sampler_rest(sampler);
    assert_int_equal(sampler->kept_count, 0);
    free(sample);
}

#endif
