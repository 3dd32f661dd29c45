/* SPDX-License-Identifier: Apache-2.0 */
#include "spawned.h"

/* The value of @key ("SigBlk:") in text like /proc/PID/status. */
static const char *field(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    CHECK(line);
    return line + strlen(key) + strspn(line + strlen(key), " \t");
}

static const char *spawn_cat(struct spawned *spawned, struct made_payload *made, const char *file)
{
    const char *const paths[] = {"/bin/cat", NULL};
    const char *const argv[] = {"cat", file, NULL};
    struct colony_payload header = made->header;

    made_init(made, paths, argv, NULL);
    header.version = made->header.version;
    header.path_count = made->header.path_count;
    header.argc = made->header.argc;
    made->header = header;
    spawn_made(spawned, made);
    CHECK(spawned->result.error == 0);
    return spawned->output;
}

FORKED_TEST(test_a_process_runs_and_its_status_is_told)
{
    struct spawned spawned = spawned_none();

    prepare_to_spawn();
    CHECK(strcmp(spawn_shell(&spawned, "echo out; echo err >&2; exit 7"), "out\nerr\n") == 0);
    CHECK(WIFEXITED(spawned.wait_status) && WEXITSTATUS(spawned.wait_status) == 7);
    CHECK(spawned.result.step == STEP_EXEC);
    CHECK(!spawned.result.is_late);
    (void)spawn_shell(&spawned, "kill -TERM $$");
    CHECK(WIFSIGNALED(spawned.wait_status) && WTERMSIG(spawned.wait_status) == SIGTERM);
}

FORKED_TEST(test_the_pid_is_written_by_the_kernel)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;
    const char *const nowhere[] = {"/nonexistent", NULL};

    prepare_to_spawn();
    CHECK(strtol(spawn_shell(&spawned, "echo $$"), NULL, 10) == spawned.pid);
    CHECK(spawned.pid == spawned.result.pid);
    made_init(&made, nowhere, nowhere, NULL);
    spawn_made(&spawned, &made);
    CHECK(spawned.result.error == -ENOENT);
    CHECK(spawned.pid > 0); /* also of one that never came to its program */
}

FORKED_TEST(test_a_process_leads_a_session_of_its_own)
{
    struct spawned spawned = spawned_none();
    struct made_payload made = {0};
    int pid;
    int group;
    int session;
    int terminal;

    prepare_to_spawn();
    CHECK(sscanf(spawn_cat(&spawned, &made, "/proc/self/stat"), "%d %*s %*c %*d %d %d %d", &pid,
                 &group, &session, &terminal) == 4);
    CHECK(pid == spawned.pid && group == pid && session == pid);
    CHECK(terminal == 0);
}

FORKED_TEST(test_it_has_the_planned_descriptors_and_no_other)
{
    struct spawned spawned = spawned_none();

    prepare_to_spawn();
    for (int i = 0; i < 50; i++)
        CHECK(open("/dev/zero", O_RDONLY) >= 0); /* not even close-on-exec */
    CHECK(strcmp(spawn_shell(&spawned, "ls /proc/$$/fd"), "0\n1\n2\n") == 0);
    CHECK(strcmp(spawn_shell(&spawned, "readlink /proc/$$/fd/0"), "/dev/null\n") == 0);
    spawned.extra_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(strcmp(spawn_shell(&spawned, "ls /proc/$$/fd"), "0\n1\n2\n5\n") == 0);
    CHECK(strcmp(spawn_shell(&spawned, "readlink /proc/$$/fd/5"), "/dev/full\n") == 0);
    spawned.extra_fd = -1;
    spawned.has_no_stdin = true;
    CHECK(strcmp(spawn_shell(&spawned, "ls /proc/$$/fd"), "1\n2\n") == 0);
}

FORKED_TEST(test_spawning_leaves_our_own_descriptors_alone)
{
    struct spawned spawned = spawned_none();
    unsigned before;

    prepare_to_spawn();
    (void)spawn_shell(&spawned, ":");
    before = count_fds();
    for (int i = 0; i < 20; i++)
        (void)spawn_shell(&spawned, ":");
    CHECK(count_fds() == before);
    for (int fd = 0; fd < 64; fd++)
        CHECK(fd <= STDERR_FILENO || fcntl(fd, F_GETFD) != 0); /* closed, or close-on-exec */
}

