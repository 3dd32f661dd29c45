/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include "core/message.h"
#include "core/sweep.h"
#include "core/table.h"

enum {
    FAMILY_MAX = 16,
};

static char instance[17];
static char mark[64]; /* of web.1 of it */

static __attribute__((noreturn)) void be_sleep(const char *value)
{
    char entry[300];
    char *argv[] = {"sleep", "60", NULL};
    char *env[] = {"COLONY_TEST_A=1", entry, NULL};

    (void)snprintf(entry, sizeof entry, "COLONY_ID=%s", value ? value : "");
    if (!value)
        env[1] = NULL;
    (void)execve("/bin/sleep", argv, env);
    _exit(127);
}

/* Its environment is there a moment later than its name. */
static bool is_sleep(pid_t pid)
{
    char value[2];

    return colony_proc_get_env(pid, "COLONY_TEST_A", value, sizeof value);
}

/* A child of ours that sleeps, marked with @value (NULL: not at all). */
static pid_t start_sleep(const char *value)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0)
        be_sleep(value);
    CHECK_SOON(is_sleep(pid));
    return pid;
}

/* The same, double-forked and a session of its own: its parent is gone and we get it. */
static pid_t start_stray(const char *value)
{
    int ends[2];
    pid_t parent;
    pid_t pid = 0;

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    parent = fork();
    if (parent == 0) {
        pid = fork();
        if (pid == 0) {
            (void)setsid();
            be_sleep(value);
        }
        CHECK(write(ends[1], &pid, sizeof pid) == (ssize_t)sizeof pid);
        _exit(0);
    }
    CHECK(read(ends[0], &pid, sizeof pid) == (ssize_t)sizeof pid);
    CHECK(waitpid(parent, NULL, 0) == parent);
    (void)close(ends[0]);
    (void)close(ends[1]);
    CHECK_SOON(is_sleep(pid));
    return pid;
}

/* A shell with a child, both still there; *child is the child. */
static pid_t start_family(pid_t *child)
{
    pid_t leader = fork();

    CHECK(leader >= 0);
    if (leader == 0) {
        if (fork() == 0)
            be_sleep(NULL);
        (void)alarm(60);
        for (;;)
            (void)pause();
    }
    CHECK_SOON(colony_proc_children(leader, child, 1) == 1 && is_sleep(*child));
    return leader;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static bool is_alive(pid_t pid)
{
    siginfo_t info = {0};

    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    return info.si_pid == 0;
}

static bool was_killed(pid_t pid)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static bool is_one_of(pid_t pid, void *data)
{
    const pid_t *known = data;

    for (; known && *known; known++)
        if (*known == pid)
            return true;
    return false;
}

static struct colony_swept sweep(struct colony_seen *seen, pid_t *known, int signo, bool everywhere)
{
    struct colony_seen none = {0};
    const struct colony_sweep order = {.mark = mark,
                                       .seen = seen ? seen : &none,
                                       .everywhere = everywhere,
                                       .signo = signo,
                                       .is_known = is_one_of,
                                       .data = known};
    struct colony_swept swept;

    colony_sweep_run(&order, &swept);
    colony_seen_clear(&none);
    return swept;
}

FORKED_TEST(test_what_bears_the_mark_is_killed)
{
    struct colony_swept swept;
    pid_t stray;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    stray = start_stray(mark);
    swept = sweep(NULL, NULL, SIGKILL, false);
    CHECK(swept.found == 1 && swept.unclaimed == 0 && !swept.is_partial);
    CHECK(was_killed(stray));
    swept = sweep(NULL, NULL, SIGKILL, false);
    CHECK(swept.found == 0 && swept.unclaimed == 0);
}

FORKED_TEST(test_with_signal_0_they_are_only_counted)
{
    pid_t strays[2];

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    strays[0] = start_stray(mark);
    strays[1] = start_stray(mark);
    CHECK(sweep(NULL, NULL, 0, false).found == 2);
    CHECK(is_alive(strays[0]) && is_alive(strays[1]));
    end(strays[0]);
    end(strays[1]);
}

FORKED_TEST(test_what_bears_anothers_mark_is_left_alone)
{
    static const char *const others[][2] = {
        {"", "/web/2"}, {"", "/web/11"}, {"", "/db/1"}, {"x", "/web/1"}, {"", "/web/1 "}};
    char other[64];

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct colony_swept swept;
        pid_t stray;

        (void)snprintf(other, sizeof other, "%s%s%s", others[i][0], instance, others[i][1]);
        stray = start_stray(other);
        swept = sweep(NULL, NULL, SIGKILL, false);

        CHECK(swept.found == 0 && swept.unclaimed == 0);
        CHECK(is_alive(stray));
        end(stray);
    }
}

