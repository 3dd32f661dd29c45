/* SPDX-License-Identifier: Apache-2.0 */
/* test_stats.c - one look at a process, and what /proc hides. */
#include "sampled.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

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
        cmocka_unit_test(test_what_proc_forbids_is_an_error),
        cmocka_unit_test(test_what_proc_hides_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
