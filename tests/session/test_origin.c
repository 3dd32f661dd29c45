/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include "core/error.h"
#include "core/table.h"
#include "session/origin.h"
#include "session/process.h"

/* A child that has become what @argv and @env say; it ends with the test. */
static pid_t start(const char *program, char *const *argv, char *const *env)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)(chdir("/usr") == 0 && execve(program, argv, env));
        _exit(127);
    }
    (void)close(ready[1]);
    (void)!read(ready[0], &byte, 1); /* closed by its exec */
    (void)close(ready[0]);
    return pid;
}

static void end(pid_t pid, struct colony_session_process *process)
{
    (void)kill(pid, SIGKILL);
    (void)wait_for_child(pid);
    colony_session_process_clear(process);
}

static bool has(char *const *list, const char *text)
{
    for (; *list; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

static size_t read_origin(struct colony_session_process *out, pid_t pid)
{
    struct colony_error err = {0};
    size_t left_out = 0;

    if (colony_origin_read(out, pid, &left_out, &err) < 0)
        fail_msg("%s", err.message);
    return left_out;
}

TEST(test_it_has_all_that_a_start_takes)
{
    char *argv[] = {"sleep", "1000", NULL};
    char *env[] = {"PATH=/usr/bin:/bin", "B=2", "A=1 ", "EMPTY=", NULL};
    struct colony_session_process out = {0};
    pid_t pid = start("/bin/sleep", argv, env);

    assert_int_equal(read_origin(&out, pid), 0);
    assert_string_equal(out.uri, "attached://sleep 1000");
    assert_string_equal(out.cmdline[0], "sleep");
    assert_string_equal(out.cmdline[1], "1000");
    assert_null(out.cmdline[2]);
    assert_string_equal(out.cwd, "/usr");
    assert_string_equal(out.env[0], "A=1 "); /* sorted */
    assert_true(has(out.env, "EMPTY="));
    assert_int_equal(out.pid, pid);
    assert_true(out.start_ticks == colony_proc_start_ticks(pid));
    assert_non_null(out.boot);
    end(pid, &out);
}

TEST(test_what_a_manager_told_it_is_left_out)
{
    char *argv[] = {"sleep", "1000", NULL};
    char *env[] = {"PATH=/bin",    "NOTIFY_SOCKET=/x", "COLONY_ID=a/b/1",
                   "LISTEN_FDS=1", "_=/bin/sleep",     "=x",
                   "lonely",       "KEPT=1",           NULL};
    struct colony_session_process out = {0};
    pid_t pid = start("/bin/sleep", argv, env);

    assert_int_equal(read_origin(&out, pid), 0);
    assert_string_equal(out.env[0], "KEPT=1");
    assert_string_equal(out.env[1], "PATH=/bin");
    assert_null(out.env[2]);
    end(pid, &out);
}

TEST(test_variables_that_no_yaml_holds_are_counted)
{
    char *argv[] = {"sleep", "1000", NULL};
    char *env[] = {"PATH=/bin", "BAD=\xff", NULL};
    struct colony_session_process out = {0};
    pid_t pid = start("/bin/sleep", argv, env);

    assert_int_equal(read_origin(&out, pid), 1);
    assert_null(out.env[1]);
    end(pid, &out);
}

TEST(test_a_name_that_leads_nowhere_gives_way_to_the_file)
{
    static const struct {
        char *name;
        char *path;
        bool leads;
    } cases[] = {
        {"sleep", "PATH=/nowhere:/bin", true}, {"/bin/sleep", "PATH=", true},
        {"../bin/sleep", "PATH=/x", true},     {"-sleep", "PATH=/bin", false},
        {"sleep", "PATH=/nowhere", false},     {"/nowhere/sleep", "PATH=/bin", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *argv[] = {cases[i].name, "1000", NULL};
        char *env[] = {cases[i].path, NULL};
        struct colony_session_process out = {0};
        pid_t pid = start("/bin/sleep", argv, env);

        (void)read_origin(&out, pid);
        if ((strcmp(out.cmdline[0], cases[i].name) == 0) != cases[i].leads)
            fail_msg("%s with %s: %s", cases[i].name, cases[i].path, out.cmdline[0]);
        assert_int_equal(access(cases[i].leads ? "/bin/sleep" : out.cmdline[0], X_OK), 0);
        end(pid, &out);
    }
}

TEST(test_an_argument_that_no_yaml_holds_is_told)
{
    char *argv[] = {"sh", "-c", "kill -STOP $$; # \xff", NULL};
    char *env[] = {"PATH=/bin", NULL};
    struct colony_session_process out = {0};
    struct colony_error err = {0};
    size_t left_out;
    pid_t pid = start("/bin/sh", argv, env);

    assert_int_equal(colony_origin_read(&out, pid, &left_out, &err), -EINVAL);
    assert_non_null(strstr(err.message, "argument 2 is not UTF-8"));
    end(pid, &out);
}

TEST(test_what_is_no_process_of_ours_is_told)
{
    struct colony_session_process out = {0};
    struct colony_error err = {0};
    size_t left_out;

    assert_int_equal(colony_origin_read(&out, INT32_MAX, &left_out, &err), -ESRCH);
    assert_int_equal(colony_origin_read(&out, getpid(), &left_out, &err), -EINVAL);
    assert_non_null(strstr(err.message, "that is this program itself"));
    colony_session_process_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_has_all_that_a_start_takes),
        cmocka_unit_test(test_what_a_manager_told_it_is_left_out),
        cmocka_unit_test(test_variables_that_no_yaml_holds_are_counted),
        cmocka_unit_test(test_a_name_that_leads_nowhere_gives_way_to_the_file),
        cmocka_unit_test(test_an_argument_that_no_yaml_holds_is_told),
        cmocka_unit_test(test_what_is_no_process_of_ours_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
