/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <uv.h>

#include "core/stats.h"
#include "core/stats_internal.h"
#include "core/sweep.h"
#include "core/table.h"

enum {
    PROBES_MAX = 64,
    NO_NAME = 54321, /* a uid that nobody has */
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

static void on_late(uv_timer_t *timer)
{
    (void)timer; /* it wakes the loop */
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->deadline), 0);
    uv_unref((uv_handle_t *)&f->deadline);
    assert_int_equal(colony_stats_new(&f->stats, &f->loop), 0);
    for (size_t i = 0; i < PROBES_MAX; i++)
        f->probes[i].f = f;
}

static void on_closed(void *data)
{
    struct fixture *f = data;

    f->is_closed = true;
}

static void fixture_clear(struct fixture *f)
{
    if (f->stats)
        colony_stats_close(f->stats, on_closed, f);
    uv_close((uv_handle_t *)&f->deadline, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_true(f->is_closed);
    assert_int_equal(uv_loop_close(&f->loop), 0); /* no handle is left behind */
}

/* Turns the loop until @condition holds; one that nothing keeps alive does not block. */
#define TURN_UNTIL(f, condition)                                                                   \
    do {                                                                                           \
        uint64_t turn_until_ms = clock_ms() + DEADLINE_MS;                                         \
                                                                                                   \
        uv_update_time(&(f)->loop);                                                                \
        (void)uv_timer_start(&(f)->deadline, on_late, DEADLINE_MS, 0);                             \
        while (!(condition)) {                                                                     \
            if (clock_ms() > turn_until_ms)                                                        \
                fail_msg("`%s` did not come true in time", #condition);                            \
            (void)uv_run(&(f)->loop, UV_RUN_ONCE);                                                 \
        }                                                                                          \
        (void)uv_timer_stop(&(f)->deadline);                                                       \
    } while (0)

static void on_stats(const struct colony_process_stats *stats, void *data)
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

static int try_watch(struct probe *probe, pid_t pid, uint64_t start_ticks, uint32_t every)
{
    const struct colony_stats_wish wish = {
        .pid = pid, .start_ticks = start_ticks, .every = every, .cb = on_stats, .data = probe};

    return colony_stats_watch(probe->f->stats, &wish, &probe->watch);
}

static void watch(struct probe *probe, pid_t pid)
{
    assert_int_equal(try_watch(probe, pid, colony_proc_start_ticks(pid), 1), 0);
}

static void unwatch(struct probe *probe)
{
    colony_stats_unwatch(probe->f->stats, probe->watch);
    probe->watch = NULL;
}

/* Children. */

static void say_ready(int fd)
{
    CHECK(write(fd, "!", 1) == 1);
    (void)close(fd);
}

/* A child that runs @body; it is ready when all of it has closed @fd (an exec does, too). */
static pid_t start(void (*body)(int fd))
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

static void end(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void)wait_for_child(pid);
}

static void sleep_on(int fd)
{
    say_ready(fd);
    for (;;)
        (void)pause();
}

static void burn(int fd)
{
    say_ready(fd);
    for (volatile unsigned long i = 0;; i++)
        ;
}

static void be_zombie(int fd)
{
    (void)fd;
    _exit(0);
}

static void sleep_with_odd_name(int fd)
{
    CHECK(prctl(PR_SET_NAME, ") S 1 (\n") == 0);
    sleep_on(fd);
}

static void *sleep_in_thread(void *data)
{
    sleep_on(*(int *)data);
    return NULL;
}

/* The first thread ends; another goes on. */
static void sleep_without_first_thread(int fd)
{
    static int kept;
    pthread_t thread;

    kept = fd;
    CHECK(pthread_create(&thread, NULL, sleep_in_thread, &kept) == 0);
    pthread_exit(NULL);
}

static void *fork_in_thread(void *data)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* of that thread, and it ends last */
    sleep_on(*(int *)data);
    return NULL;
}

static void fork_from_second_thread(int fd)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, fork_in_thread, &fd) == 0);
    for (;;)
        (void)pause();
}

/* Two children, the second of which has one of its own: all end with the first. */
static void have_family(int fd)
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