static void on_signal(int signo)
{
    (void)signo;
}

FORKED_TEST(test_signal_mask_and_dispositions_are_clean)
{
    static const char *const keys[] = {"SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"};
    struct spawned spawned = spawned_none();
    struct made_payload made = {0};
    const char *status;
    sigset_t blocked;
    sigset_t after;

    prepare_to_spawn();
    for (int signo = 1; signo < 32; signo++)
        if (signo != SIGCHLD)
            (void)signal(signo, on_signal);
    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, SIGSEGV);
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
    (void)raise(SIGUSR1); /* and one pending */
    status = spawn_cat(&spawned, &made, "/proc/self/status");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        CHECK(strtoull(field(status, keys[i]), NULL, 16) == 0);
    (void)sigprocmask(SIG_SETMASK, NULL, &after);
    for (int signo = 1; signo < 32; signo++) /* and ours is what it was */
        CHECK(sigismember(&after, signo) ==
              (signo != SIGSEGV && signo != SIGKILL && signo != SIGSTOP));
}

FORKED_TEST(test_the_environment_is_what_was_ordered)
{
    const char *const paths[] = {"/bin/cat", NULL};
    const char *const argv[] = {"cat", "/proc/self/environ", NULL};
    const char *const env[] = {"A=1", "B=", "no equals sign", "A=2", NULL};
    struct spawned spawned = spawned_none();
    struct made_payload made;

    prepare_to_spawn();
    made_init(&made, paths, argv, env);
    spawn_made(&spawned, &made);
    CHECK(spawned.size == sizeof "A=1\0B=\0no equals sign\0A=2");
    CHECK(memcmp(spawned.output, "A=1\0B=\0no equals sign\0A=2", spawned.size) == 0);
}

FORKED_TEST(test_it_starts_in_its_folder)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;

    prepare_to_spawn();
    made_init_shell(&made, "readlink /proc/$$/cwd");
    made.header.flags = PAYLOAD_HAS_CWD;
    made_add_bytes(&made, "/proc", sizeof "/proc");
    spawn_made(&spawned, &made);
    CHECK(strcmp(spawned.output, "/proc\n") == 0);
}

static int own_oom_score(void)
{
    char text[16] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    return (int)strtol(text, NULL, 10);
}

FORKED_TEST(test_umask_nice_limits_and_oom_score_are_set)
{
    struct spawned spawned = spawned_none();
    struct made_payload made;
    int score = own_oom_score();

    prepare_to_spawn();
    made_init_shell(&made, "umask; ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj;"
                           "cut -d ' ' -f 19 /proc/self/stat");
    made.header.flags = PAYLOAD_HAS_UMASK | PAYLOAD_HAS_NICE | PAYLOAD_HAS_OOM;
    made.header.umask = 027;
    made.header.nice = getpriority(PRIO_PROCESS, 0) + 3;
    made.header.oom_score_adj = 999;
    made_set_rlimit(&made, RLIMIT_NOFILE, 100, 200);
    made_set_rlimit(&made, RLIMIT_CORE, 0, 0);
    spawn_made(&spawned, &made);
    CHECK(strncmp(spawned.output, "0027\n100\n200\n0\n999\n", 19) == 0);
    CHECK(strtol(spawned.output + 19, NULL, 10) == getpriority(PRIO_PROCESS, 0) + 3);
    CHECK(own_oom_score() == score); /* though memory is shared while it is set */
}

FORKED_TEST(test_root_gives_it_another_identity)
{
    struct spawned spawned = spawned_none();
    struct made_payload made = {0};
    const char *status;

    if (geteuid() != 0)
        skip_in_child("needs root");
    prepare_to_spawn();
    made_set_identity(&made, 1234, 2345);
    made.header.group_count = 2;
    made.header.groups[0] = 7001;
    made.header.groups[1] = 7002;
    status = spawn_cat(&spawned, &made, "/proc/self/status");
    CHECK(strncmp(field(status, "Uid:"), "1234\t1234\t1234\t1234\n", 20) == 0);
    CHECK(strncmp(field(status, "Gid:"), "2345\t2345\t2345\t2345\n", 20) == 0);
    CHECK(strncmp(field(status, "Groups:"), "7001 7002", 9) == 0);
    CHECK(strtoull(field(status, "CapEff:"), NULL, 16) == 0);
    CHECK(geteuid() == 0);
    CHECK(prctl(PR_GET_DUMPABLE) == 1); /* the child shares our memory and its flags */
}

