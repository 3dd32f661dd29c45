/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include "core/error.h"
#include "core/table.h"
#include "session/observe.h"
#include "session/process.h"
#include "session/workspace.h"

enum {
    PERIOD_MS = 2000,
};

/* A workspace, and a process of it that is this one. */
struct fixture {
    struct scratch scratch;
    struct colony_workspace *workspace;
    struct colony_session_process process;
};

static void fixture_init(struct fixture *f)
{
    size_t added;

    scratch_init(&f->scratch);
    assert_int_equal(colony_workspace_init(f->scratch.path, &added, NULL), 0);
    assert_int_equal(colony_workspace_open(&f->workspace, f->scratch.path, NULL), 0);
    f->process = (struct colony_session_process){.name = strdup("red-fox"),
                                                 .uri = strdup("attached://x"),
                                                 .state = strdup(COLONY_STATE_STARTING),
                                                 .pid = getpid(),
                                                 .start_ticks = colony_proc_start_ticks(getpid())};
}

static void fixture_clear(struct fixture *f)
{
    colony_session_process_clear(&f->process);
    colony_workspace_close(f->workspace);
    scratch_clear(&f->scratch);
}

/* As a command of its own would see it. */
static void look(struct fixture *f, bool notes, char seen_as[COLONY_STATE_NAME_MAX + 1])
{
    struct colony_observer observer;
    struct colony_error err = {0};
    const char *seen = NULL;

    if (colony_observer_init(&observer, f->workspace, &f->process, PERIOD_MS, &err) < 0 ||
        colony_observer_look(&observer, f->process.pid, NULL, &seen, &err) < 0)
        fail_msg("%s", err.message);
    (void)snprintf(seen_as, COLONY_STATE_NAME_MAX + 1, "%s", seen);
    if (notes && colony_observer_note(&observer, f->workspace, &f->process, NULL, &err) < 0)
        fail_msg("%s", err.message);
    colony_observer_clear(&observer);
}

/* What was seen last was seen @ms ago. */
static void age(struct fixture *f, int64_t ms)
{
    struct timespec times[2];

    (void)clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= ms / 1000;
    times[1] = times[0];
    assert_int_equal(utimensat(f->scratch.fd, "fp/red-fox.yaml", times, 0), 0);
}

TEST(test_two_commands_a_period_apart_know_one_that_runs)
{
    char seen_as[COLONY_STATE_NAME_MAX + 1];
    struct fixture f;

    fixture_init(&f);
    f.process.start_ticks = 1; /* since boot: long enough */
    look(&f, true, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_STARTING);
    age(&f, PERIOD_MS / 2);
    look(&f, true, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_STARTING);
    age(&f, 2 * PERIOD_MS);
    look(&f, true, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_RUNNING);
    fixture_clear(&f);
}

TEST(test_what_was_seen_of_an_earlier_life_does_not_count)
{
    char seen_as[COLONY_STATE_NAME_MAX + 1];
    struct fixture f;

    fixture_init(&f);
    look(&f, true, seen_as);
    age(&f, 3600 * 1000); /* this process is younger */
    look(&f, false, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_STARTING);
    age(&f, -3600 * 1000); /* the clock was set back */
    look(&f, false, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_STARTING);
    fixture_clear(&f);
}

TEST(test_one_that_was_known_to_run_is_not_starting)
{
    char seen_as[COLONY_STATE_NAME_MAX + 1];
    struct fixture f;

    fixture_init(&f);
    free(f.process.state);
    f.process.state = strdup("operative"); /* which was saved by nobody */
    look(&f, false, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_RUNNING);
    fixture_clear(&f);
}

TEST(test_a_file_that_cannot_be_used_is_as_good_as_none)
{
    char seen_as[COLONY_STATE_NAME_MAX + 1];
    struct fixture f;
    int fd;

    fixture_init(&f);
    fd = openat(f.scratch.fd, "fp/red-fox.yaml", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "{", 1), 1);
    (void)close(fd);
    look(&f, true, seen_as);
    assert_string_equal(seen_as, COLONY_STATE_STARTING);
    fixture_clear(&f);
}

TEST(test_one_that_has_ended_is_told)
{
    struct colony_observer observer;
    struct fixture f;
    const char *seen_as = NULL;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    (void)wait_for_child(pid);
    fixture_init(&f);
    assert_int_equal(colony_observer_init(&observer, f.workspace, &f.process, PERIOD_MS, NULL), 0);
    assert_int_equal(colony_observer_look(&observer, pid, NULL, &seen_as, NULL), -ESRCH);
    colony_observer_clear(&observer);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_commands_a_period_apart_know_one_that_runs),
        cmocka_unit_test(test_what_was_seen_of_an_earlier_life_does_not_count),
        cmocka_unit_test(test_one_that_was_known_to_run_is_not_starting),
        cmocka_unit_test(test_a_file_that_cannot_be_used_is_as_good_as_none),
        cmocka_unit_test(test_one_that_has_ended_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
