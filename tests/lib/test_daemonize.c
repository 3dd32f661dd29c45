/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>

#include <colony.h>

#include "../scratch.h"

enum {
    TURNS_MAX = 1000000,
};

struct fixture {
    struct scratch scratch;
    char pid_file[128];
    char facts[128];
    unsigned closed; /* bits: which of its standard streams the program has closed */
};

static void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    scratch_init(&f->scratch);
    (void)snprintf(f->pid_file, sizeof f->pid_file, "%s/pid", f->scratch.path);
    (void)snprintf(f->facts, sizeof f->facts, "%s/facts", f->scratch.path);
}

static void fixture_clear(struct fixture *f)
{
    scratch_clear(&f->scratch);
}

static void read_all(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);

    text[got > 0 ? got : 0] = '\0';
    (void)close(fd);
}

/* What the daemon finds itself to be, as far as another process cannot see it. */
static void note_facts(const struct fixture *f)
{
    int fd = open(f->facts, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    char link[64] = "";
    char folder[64] = "";
    ssize_t got = readlink("/proc/self/fd/1", link, sizeof link - 1);

    CHECK(fd >= 0 && got > 0 && getcwd(folder, sizeof folder));
    for (int i = 0; i < TURNS_MAX && getsid(0) == getsid(getppid()); i++)
        (void)sched_yield(); /* the process between is on its way out */
    CHECK(dprintf(fd, "%d %d %s %s", getsid(0) != getpid(), getsid(0) != getsid(getppid()), link,
                  folder) > 0);
    (void)close(fd);
}

/* A process that becomes a daemon: its exit status, 3 where it was told an error of @code. */
static int run_program(const struct fixture *f, unsigned flags, int code,
                       void (*then)(const struct fixture *f))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct colony_error err;
        int rc;

        for (int fd = 0; fd < 3; fd++)
            if (f->closed & 1U << fd)
                (void)close(fd);
        rc = colony_daemonize(*f->pid_file ? f->pid_file : NULL, flags, &err);
        if (rc < 0)
            _exit(rc == code && *err.message ? 3 : 4);
        then(f);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void note_and_wait(const struct fixture *f)
{
    note_facts(f);
    colony_daemonize_ready();
    (void)pause();
}

static void end_at_once(const struct fixture *f)
{
    (void)f;
}

static pid_t daemon_of(const struct fixture *f)
{
    char text[32];

    read_all(f->pid_file, text, sizeof text);
    return (pid_t)strtol(text, NULL, 10);
}

TEST(test_the_caller_ends_when_the_daemon_is_ready)
{
    struct fixture f;
    struct stat info;
    char text[256];
    pid_t pid;

    fixture_init(&f);
    assert_int_equal(run_program(&f, COLONY_DAEMONIZE_WAIT, 0, note_and_wait), 0);
    read_all(f.facts, text, sizeof text);
    assert_string_equal(text, "1 1 /dev/null /");
    assert_int_equal(stat(f.facts, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644); /* by its umask */
    pid = daemon_of(&f);
    assert_true(pid > 1);
    assert_int_equal(run_program(&f, 0, -EEXIST, end_at_once), 3); /* it holds the pid file */
    assert_int_equal(daemon_of(&f), pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    fixture_clear(&f);
}

TEST(test_a_daemon_that_ends_before_it_is_ready_is_told_to_the_caller)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(run_program(&f, COLONY_DAEMONIZE_WAIT, -ECHILD, end_at_once), 3);
    assert_int_equal(run_program(&f, 0, 0, end_at_once), 0); /* nobody holds the file */
    fixture_clear(&f);
}

TEST(test_a_pid_file_that_cannot_be_written_is_told_to_the_caller)
{
    struct fixture f;

    fixture_init(&f);
    (void)snprintf(f.pid_file, sizeof f.pid_file, "%s/nope/pid", f.scratch.path);
    assert_int_equal(run_program(&f, 0, -ENOENT, end_at_once), 3);
    fixture_clear(&f);
}

/* "PID" and what is at 0, 1 and 2, as children would have it. */
static void note_streams_and_wait(const struct fixture *f)
{
    char note[256];
    int used = snprintf(note, sizeof note, "%d", (int)getpid());
    int file;

    for (int fd = 0; fd < 3; fd++) {
        char name[32];
        char link[64] = "";

        (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        CHECK(readlink(name, link, sizeof link - 1) > 0 && fcntl(fd, F_GETFD) == 0);
        used += snprintf(note + used, sizeof note - (size_t)used, " %s", link);
    }
    file = open(f->facts, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    CHECK(file > 2 && write(file, note, (size_t)used) == used);
    (void)close(file);
    colony_daemonize_ready();
    (void)pause();
}

/* The one process that runs then: its pid. */
static pid_t run_with_closed(const struct fixture *f)
{
    char text[256];
    char *end = NULL;
    pid_t pid;

    assert_int_equal(run_program(f, COLONY_DAEMONIZE_WAIT, 0, note_streams_and_wait), 0);
    read_all(f->facts, text, sizeof text);
    pid = (pid_t)strtol(text, &end, 10);
    assert_true(pid > 1);
    assert_string_equal(end, " /dev/null /dev/null /dev/null");
    return pid;
}

static void wait_until_free(const char *pid_file)
{
    int fd = open(pid_file, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    (void)close(fd);
}

TEST(test_a_program_may_have_closed_its_standard_streams)
{
    struct fixture f;
    pid_t pid;

    fixture_init(&f);
    for (f.closed = 0; f.closed < 8; f.closed++) {
        pid = run_with_closed(&f);
        assert_int_equal(daemon_of(&f), pid);
        assert_int_equal(run_program(&f, 0, -EEXIST, end_at_once), 3); /* it holds the pid file */
        assert_int_equal(kill(pid, SIGKILL), 0);
        wait_until_free(f.pid_file);
    }
    f.pid_file[0] = '\0';
    for (f.closed = 0; f.closed < 8; f.closed++)
        assert_int_equal(kill(run_with_closed(&f), SIGKILL), 0);
    fixture_clear(&f);
}

static void *wait_for_end(void *data)
{
    (void)pthread_mutex_lock(data);
    (void)pthread_mutex_unlock(data);
    return NULL;
}

TEST(test_flags_that_are_none_are_refused)
{
    struct colony_error err;

    assert_int_equal(colony_daemonize(NULL, COLONY_DAEMONIZE_WAIT | 2, &err), -EINVAL);
    assert_non_null(strstr(err.message, "no such flags"));
}

TEST(test_a_program_with_threads_is_refused)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct colony_error err;
    pthread_t thread;

    (void)pthread_mutex_lock(&gate);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &gate), 0);
    assert_int_equal(colony_daemonize(NULL, 0, &err), -EBUSY);
    (void)pthread_mutex_unlock(&gate);
    (void)pthread_join(thread, NULL);
    colony_daemonize_ready(); /* nobody waits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_caller_ends_when_the_daemon_is_ready),
        cmocka_unit_test(test_a_daemon_that_ends_before_it_is_ready_is_told_to_the_caller),
        cmocka_unit_test(test_a_pid_file_that_cannot_be_written_is_told_to_the_caller),
        cmocka_unit_test(test_a_program_may_have_closed_its_standard_streams),
        cmocka_unit_test(test_flags_that_are_none_are_refused),
        cmocka_unit_test(test_a_program_with_threads_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