FORKED_TEST(test_ones_own_identity_needs_no_rights)
{
    struct spawned spawned = spawned_none();
    struct made_payload made = {0};

    drop_rights();
    prepare_to_spawn();
    made_set_identity(&made, getuid(), getgid());
    CHECK(strtoul(field(spawn_cat(&spawned, &made, "/proc/self/status"), "Uid:"), NULL, 10) ==
          getuid());
}

/* An environment of @count strings of 120,000 bytes; what /proc/self/environ says of it. */
static void spawn_with_environment(struct spawned *spawned, size_t count)
{
    static char text[120000];
    const char *const paths[] = {"/bin/cat", NULL};
    const char *const argv[] = {"cat", "/proc/self/environ", NULL};
    struct made_payload made;
    struct rlimit stack;

    made_init(&made, paths, argv, NULL);
    memset(text, 'v', sizeof text - 1);
    text[1] = '=';
    for (size_t i = 0; i < count; i++) {
        text[0] = (char)('A' + i % 26);
        made_add_bytes(&made, text, sizeof text);
    }
    made.header.envc = (uint32_t)count;
    CHECK(getrlimit(RLIMIT_STACK, &stack) == 0);
    stack.rlim_cur = stack.rlim_max > (64 << 20) ? 64 << 20 : stack.rlim_max;
    made_set_rlimit(&made, RLIMIT_STACK, stack.rlim_cur, stack.rlim_max);
    spawn_made(spawned, &made);
}

FORKED_TEST(test_an_environment_of_a_megabyte_arrives_whole)
{
    struct spawned spawned = spawned_none();

    prepare_to_spawn();
    spawn_with_environment(&spawned, 9);
    CHECK(spawned.result.error == 0);
    CHECK(spawned.size == 9 * 120000);
    CHECK(spawned.output[8 * 120000] == 'I' && spawned.output[9 * 120000 - 2] == 'v');
}

FORKED_TEST(test_all_that_the_kernel_takes_can_be_given)
{
    struct spawned spawned = spawned_none();
    struct rlimit stack;

    CHECK(getrlimit(RLIMIT_STACK, &stack) == 0);
    if (stack.rlim_max < (64 << 20))
        skip_in_child("the stack may not be raised");
    prepare_to_spawn();
    spawn_with_environment(&spawned, 52); /* of 6 MiB, execve(2) */
    CHECK(spawned.result.error == 0);
    CHECK(spawned.size == 52 * 120000);
    spawn_with_environment(&spawned, 53);
    CHECK_FAILED(spawned, STEP_EXEC, -E2BIG);
}

FORKED_TEST(test_many_can_be_spawned_one_after_the_other)
{
    struct spawned spawned = spawned_none();
    pid_t last = 0;

    prepare_to_spawn();
    for (int i = 0; i < 100; i++) {
        (void)spawn_shell(&spawned, "exit 3");
        CHECK(WEXITSTATUS(spawned.wait_status) == 3);
        CHECK(spawned.pid != last);
        last = spawned.pid;
    }
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process_runs_and_its_status_is_told),
        cmocka_unit_test(test_the_pid_is_written_by_the_kernel),
        cmocka_unit_test(test_a_process_leads_a_session_of_its_own),
        cmocka_unit_test(test_it_has_the_planned_descriptors_and_no_other),
        cmocka_unit_test(test_spawning_leaves_our_own_descriptors_alone),
        cmocka_unit_test(test_signal_mask_and_dispositions_are_clean),
        cmocka_unit_test(test_the_environment_is_what_was_ordered),
        cmocka_unit_test(test_it_starts_in_its_folder),
        cmocka_unit_test(test_umask_nice_limits_and_oom_score_are_set),
        cmocka_unit_test(test_root_gives_it_another_identity),
        cmocka_unit_test(test_ones_own_identity_needs_no_rights),
        cmocka_unit_test(test_an_environment_of_a_megabyte_arrives_whole),
        cmocka_unit_test(test_all_that_the_kernel_takes_can_be_given),
        cmocka_unit_test(test_many_can_be_spawned_one_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
