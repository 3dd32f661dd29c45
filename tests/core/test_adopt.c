/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <sys/socket.h>

#include "core/adopt.h"
#include "core/sweep.h"

static char instance[17];
static const char secret[] = "the bytes that nobody may lose";

struct fixture {
    struct colony_boot boot;
    struct colony_record record;
    struct colony_own_pipes pipes;
    pid_t pid;
    int ends[2]; /* -1: closed */
};

static __attribute__((noreturn)) void be_sleep(char *const *env)
{
    char *argv[] = {"sleep", "60", NULL};

    (void)execve("/bin/sleep", argv, env);
    _exit(127);
}

static bool has_program(pid_t pid, const char *name)
{
    char path[32];
    char text[64] = "";
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    assert_true(read(fd, text, sizeof text - 1) >= 0);
    (void)close(fd);
    return strncmp(text, name, strlen(name)) == 0;
}

/* Starts a session leader whose descriptor @fd is @given (-1: none). */
static pid_t start(char *const *env, int fd, int given)
{
    char value[2];
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setsid();
        if (given >= 0)
            (void)dup2(given, fd);
        be_sleep(env);
    }
    EVENTUALLY(has_program(pid, "sleep"));
    if (env[0]) /* it is there a moment later than the name */
        EVENTUALLY(colony_proc_get_env(pid, "COLONY_ID", value, sizeof value));
    return pid;
}

/* A living process of which a record tells; its output is a pipe as the keeper makes them. */
static void fixture_init(struct fixture *f)
{
    char *no_env[] = {NULL};
    struct stat info;

    memset(f, 0, sizeof *f);
    assert_int_equal(colony_boot_read(&f->boot, NULL), 0);
    assert_int_equal(pipe2(f->ends, O_CLOEXEC), 0);
    assert_int_equal(fstat(f->ends[0], &info), 0);
    f->record.claimed_boot_ns = colony_boot_now_ns();
    f->pid = start(no_env, STDOUT_FILENO, f->ends[1]);
    f->record.pid = f->pid;
    f->record.pid_namespace = f->boot.pid_namespace;
    memcpy(f->record.boot_id, f->boot.boot_id, sizeof f->boot.boot_id);
    f->record.start_ticks = colony_proc_start_ticks(f->pid);
    f->record.stream_inode[0] = (uint32_t)info.st_ino;
    f->record.stream_kind[0] = STREAM_OUTPUT;
}

static void close_end(struct fixture *f, int end)
{
    (void)close(f->ends[end]);
    f->ends[end] = -1;
}

static void fixture_clear(struct fixture *f)
{
    (void)kill(f->pid, SIGKILL);
    (void)waitpid(f->pid, NULL, 0);
    for (int i = 0; i < 2; i++)
        if (f->ends[i] >= 0)
            close_end(f, i);
}

static void assert_adopted(const struct fixture *f)
{
    int pidfd = colony_adopt_process(&f->record, &f->boot);

    assert_true(pidfd >= 0);
    assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    (void)close(pidfd);
}

static void assert_stranger(const struct fixture *f)
{
    unsigned fds = count_fds();

    assert_int_equal(colony_adopt_process(&f->record, &f->boot), -ESRCH);
    assert_int_equal(count_fds(), fds);
}

TEST(test_a_process_is_known_by_pid_and_start_time)
{
    struct fixture f;

    fixture_init(&f);
    assert_adopted(&f);
    fixture_clear(&f);
}

TEST(test_another_start_time_is_a_stranger)
{
    struct fixture f;

    fixture_init(&f);
    f.record.start_ticks++;
    assert_stranger(&f);
    fixture_clear(&f);
}

TEST(test_another_boot_or_namespace_is_a_stranger)
{
    struct fixture f;

    fixture_init(&f);
    f.record.boot_id[3] ^= 1;
    assert_stranger(&f);
    f.record.boot_id[3] ^= 1;
    f.record.pid_namespace++;
    assert_stranger(&f);
    f.record.pid_namespace--;
    f.record.pid = 0;
    assert_stranger(&f);
    f.record.pid = -1;
    assert_stranger(&f);
    fixture_clear(&f);
}

TEST(test_one_that_ended_is_gone)
{
    struct fixture f;

    fixture_init(&f);
    (void)kill(f.pid, SIGKILL);
    (void)waitpid(f.pid, NULL, 0);
    assert_stranger(&f);
    fixture_clear(&f);
}

