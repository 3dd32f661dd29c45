/* SPDX-License-Identifier: Apache-2.0 */
/* test_stats_watch.c - samples for who watches, and what watches may do when they are told. */
#include "sampled.h"

#include <sys/resource.h>

TEST(test_a_watch_tells_the_cpu_between_two_samples)
{
    struct fixture f;
    pid_t burner = start(burn);
    pid_t sleeper = start(sleep_on);

    fixture_init(&f);
    watch(&f.probes[0], burner);
    watch(&f.probes[1], sleeper);
    /* Of a processor that is its own more than 90, of one that others want, too, its share. */
    TURN_UNTIL(&f, f.probes[0].cpu > 10 && f.probes[1].count > 0);
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
    assert_int_equal(count_fds(), fds + 3);
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
    CHECK(count_fds() <= fds + 10); /* a sixth of them at most */
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
    struct rlimit limit = {36, 36};
    static struct fixture f;
    pid_t pids[3];
    uint64_t began_ms;
    int first;

    for (int i = 0; i < 3; i++)
        pids[i] = start(sleep_on);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    fixture_init(&f);
    for (int i = 0; i < 3; i++) /* a sixth of 36 are kept: two processes */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
