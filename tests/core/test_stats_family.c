/* SPDX-License-Identifier: Apache-2.0 */
/* test_stats_family.c - a process with its descendants, by both ways to see them. */
#include "sampled.h"

#include <pthread.h>

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
    assert_int_equal(count_fds(), fds + 9); /* three files of each of three */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descendants_are_nested_as_they_descend),
        cmocka_unit_test(test_descendants_are_seen_where_the_kernel_lists_none),
        cmocka_unit_test(test_children_of_every_thread_are_seen),
        cmocka_unit_test(test_generations_are_bounded),
        cmocka_unit_test(test_descendants_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