FORKED_TEST(test_what_bears_no_mark_is_counted_and_left_alone)
{
    struct colony_swept swept;
    pid_t stray;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    stray = start_stray(NULL);
    swept = sweep(NULL, NULL, SIGKILL, false);
    CHECK(swept.found == 0 && swept.unclaimed == 1);
    CHECK(is_alive(stray));
    end(stray);
}

FORKED_TEST(test_a_descendant_that_was_seen_is_killed_without_a_mark)
{
    struct colony_seen seen = {0};
    struct colony_swept swept;
    pid_t child;
    pid_t leader;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    leader = start_family(&child);
    colony_seen_note(&seen, leader);
    CHECK(seen.count == 1 && seen.items[0].pid == child);
    end(leader); /* now the child is ours */
    swept = sweep(&seen, NULL, SIGKILL, false);
    CHECK(swept.found == 1 && swept.unclaimed == 0);
    CHECK(was_killed(child));
    colony_seen_clear(&seen);
    CHECK(seen.count == 0 && !seen.items);
}

FORKED_TEST(test_a_pid_that_was_seen_with_another_start_time_is_a_stranger)
{
    struct colony_seen seen = {0};
    struct colony_swept swept;
    pid_t child;
    pid_t leader;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    leader = start_family(&child);
    colony_seen_note(&seen, leader);
    seen.items[0].start_ticks--;
    end(leader);
    swept = sweep(&seen, NULL, SIGKILL, false);
    CHECK(swept.found == 0 && swept.unclaimed == 1);
    CHECK(is_alive(child));
    end(child);
    colony_seen_clear(&seen);
}

FORKED_TEST(test_noting_again_forgets_what_was_noted_before)
{
    struct colony_seen seen = {0};
    pid_t child;
    pid_t leader = start_family(&child);

    colony_seen_note(&seen, leader);
    CHECK(seen.count == 1);
    (void)kill(child, SIGKILL);
    end(leader);
    colony_seen_note(&seen, leader);
    CHECK(seen.count == 0 && !seen.items);
    colony_seen_clear(&seen);
}

FORKED_TEST(test_known_processes_are_never_touched)
{
    struct colony_swept swept;
    pid_t known[3] = {0};
    pid_t stray;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    known[0] = start_sleep(mark); /* even with the mark: it is a leader that lives */
    known[1] = start_sleep(NULL);
    stray = start_stray(mark);
    swept = sweep(NULL, known, SIGKILL, false);
    CHECK(swept.found == 1 && swept.unclaimed == 0);
    CHECK(was_killed(stray));
    CHECK(is_alive(known[0]) && is_alive(known[1]));
    end(known[0]);
    end(known[1]);
}

FORKED_TEST(test_the_children_of_a_stray_are_found_too)
{
    struct colony_swept swept;
    pid_t child;
    pid_t leader;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    leader = start_family(&child);
    swept = sweep(NULL, NULL, SIGKILL, false);
    CHECK(swept.unclaimed == 2); /* the leader is known to nobody here */
    end(leader);
    end(child);
}