static void have_long_line(int fd)
{
    for (int i = 0; i < COLONY_STATS_DEPTH_MAX + 5; i++) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid > 0)
            break;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    sleep_on(fd);
}

static void have_too_many(int fd)
{
    for (int i = 0; i < COLONY_STATS_CHILDREN_MAX + 10; i++) {
        pid_t pid = fork();

        if (pid < 0)
            _exit(0); /* this machine does not let us */
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(fd);
            for (;;)
                (void)pause();
        }
    }
    sleep_on(fd);
}

/* Lines of stat. */

TEST(test_a_name_may_hold_what_looks_like_fields)
{
    struct colony__proc_stat stat;
    const char *line = "7 () S 1 () Z 3 7 7 0 -1 4194304 1 0 0 0 1 2 3 4 20 -5 2 0 991 8192 3 "
                       "18446744073709551615 1 1 140722 0 0";

    assert_int_equal(colony__proc_stat_parse(&stat, line), 0);
    assert_string_equal(stat.comm, ") S 1 (");
    assert_int_equal(stat.state, 'Z');
    assert_int_equal(stat.parent, 3);
    assert_int_equal(stat.nice, -5);
    assert_int_equal(stat.thread_count, 2);
    assert_int_equal(stat.start_ticks, 991);
    assert_int_equal(stat.vms_bytes, 8192);
    assert_int_equal(stat.rss_bytes, 3 * sysconf(_SC_PAGESIZE));
    assert_int_equal(stat.stack, 140722);
}

TEST(test_what_is_no_line_of_stat_is_refused)
{
    const char *const lines[] = {
        "", "7", "7 (", "7 (a)", "7 (a) ", ")(", "7 (a) S 1 2 3", "7 (a) S x y z", "7 a S 1 2 3 4",
    };
    struct colony__proc_stat stat;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(colony__proc_stat_parse(&stat, lines[i]), -EPROTO);
}

/* A look. */

static bool read_statm(pid_t pid, unsigned long long pages[2])
{
    char path[32];
    FILE *file;
    int count;

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    count = fscanf(file, "%llu %llu", &pages[0], &pages[1]);
    (void)fclose(file);
    return count == 2;
}

TEST(test_a_look_tells_what_the_kernel_tells)
{
    struct fixture f;
    struct colony_process_stats stats;
    unsigned long long pages[2] = {0, 0};
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    assert_int_equal(setpriority(PRIO_PROCESS, (id_t)pid, 3), 0);
    /* It may still be on its way to its pause. */
    EVENTUALLY(colony_stats_look(f.stats, pid, 1000, &stats) == 0 && read_statm(pid, pages) &&
               stats.rss_bytes == pages[1] * (unsigned long long)sysconf(_SC_PAGESIZE));
    assert_int_equal(stats.pid, pid);
    assert_int_equal(stats.nice, 3);
    assert_int_equal(stats.vms_bytes, pages[0] * (unsigned long long)sysconf(_SC_PAGESIZE));
    assert_true(stats.mem_percent > 0 && stats.mem_percent < 100);
    assert_int_equal(stats.child_count, 0);
    end(pid);
    fixture_clear(&f);
}

TEST(test_a_look_has_the_cpu_since_the_start)
{
    struct fixture f;
    struct colony_process_stats burning;
    struct colony_process_stats sleeping;
    uint64_t began_ms;
    pid_t burner = start(burn);
    pid_t sleeper = start(sleep_on);

    fixture_init(&f);
    began_ms = clock_ms();
    EVENTUALLY(colony_stats_look(f.stats, burner, clock_ms() - began_ms + 1, &burning) == 0 &&
               clock_ms() - began_ms > 50 && burning.cpu_percent > 20);
    assert_int_equal(colony_stats_look(f.stats, sleeper, 1000, &sleeping), 0);
    assert_true(sleeping.cpu_percent < 20);
    assert_int_equal(colony_stats_look(f.stats, burner, 0, &burning), 0);
    watch(&f.probes[0], burner);
    TURN_UNTIL(&f, f.probes[0].cpu > 0);
    assert_int_equal(colony_stats_look(f.stats, burner, 1000000, &burning), 0);
    assert_true(burning.cpu_percent == f.probes[0].cpu); /* that of the watch */
    end(burner);
    end(sleeper);
    fixture_clear(&f);
}