TEST(test_without_a_start_time_it_must_have_begun_when_it_was_claimed)
{
    const uint64_t minute_ns = 60000000000ULL;
    struct fixture f;

    fixture_init(&f);
    f.record.start_ticks = 0; /* its keeper died before it could note it */
    assert_adopted(&f);
    f.record.claimed_boot_ns += minute_ns;
    assert_stranger(&f);
    if (colony_boot_now_ns() > 3 * minute_ns) {
        f.record.claimed_boot_ns -= 2 * minute_ns;
        assert_stranger(&f);
    }
    fixture_clear(&f);
}

TEST(test_without_a_start_time_it_must_look_like_one_of_ours)
{
    char *no_env[] = {NULL};
    struct fixture f;
    pid_t pid;

    fixture_init(&f);
    pid = fork(); /* no session leader, and another program */
    if (pid == 0)
        be_sleep(no_env);
    EVENTUALLY(has_program(pid, "sleep"));
    f.record.pid = pid;
    f.record.start_ticks = 0;
    f.record.claimed_boot_ns = colony_boot_now_ns();
    assert_stranger(&f);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    fixture_clear(&f);
}

TEST(test_a_pipe_is_opened_again_through_its_process_with_all_it_holds)
{
    char text[sizeof secret] = "";
    struct fixture f;
    struct stat info;
    int fd;

    fixture_init(&f);
    assert_int_equal(write(f.ends[1], secret, sizeof secret), sizeof secret);
    close_end(&f, 0);
    close_end(&f, 1); /* its keeper is dead: the process alone holds the pipe */
    fd = colony_adopt_stream(&f.record, 0, &f.pipes);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_ino, f.record.stream_inode[0]);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR); /* no SIGPIPE while nobody reads */
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text), sizeof secret);
    assert_string_equal(text, secret);
    (void)close(fd);
    fixture_clear(&f);
}

TEST(test_a_pipe_that_came_over_an_exec_needs_no_process)
{
    char text[sizeof secret] = "";
    struct fixture f;
    int fd;

    fixture_init(&f);
    assert_int_equal(write(f.ends[1], secret, sizeof secret), sizeof secret);
    f.record.pid = 0; /* it ended: only the pipe of its slot is left */
    assert_int_equal(colony_own_pipes_read(&f.pipes, -1), 0);
    fd = colony_adopt_stream(&f.record, 0, &f.pipes);
    assert_true(fd >= 0);
    colony_own_pipes_clear(&f.pipes); /* closes all pipes we had, ours here too */
    assert_int_equal(fcntl(f.ends[0], F_GETFD), -1);
    f.ends[0] = f.ends[1] = -1;
    assert_int_equal(read(fd, text, sizeof text), sizeof secret);
    assert_string_equal(text, secret);
    (void)close(fd);
    fixture_clear(&f);
}

TEST(test_a_pipe_nobody_holds_is_lost)
{
    unsigned fds;
    struct fixture f;

    fixture_init(&f);
    fds = count_fds();
    f.record.stream_inode[0]++;
    assert_int_equal(colony_adopt_stream(&f.record, 0, &f.pipes), -ENOENT);
    f.record.stream_inode[0]--;
    (void)kill(f.pid, SIGKILL);
    (void)waitpid(f.pid, NULL, 0);
    assert_int_equal(colony_adopt_stream(&f.record, 0, &f.pipes), -ENOENT);
    assert_int_equal(count_fds(), fds);
    fixture_clear(&f);
}