FORKED_TEST(test_what_was_found_by_its_mark_is_known_without_it_from_then_on)
{
    struct colony_seen seen = {0};
    pid_t stray;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    stray = start_stray(mark);
    CHECK(sweep(&seen, NULL, 0, false).found == 1);
    CHECK(seen.count == 1 && seen.items[0].pid == stray);
    CHECK(sweep(&seen, NULL, 0, false).found == 1);
    CHECK(seen.count == 1);
    end(stray);
    colony_seen_clear(&seen);
}

FORKED_TEST(test_a_zombie_is_not_counted)
{
    siginfo_t info;
    pid_t pid;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(sweep(NULL, NULL, SIGKILL, false).unclaimed == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

FORKED_TEST(test_strays_of_an_adopted_one_are_found_everywhere)
{
    struct colony_swept swept;
    char value[64];
    pid_t child;
    pid_t leader = fork(); /* its child is not ours, as that of an earlier keeper */

    if (leader == 0) {
        if (fork() == 0)
            be_sleep(mark);
        (void)alarm(60);
        for (;;)
            (void)pause();
    }
    CHECK_SOON(colony_proc_children(leader, &child, 1) == 1 && is_sleep(child));
    swept = sweep(NULL, NULL, SIGKILL, true);
    CHECK(swept.found == 1 && swept.unclaimed == 0 && swept.is_partial);
    CHECK_SOON(!colony_proc_get_env(child, "COLONY_ID", value, sizeof value));
    CHECK(is_alive(leader));
    end(leader);
}

FORKED_TEST(test_an_environment_is_read_by_whole_names)
{
    char value[64] = "unchanged";
    pid_t pid = start_sleep("x=y/z");

    CHECK(colony_proc_get_env(pid, "COLONY_ID", value, sizeof value));
    CHECK(strcmp(value, "x=y/z") == 0);
    CHECK(!colony_proc_get_env(pid, "COLONY", value, sizeof value));
    CHECK(!colony_proc_get_env(pid, "ID", value, sizeof value));
    CHECK(colony_proc_get_env(pid, "COLONY_TEST_A", value, sizeof value) &&
          strcmp(value, "1") == 0);
    CHECK(colony_proc_get_env(pid, "COLONY_ID", value, 3) && strcmp(value, "x=") == 0);
    end(pid);
    CHECK(!colony_proc_get_env(pid, "COLONY_TEST_A", value, sizeof value));
}

FORKED_TEST(test_children_are_told_up_to_the_limit)
{
    pid_t started[5];
    pid_t pids[FAMILY_MAX];

    CHECK(colony_proc_children(getpid(), pids, FAMILY_MAX) == 0);
    for (size_t i = 0; i < 5; i++)
        started[i] = start_sleep(NULL);
    CHECK(colony_proc_children(getpid(), pids, FAMILY_MAX) == 5);
    CHECK(colony_proc_children(getpid(), pids, 3) == 3);
    for (size_t i = 0; i < 5; i++)
        end(started[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_bears_the_mark_is_killed),
        cmocka_unit_test(test_with_signal_0_they_are_only_counted),
        cmocka_unit_test(test_what_bears_anothers_mark_is_left_alone),
        cmocka_unit_test(test_what_bears_no_mark_is_counted_and_left_alone),
        cmocka_unit_test(test_a_descendant_that_was_seen_is_killed_without_a_mark),
        cmocka_unit_test(test_a_pid_that_was_seen_with_another_start_time_is_a_stranger),
        cmocka_unit_test(test_noting_again_forgets_what_was_noted_before),
        cmocka_unit_test(test_known_processes_are_never_touched),
        cmocka_unit_test(test_the_children_of_a_stray_are_found_too),
        cmocka_unit_test(test_what_was_found_by_its_mark_is_known_without_it_from_then_on),
        cmocka_unit_test(test_a_zombie_is_not_counted),
        cmocka_unit_test(test_strays_of_an_adopted_one_are_found_everywhere),
        cmocka_unit_test(test_an_environment_is_read_by_whole_names),
        cmocka_unit_test(test_children_are_told_up_to_the_limit),
    };

    make_instance(instance);
    (void)snprintf(mark, sizeof mark, "%s/web/1", instance);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