TEST(test_whole_seconds_of_cpu_are_counted)
{
    struct fixture f;
    struct colony_process_stats stats;
    struct timespec used;

    fixture_init(&f);
    do
        assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    while (used.tv_sec < 1);
    assert_int_equal(colony_stats_look(f.stats, getpid(), 1000, &stats), 0);
    assert_true(stats.cpu_seconds >= 1 && stats.cpu_seconds <= (uint64_t)used.tv_sec + 1);
    fixture_clear(&f);
}

TEST(test_who_has_ended_is_not_there)
{
    struct fixture f;
    struct colony_process_stats stats;
    pid_t pid = start(be_zombie);

    fixture_init(&f);
    EVENTUALLY(!colony_proc_is_running(pid));
    assert_int_equal(colony_stats_look(f.stats, pid, 1000, &stats), 0); /* a zombie */
    assert_int_equal(stats.rss_bytes, 0);
    assert_int_equal(try_watch(&f.probes[0], pid, 0, 1), -ESRCH);
    (void)wait_for_child(pid);
    assert_int_equal(colony_stats_look(f.stats, pid, 1000, &stats), -ESRCH);
    assert_int_equal(try_watch(&f.probes[0], pid, 0, 1), -ESRCH);
    assert_int_equal(colony_stats_look(f.stats, -1, 1000, &stats), -ESRCH);
    fixture_clear(&f);
}

TEST(test_who_lives_on_without_its_first_thread_is_there)
{
    struct fixture f;
    pid_t pid = start(sleep_without_first_thread);

    fixture_init(&f);
    EVENTUALLY(!colony_proc_is_running(pid)); /* it looks like a zombie */
    watch(&f.probes[0], pid);
    TURN_UNTIL(&f, f.probes[0].count == 2);
    assert_int_equal(f.probes[0].ends, 0);
    end(pid);
    fixture_clear(&f);
}

TEST(test_an_odd_name_confuses_nobody)
{
    struct fixture f;
    struct colony_process_stats stats;
    pid_t pid = start(sleep_with_odd_name);

    fixture_init(&f);
    assert_int_equal(colony_stats_look(f.stats, pid, 1000, &stats), 0);
    assert_true(stats.rss_bytes > 0 && stats.vms_bytes > stats.rss_bytes);
    watch(&f.probes[0], pid);
    TURN_UNTIL(&f, f.probes[0].count == 1);
    end(pid);
    fixture_clear(&f);
}

/* Watches. */

TEST(test_a_watch_tells_the_cpu_between_two_samples)
{
    struct fixture f;
    pid_t burner = start(burn);
    pid_t sleeper = start(sleep_on);

    fixture_init(&f);
    watch(&f.probes[0], burner);
    watch(&f.probes[1], sleeper);
    TURN_UNTIL(&f, f.probes[0].cpu > 50 && f.probes[1].count > 0);
    assert_true(f.probes[0].cpu < 150);
    assert_true(f.probes[1].cpu < 5);
    assert_int_equal(kill(burner, SIGSTOP), 0);
    TURN_UNTIL(&f, f.probes[0].cpu < 1);
    end(burner);
    end(sleeper);
    fixture_clear(&f);
}

TEST(test_the_first_is_told_after_an_interval)
{
    struct fixture f;
    uint64_t began_ms;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    uv_update_time(&f.loop);
    began_ms = clock_ms();
    watch(&f.probes[0], pid);
    assert_int_equal(f.probes[0].count, 0);
    TURN_UNTIL(&f, f.probes[0].count == 1);
    assert_true(f.probes[0].first_at_ms - began_ms >= COLONY_STATS_MS / 2);
    end(pid);
    fixture_clear(&f);
}

TEST(test_every_leaves_samples_out)
{
    struct fixture f;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    assert_int_equal(try_watch(&f.probes[0], pid, 0, 1), 0);
    assert_int_equal(try_watch(&f.probes[1], pid, 0, 3), 0);
    assert_int_equal(try_watch(&f.probes[2], pid, 0, 1000000), 0);
    TURN_UNTIL(&f, f.probes[0].count == 7);
    assert_in_range(f.probes[1].count, 1, 3);
    assert_int_equal(f.probes[2].count, 0);
    end(pid);
    fixture_clear(&f);
}