TEST(test_a_socket_is_found_only_if_it_came_over_an_exec)
{
    struct fixture f;
    struct stat info;
    int ends[2];
    int other[2];
    int fd;

    fixture_init(&f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, other), 0);
    assert_true(colony_may_be_stream(ends[0]) && !colony_may_be_stream(other[0]));
    assert_int_equal(fstat(ends[0], &info), 0);
    f.record.custom_count = 2;
    f.record.stream_inode[CUSTOM_STREAM_FIRST + 1] = (uint32_t)info.st_ino;
    assert_int_equal(colony_adopt_stream(&f.record, CUSTOM_STREAM_FIRST + 1, &f.pipes), -ENOENT);
    assert_int_equal(colony_own_pipes_read(&f.pipes, -1), 0);
    f.record.custom_count = 1; /* it is not one of its streams */
    assert_true(colony_adopt_stream(&f.record, CUSTOM_STREAM_FIRST + 1, &f.pipes) < 0);
    f.record.custom_count = 2;
    fd = colony_adopt_stream(&f.record, CUSTOM_STREAM_FIRST + 1, &f.pipes);
    assert_int_equal(fd, ends[0]); /* itself, and once */
    assert_int_equal(colony_adopt_stream(&f.record, CUSTOM_STREAM_FIRST + 1, &f.pipes), -ENOENT);
    colony_own_pipes_clear(&f.pipes); /* closes all else that may be a stream, ours here too */
    f.ends[0] = f.ends[1] = -1;
    assert_int_equal(fcntl(ends[1], F_GETFD), -1);
    assert_int_equal(fcntl(other[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    (void)close(fd);
    (void)close(other[0]);
    (void)close(other[1]);
    fixture_clear(&f);
}

TEST(test_an_input_is_opened_to_be_written)
{
    char *no_env[] = {NULL};
    char text[sizeof secret] = "";
    struct fixture f;
    struct stat info;
    int input[2];
    pid_t pid;
    int fd;

    fixture_init(&f);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(fstat(input[0], &info), 0);
    pid = start(no_env, STDIN_FILENO, input[0]);
    f.record.pid = pid;
    f.record.stream_kind[1] = STREAM_INPUT;
    f.record.stream_inode[1] = (uint32_t)info.st_ino;
    (void)close(input[1]);
    fd = colony_adopt_stream(&f.record, 1, &f.pipes);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    assert_int_equal(write(fd, secret, sizeof secret), sizeof secret);
    assert_int_equal(read(input[0], text, sizeof text), sizeof secret);
    assert_string_equal(text, secret);
    (void)close(fd);
    (void)close(input[0]);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    fixture_clear(&f);
}

struct found {
    struct colony_marked marked;
    int count;
};

static void on_marked(const struct colony_marked *marked, void *data)
{
    struct found *found = data;

    found->marked = *marked;
    found->count++;
}

static struct found find_marked(bool has_instance, const char *mark, pid_t *pid)
{
    char entry[300];
    char *env[] = {entry, NULL};
    struct found found = {0};

    (void)snprintf(entry, sizeof entry, "COLONY_ID=%s%s", has_instance ? instance : "", mark);
    *pid = start(env, -1, -1);
    colony_find_marked(instance, on_marked, &found);
    (void)kill(*pid, SIGKILL);
    (void)waitpid(*pid, NULL, 0);
    return found;
}

TEST(test_a_session_leader_is_found_by_its_mark)
{
    struct found found;
    pid_t pid;

    found = find_marked(true, "/web/3", &pid);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.marked.pid, pid);
    assert_string_equal(found.marked.name, "web");
    assert_int_equal(found.marked.slot, 3);
}

TEST(test_a_mark_that_is_not_ours_is_passed_over)
{
    static const char *const marks[] = {"",       "/web",    "//3", "/web/", "/web/0",
                                        "/web/x", "x/web/3", "/3",  "/web/-"};
    pid_t pid;

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        assert_int_equal(find_marked(true, marks[i], &pid).count, 0);
    assert_int_equal(find_marked(false, "", &pid).count, 0);
    assert_int_equal(find_marked(false, "/web/3", &pid).count, 0);
    assert_int_equal(find_marked(false, "0123456789abcdef/web/3", &pid).count, 0);
}

TEST(test_who_is_our_child_is_told)
{
    struct fixture f;
    int pidfd;

    fixture_init(&f);
    pidfd = pidfd_of(f.pid);
    assert_true(colony_is_our_child(pidfd));
    (void)close(pidfd);
    pidfd = pidfd_of(getppid());
    assert_false(pidfd >= 0 && colony_is_our_child(pidfd));
    if (pidfd >= 0)
        (void)close(pidfd);
    fixture_clear(&f);
}

/* A grandchild that waits for a byte and then exits with 7; its parent reaps it on another. */
static int start_grandchild(int order[2], pid_t *parent)
{
    int told[2];
    pid_t pid = 0;

    assert_int_equal(pipe(order), 0);
    assert_int_equal(pipe(told), 0);
    *parent = fork();
    if (*parent == 0) {
        char byte;

        (void)close(order[1]);
        pid = fork();
        if (pid == 0)
            _exit(read(order[0], &byte, 1) == 1 ? 7 : 8);
        if (write(told[1], &pid, sizeof pid) != (ssize_t)sizeof pid ||
            waitpid(pid, NULL, 0) != pid || read(order[0], &byte, 1) < 0)
            _exit(1);
        _exit(0);
    }
    (void)close(order[0]);
    (void)close(told[1]);
    assert_int_equal(read(told[0], &pid, sizeof pid), sizeof pid);
    (void)close(told[0]);
    return pidfd_of(pid);
}

TEST(test_the_exit_status_of_anothers_child_is_told)
{
    int32_t status = -1;
    int order[2];
    pid_t parent;
    int pidfd = start_grandchild(order, &parent);
    int rc = colony_exit_status(pidfd, &status);

    if (rc == -EAGAIN) { /* it lives */
        assert_int_equal(write(order[1], "x", 1), 1);
        EVENTUALLY((rc = colony_exit_status(pidfd, &status)) != -EAGAIN || rc == -ENOTSUP);
        assert_int_equal(rc, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
    (void)close(order[1]);
    (void)close(pidfd);
    assert_int_equal(wait_for_child(parent), 0);
    if (rc == -ENOTSUP)
        skip_aloud("this kernel has no PIDFD_GET_INFO (Linux 6.15)");
}

TEST(test_the_signal_that_ended_anothers_child_is_told)
{
    int32_t status = -1;
    int order[2];
    pid_t parent;
    int pidfd = start_grandchild(order, &parent);
    int rc;

    assert_int_equal(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR1, NULL, 0), 0);
    EVENTUALLY((rc = colony_exit_status(pidfd, &status)) != -EAGAIN);
    (void)close(order[1]);
    (void)close(pidfd);
    assert_int_equal(wait_for_child(parent), 0);
    if (rc == -ENOTSUP)
        skip_aloud("this kernel has no PIDFD_GET_INFO (Linux 6.15)");
    assert_int_equal(rc, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

/* A child of ours that has ended and is not reaped yet. */
static pid_t make_zombie(int code, int signo)
{
    pid_t pid = fork();
    siginfo_t info;

    if (pid == 0) {
        if (signo)
            (void)raise(signo);
        _exit(code);
    }
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    return pid;
}

TEST(test_the_exit_status_of_who_is_not_reaped_yet_is_told)
{
    pid_t pid = make_zombie(7, 0);
    uint64_t ticks = colony_proc_start_ticks(pid);
    int32_t status = -1;

    assert_int_equal(colony_zombie_status(pid, ticks, &status), 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    assert_int_equal(colony_zombie_status(pid, ticks + 1, &status), -ESRCH);
    (void)wait_for_child(pid);
    assert_int_equal(colony_zombie_status(pid, ticks, &status), -ESRCH);
    pid = make_zombie(0, SIGKILL);
    assert_int_equal(colony_zombie_status(pid, colony_proc_start_ticks(pid), &status), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    (void)wait_for_child(pid);
    assert_int_equal(colony_zombie_status(getpid(), colony_proc_start_ticks(getpid()), &status),
                     -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process_is_known_by_pid_and_start_time),
        cmocka_unit_test(test_another_start_time_is_a_stranger),
        cmocka_unit_test(test_the_exit_status_of_who_is_not_reaped_yet_is_told),
        cmocka_unit_test(test_another_boot_or_namespace_is_a_stranger),
        cmocka_unit_test(test_one_that_ended_is_gone),
        cmocka_unit_test(test_without_a_start_time_it_must_have_begun_when_it_was_claimed),
        cmocka_unit_test(test_without_a_start_time_it_must_look_like_one_of_ours),
        cmocka_unit_test(test_a_pipe_is_opened_again_through_its_process_with_all_it_holds),
        cmocka_unit_test(test_a_pipe_that_came_over_an_exec_needs_no_process),
        cmocka_unit_test(test_a_pipe_nobody_holds_is_lost),
        cmocka_unit_test(test_a_socket_is_found_only_if_it_came_over_an_exec),
        cmocka_unit_test(test_an_input_is_opened_to_be_written),
        cmocka_unit_test(test_a_session_leader_is_found_by_its_mark),
        cmocka_unit_test(test_a_mark_that_is_not_ours_is_passed_over),
        cmocka_unit_test(test_who_is_our_child_is_told),
        cmocka_unit_test(test_the_exit_status_of_anothers_child_is_told),
        cmocka_unit_test(test_the_signal_that_ended_anothers_child_is_told),
    };

    make_instance(instance);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