TEST(test_watches_of_one_process_share_a_sample)
{
    struct fixture f;
    unsigned fds;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    fds = count_fds();
    watch(&f.probes[0], pid);
    watch(&f.probes[1], pid);
    assert_int_equal(count_fds(), fds + 2);
    TURN_UNTIL(&f, f.probes[0].count == 1);
    assert_int_equal(f.probes[1].count, 1);
    assert_ptr_equal(f.probes[0].sample, f.probes[1].sample);
    unwatch(&f.probes[0]);
    TURN_UNTIL(&f, f.probes[1].count == 2);
    assert_int_equal(f.probes[0].count, 1);
    unwatch(&f.probes[1]);
    assert_int_equal(count_fds(), fds);
    end(pid);
    fixture_clear(&f);
}

TEST(test_a_rare_watch_wakes_the_loop_rarely)
{
    struct fixture f;
    uint64_t began_ms = clock_ms();
    unsigned turns = 0;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    uv_update_time(&f.loop);
    assert_int_equal(try_watch(&f.probes[0], pid, 0, 5), 0);
    for (; f.probes[0].count == 0 && clock_ms() - began_ms < DEADLINE_MS; turns++)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    assert_in_range(turns, 1, 2);
    assert_true(clock_ms() - began_ms >= 5 * COLONY_STATS_MS - COLONY_STATS_MS / 2);
    assert_int_equal(try_watch(&f.probes[1], pid, 0, 1), 0); /* and a second one comes first */
    TURN_UNTIL(&f, f.probes[1].count == 2);
    assert_int_equal(f.probes[0].count, 1);
    end(pid);
    fixture_clear(&f);
}

TEST(test_nothing_wakes_the_loop_while_nobody_watches)
{
    struct fixture f;
    pid_t pid = start(sleep_on);
    pid_t other = start(sleep_on);

    fixture_init(&f);
    assert_false(uv_loop_alive(&f.loop));
    watch(&f.probes[0], pid);
    watch(&f.probes[1], other);
    assert_true(uv_loop_alive(&f.loop));
    unwatch(&f.probes[0]);
    assert_true(uv_loop_alive(&f.loop));
    end(other);
    TURN_UNTIL(&f, f.probes[1].ends == 1);
    assert_false(uv_loop_alive(&f.loop));
    colony_stats_unwatch(f.stats, NULL);
    watch(&f.probes[0], pid);
    TURN_UNTIL(&f, f.probes[0].count == 1);
    unwatch(&f.probes[0]);
    assert_false(uv_loop_alive(&f.loop));
    end(pid);
    fixture_clear(&f);
}

TEST(test_the_end_is_told_once_to_each)
{
    struct fixture f;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    watch(&f.probes[0], pid);
    assert_int_equal(try_watch(&f.probes[1], pid, 0, 1000), 0);
    assert_int_equal(kill(pid, SIGKILL), 0); /* and it stays a zombie */
    TURN_UNTIL(&f, f.probes[0].ends > 0);
    assert_int_equal(f.probes[1].ends, 1);
    assert_false(uv_loop_alive(&f.loop));
    (void)wait_for_child(pid);
    assert_int_equal(f.probes[0].ends, 1);
    fixture_clear(&f);
}

TEST(test_a_process_started_at_another_time_is_another)
{
    struct fixture f;
    pid_t pid = start(sleep_on);
    uint64_t start_ticks = colony_proc_start_ticks(pid);

    fixture_init(&f);
    assert_int_equal(try_watch(&f.probes[0], pid, start_ticks - 1, 1), -ESRCH);
    watch(&f.probes[0], pid);
    assert_int_equal(try_watch(&f.probes[1], pid, start_ticks + 1, 1), -ESRCH);
    end(pid);
    fixture_clear(&f);
}

static void unwatch_itself(struct probe *probe)
{
    unwatch(probe);
}

static void unwatch_both(struct probe *probe)
{
    unwatch(probe);
    if (probe->other->watch)
        unwatch(probe->other);
}

static void watch_other(struct probe *probe)
{
    if (!probe->other->watch)
        watch(probe->other, getpid());
}

static void close_all(struct probe *probe)
{
    colony_stats_close(probe->f->stats, on_closed, probe->f);
    probe->f->stats = NULL;
}

TEST(test_one_may_end_ones_watch_in_a_callback)
{
    struct fixture f;
    unsigned fds;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    fds = count_fds();
    watch(&f.probes[0], pid);
    f.probes[0].act = unwatch_itself;
    TURN_UNTIL(&f, f.probes[0].count == 1);
    assert_false(uv_loop_alive(&f.loop));
    assert_int_equal(count_fds(), fds);
    end(pid);
    fixture_clear(&f);
}

TEST(test_one_may_end_anothers_watch_in_a_callback)
{
    struct fixture f;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        watch(&f.probes[i], pid);
        f.probes[i].act = unwatch_both;
        f.probes[i].other = &f.probes[1 - i];
    }
    TURN_UNTIL(&f, !uv_loop_alive(&f.loop));
    assert_int_equal(f.probes[0].count + f.probes[1].count, 1);
    end(pid);
    fixture_clear(&f);
}

TEST(test_one_may_unwatch_when_told_of_the_end)
{
    struct fixture f;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        watch(&f.probes[i], pid);
        f.probes[i].act = unwatch_both;
        f.probes[i].other = &f.probes[1 - i];
    }
    end(pid);
    TURN_UNTIL(&f, !uv_loop_alive(&f.loop));
    assert_int_equal(f.probes[0].ends + f.probes[1].ends, 1);
    fixture_clear(&f);
}

TEST(test_one_may_watch_in_a_callback)
{
    struct fixture f;
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    for (int i = 0; i < 3; i++)
        watch(&f.probes[i], pid);
    f.probes[2].act = watch_other; /* the last of them is told first */
    f.probes[2].other = &f.probes[3];
    TURN_UNTIL(&f, f.probes[3].count > 0);
    for (int i = 0; i < 3; i++)
        assert_true(strstr(f.probes[i].cmdline, "test_stats") != NULL);
    end(pid);
    fixture_clear(&f);
}

TEST(test_all_may_be_closed_in_a_callback)
{
    struct fixture f;
    unsigned fds = count_fds();
    pid_t pid = start(sleep_on);

    fixture_init(&f);
    watch(&f.probes[0], pid);
    watch(&f.probes[1], pid);
    f.probes[0].act = f.probes[1].act = close_all;
    TURN_UNTIL(&f, f.is_closed);
    assert_int_equal(f.probes[0].count + f.probes[1].count, 1);
    end(pid);
    fixture_clear(&f);
    assert_int_equal(count_fds(), fds);
}

TEST(test_closing_lets_go_of_what_is_still_watched)
{
    struct fixture f;
    unsigned fds = count_fds();
    pid_t pid = start(have_family);

    fixture_init(&f);
    watch(&f.probes[0], pid);
    TURN_UNTIL(&f, f.probes[0].count == 1);
    fixture_clear(&f);
    assert_int_equal(f.probes[0].ends, 0);
    assert_int_equal(count_fds(), fds);
    end(pid);
}

FORKED_TEST(test_few_descriptors_are_enough_for_many)
{
    struct rlimit limit = {64, 64};
    static struct fixture f;
    pid_t pids[PROBES_MAX];
    unsigned fds;

    for (int i = 0; i < PROBES_MAX; i++)
        pids[i] = start(sleep_on);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    fixture_init(&f);
    fds = count_fds();
    for (int i = 0; i < PROBES_MAX; i++)
        CHECK(try_watch(&f.probes[i], pids[i], 0, 1) == 0);
    CHECK(count_fds() <= fds + 8); /* an eighth of them at most */
    for (int i = 0; i < PROBES_MAX; i++)
        while (f.probes[i].count < 2)
            (void)uv_run(&f.loop, UV_RUN_ONCE);
    for (int i = 0; i < PROBES_MAX; i++)
        CHECK(kill(pids[i], SIGKILL) == 0);
    for (int i = 0; i < PROBES_MAX; i++)
        while (f.probes[i].ends == 0)
            (void)uv_run(&f.loop, UV_RUN_ONCE);
    CHECK(count_fds() == fds);
}

FORKED_TEST(test_without_descriptors_it_is_tried_again_later)
{
    struct rlimit limit = {32, 32};
    static struct fixture f;
    pid_t pids[3];
    uint64_t began_ms;
    int first;

    for (int i = 0; i < 3; i++)
        pids[i] = start(sleep_on);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    fixture_init(&f);
    for (int i = 0; i < 3; i++) /* an eighth of 32 are kept: two processes */
        CHECK(try_watch(&f.probes[i], pids[i], 0, 1) == 0);
    first = dup(0);
    while (dup(0) >= 0)
        ;
    began_ms = clock_ms();
    for (int turns = 0; turns < 5; turns++)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    CHECK(clock_ms() - began_ms >= 3 * COLONY_STATS_MS); /* it does not spin */
    CHECK(f.probes[0].count > 0 && f.probes[1].count > 0 && f.probes[2].count == 0);
    CHECK(f.probes[2].ends == 0);
    (void)syscall(SYS_close_range, first, ~0U, 0); /* the loop's own are below */
    while (f.probes[2].count == 0)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    for (int i = 0; i < 3; i++)
        CHECK(kill(pids[i], SIGKILL) == 0);
}

/* Families, by both ways to see them. */

static void sample_of(pid_t pid, bool is_listed, struct colony__family *family,
                      struct colony__sampler *sampler, struct colony__sample **out)
{
    *out = malloc(sizeof **out);
    assert_non_null(*out);
    colony__sampler_init(sampler);
    sampler->has_listed_children &= is_listed;
    assert_int_equal(colony__family_init(family, pid, 0), 0);
    assert_int_equal(colony__family_sample(family, sampler, *out), 0);
}

static void forget_sample(struct colony__family *family, struct colony__sampler *sampler,
                          struct colony__sample *sample)
{
    colony__family_clear(family, sampler);
    colony__sampler_rest(sampler);
    assert_int_equal(sampler->kept_count, 0);
    free(sample);
}

static void check_family(bool is_listed)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    const struct colony_process_stats *child;
    unsigned fds = count_fds();
    pid_t pid = start(have_family);

    sample_of(pid, is_listed, &family, &sampler, &sample);
    assert_int_equal(sample->count, 4);
    assert_int_equal(sample->items[0].pid, pid);
    assert_int_equal(sample->items[0].child_count, 2);
    child = sample->items[0].children;
    assert_int_equal(child[0].child_count, 0);
    assert_int_equal(child[1].child_count, 1);
    assert_int_equal(child[1].children[0].child_count, 0);
    assert_true(child[1].children[0].rss_bytes > 0);
    assert_true(strstr(child[0].cmdline, "test_stats") != NULL);

    /* One that ends is gone from the next sample, also while its parent has yet to reap it. */
    assert_int_equal(kill(child[0].pid, SIGKILL), 0);
    EVENTUALLY(colony__family_sample(&family, &sampler, sample) == 0 && sample->count == 3);
    assert_int_equal(sample->items[0].child_count, 1);
    assert_int_equal(family.count, 3);
    assert_int_equal(count_fds(), fds + 6);
    forget_sample(&family, &sampler, sample);
    assert_int_equal(count_fds(), fds);
    end(pid);
}

TEST(test_descendants_are_nested_as_they_descend)
{
    if (!colony__kin_is_listed())
        skip_aloud("this kernel does not list children");
    check_family(true);
}

TEST(test_descendants_are_seen_where_the_kernel_lists_none)
{
    check_family(false);
}

TEST(test_children_of_every_thread_are_seen)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid = start(fork_from_second_thread);

    for (int is_listed = 0; is_listed < 2; is_listed++) {
        sample_of(pid, is_listed, &family, &sampler, &sample);
        assert_int_equal(sample->items[0].child_count, 1);
        forget_sample(&family, &sampler, sample);
    }
    end(pid);
}

TEST(test_generations_are_bounded)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid = start(have_long_line);

    sample_of(pid, true, &family, &sampler, &sample);
    assert_int_equal(sample->count, COLONY_STATS_DEPTH_MAX + 1);
    assert_int_equal(sample->items[COLONY_STATS_DEPTH_MAX].child_count, 0);
    forget_sample(&family, &sampler, sample);
    end(pid);
}

TEST(test_descendants_are_bounded)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip_aloud("a sanitizer makes so many forks take half a minute");
#endif
    pid = start(have_too_many);
    if (!colony_proc_is_running(pid)) {
        (void)wait_for_child(pid);
        skip_aloud("this machine does not let us have so many processes");
    }
    sample_of(pid, true, &family, &sampler, &sample);
    assert_int_equal(sample->count, COLONY_STATS_CHILDREN_MAX + 1);
    assert_int_equal(sample->items[0].child_count, COLONY_STATS_CHILDREN_MAX);
    assert_int_equal(colony__family_sample(&family, &sampler, sample), 0);
    assert_int_equal(sample->count, COLONY_STATS_CHILDREN_MAX + 1);
    forget_sample(&family, &sampler, sample);
    end(pid);
}

/* Texts. */

static void exec_with_odd_arguments(int fd)
{
    (void)fd;
    (void)execl("/bin/sh", "a\x01", "-c", "kill -STOP $$", "\xff\xc3\xa4\xc3", "b c", "", NULL);
    _exit(1);
}

/* Runs on as something else when it gets SIGCONT. */
static void exec_later(int fd)
{
    say_ready(fd);
    (void)raise(SIGSTOP);
    (void)execl("/bin/sleep", "sleep", "1000", NULL);
}

static void take_long_arguments(int fd)
{
    static char zeros[2 * STATS_CMDLINE_MAX];

    (void)fd;
    memset(zeros, '0', sizeof zeros - 1);
    memset(zeros + sizeof zeros - 6, '9', 5);
    (void)execl("/bin/sleep", "sleep", zeros, NULL);
}

static void become_nobody_known(int fd)
{
    CHECK(setuid(NO_NAME) == 0);
    sleep_on(fd);
}

TEST(test_arguments_are_made_safe_to_show)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid = start(exec_with_odd_arguments);

    sample_of(pid, true, &family, &sampler, &sample);
    assert_string_equal(sample->items[0].cmdline, "a? -c kill -STOP $$ ?\xc3\xa4? b c");
    forget_sample(&family, &sampler, sample);
    end(pid);
}

TEST(test_long_arguments_are_cut)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid = start(take_long_arguments);

    sample_of(pid, true, &family, &sampler, &sample);
    assert_int_equal(strlen(sample->items[0].cmdline), STATS_CMDLINE_MAX);
    assert_memory_equal(sample->items[0].cmdline, "sleep 000", 9);
    forget_sample(&family, &sampler, sample);
    end(pid);
}

TEST(test_another_program_has_another_command_line)
{
    struct fixture f;
    pid_t pid = start(exec_later);

    fixture_init(&f);
    watch(&f.probes[0], pid);
    TURN_UNTIL(&f, strstr(f.probes[0].cmdline, "test_stats"));
    assert_int_equal(kill(pid, SIGCONT), 0);
    TURN_UNTIL(&f, f.probes[0].ends || strcmp(f.probes[0].cmdline, "sleep 1000") == 0);
    assert_int_equal(f.probes[0].ends, 0);
    end(pid);
    fixture_clear(&f);
}

TEST(test_without_arguments_the_name_is_shown)
{
    char *text = colony__proc_cmdline(0, "kworker/0:1-\xff\n");

    assert_string_equal(text, "[kworker/0:1-??]");
    free(text);
}

TEST(test_a_user_is_told_by_name)
{
    struct colony__users users = {0};
    const struct passwd *self = getpwuid(geteuid());
    char number[16];

    (void)snprintf(number, sizeof number, "%u", (unsigned)geteuid());
    for (int i = 0; i < 2; i++)
        assert_string_equal(colony__user_name(&users, geteuid()), self ? self->pw_name : number);
    (void)snprintf(number, sizeof number, "%u", (unsigned)NO_NAME);
    assert_string_equal(colony__user_name(&users, NO_NAME), number);
    (void)snprintf(number, sizeof number, "%u", (unsigned)NO_NAME + STATS_USERS_MAX);
    assert_string_equal(colony__user_name(&users, NO_NAME + STATS_USERS_MAX), number);
    (void)snprintf(number, sizeof number, "%u", (unsigned)NO_NAME);
    assert_string_equal(colony__user_name(&users, NO_NAME), number);
}

TEST(test_who_gave_up_rights_is_told_as_who_it_is_now)
{
    struct colony__sampler sampler;
    struct colony__family family;
    struct colony__sample *sample;
    pid_t pid;

    if (geteuid() != 0)
        skip_aloud("needs root");
    pid = start(become_nobody_known); /* most of its files in /proc stay root's */
    sample_of(pid, true, &family, &sampler, &sample);
    assert_string_equal(sample->items[0].username, "54321");
    forget_sample(&family, &sampler, sample);
    end(pid);
}

/* What /proc hides is an error, or not there. */
static void look_under(const char *options, int wanted)
{
    static struct fixture f;
    struct colony_process_stats stats;

    if (geteuid() != 0)
        skip_in_child("needs root");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, options) < 0)
        skip_in_child("cannot mount /proc here");
    drop_rights();
    fixture_init(&f);
    CHECK(colony_stats_look(f.stats, getppid(), 1000, &stats) == wanted);
    CHECK(try_watch(&f.probes[0], getppid(), 0, 1) == wanted);
    CHECK(colony_stats_look(f.stats, getpid(), 1000, &stats) == 0);
    CHECK(!uv_loop_alive(&f.loop));
}

FORKED_TEST(test_what_proc_forbids_is_an_error)
{
    look_under("hidepid=1", -EPERM);
}

FORKED_TEST(test_what_proc_hides_is_not_there)
{
    look_under("hidepid=2", -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_may_hold_what_looks_like_fields),
        cmocka_unit_test(test_what_is_no_line_of_stat_is_refused),
        cmocka_unit_test(test_a_look_tells_what_the_kernel_tells),
        cmocka_unit_test(test_a_look_has_the_cpu_since_the_start),
        cmocka_unit_test(test_whole_seconds_of_cpu_are_counted),
        cmocka_unit_test(test_who_has_ended_is_not_there),
        cmocka_unit_test(test_who_lives_on_without_its_first_thread_is_there),
        cmocka_unit_test(test_an_odd_name_confuses_nobody),
        cmocka_unit_test(test_a_watch_tells_the_cpu_between_two_samples),
        cmocka_unit_test(test_the_first_is_told_after_an_interval),
        cmocka_unit_test(test_every_leaves_samples_out),
        cmocka_unit_test(test_watches_of_one_process_share_a_sample),
        cmocka_unit_test(test_a_rare_watch_wakes_the_loop_rarely),
        cmocka_unit_test(test_nothing_wakes_the_loop_while_nobody_watches),
        cmocka_unit_test(test_the_end_is_told_once_to_each),
        cmocka_unit_test(test_a_process_started_at_another_time_is_another),
        cmocka_unit_test(test_one_may_end_ones_watch_in_a_callback),
        cmocka_unit_test(test_one_may_end_anothers_watch_in_a_callback),
        cmocka_unit_test(test_one_may_unwatch_when_told_of_the_end),
        cmocka_unit_test(test_one_may_watch_in_a_callback),
        cmocka_unit_test(test_all_may_be_closed_in_a_callback),
        cmocka_unit_test(test_closing_lets_go_of_what_is_still_watched),
        cmocka_unit_test(test_few_descriptors_are_enough_for_many),
        cmocka_unit_test(test_without_descriptors_it_is_tried_again_later),
        cmocka_unit_test(test_descendants_are_nested_as_they_descend),
        cmocka_unit_test(test_descendants_are_seen_where_the_kernel_lists_none),
        cmocka_unit_test(test_children_of_every_thread_are_seen),
        cmocka_unit_test(test_generations_are_bounded),
        cmocka_unit_test(test_descendants_are_bounded),
        cmocka_unit_test(test_arguments_are_made_safe_to_show),
        cmocka_unit_test(test_long_arguments_are_cut),
        cmocka_unit_test(test_another_program_has_another_command_line),
        cmocka_unit_test(test_without_arguments_the_name_is_shown),
        cmocka_unit_test(test_a_user_is_told_by_name),
        cmocka_unit_test(test_who_gave_up_rights_is_told_as_who_it_is_now),
        cmocka_unit_test(test_what_proc_forbids_is_an_error),
        cmocka_unit_test(test_what_proc_hides_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
