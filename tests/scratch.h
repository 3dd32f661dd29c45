/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.h - what tests of files and processes share: a folder of their own, deadlines, children.
 *
 * cmocka's asserts jump, so a forked child uses CHECK, which ends it instead.
 */
#ifndef COLONY_TESTS_SCRATCH_H
#define COLONY_TESTS_SCRATCH_H

#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 20000, /* for what happens in milliseconds, on a machine that is very busy */
    CHILD_SKIPPED = 77,
    NOBODY = 65534,
};

struct scratch {
    char path[64];
    int fd;
};

static inline void scratch_init(struct scratch *scratch)
{
    (void)snprintf(scratch->path, sizeof scratch->path, "/tmp/colony-test-XXXXXX");
    assert_non_null(mkdtemp(scratch->path));
    scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scratch->fd >= 0);
}

static inline int scratch_remove_one(const char *path, const struct stat *info, int kind,
                                     struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static inline void scratch_clear(struct scratch *scratch)
{
    (void)close(scratch->fd);
    (void)chmod(scratch->path, 0700);
    (void)nftw(scratch->path, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline void skip_aloud(const char *why)
{
    print_message("           skipped: %s\n", why);
    skip();
}

static inline uint64_t clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        uint64_t until_ms = clock_ms() + DEADLINE_MS;                                              \
                                                                                                   \
        while (!(condition)) {                                                                     \
            if (clock_ms() > until_ms)                                                             \
                fail_msg("`%s` did not come true in time", #condition);                            \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: in a child: `%s` is not so\n", __FILE__, __LINE__,       \
                          #condition);                                                             \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

#define CHECK_SOON(condition)                                                                      \
    do {                                                                                           \
        uint64_t until_ms = clock_ms() + DEADLINE_MS;                                              \
                                                                                                   \
        while (!(condition)) {                                                                     \
            CHECK(clock_ms() < until_ms && #condition);                                            \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

static inline int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Waits for our child @pid, killing it at the deadline; returns its wait status. */
static inline int wait_for_child(pid_t pid)
{
    struct pollfd ended = {.fd = pidfd_of(pid), .events = POLLIN};
    int status = -1;

    assert_true(ended.fd >= 0);
    if (poll(&ended, 1, 3 * DEADLINE_MS) != 1) /* its own deadlines say more */
        (void)kill(pid, SIGKILL);
    (void)close(ended.fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Runs @body in a forked child; what it says by CHECK or CHILD_SKIPPED is the test's result. */
static inline void run_forked(void (*body)(void *data), void *data)
{
    int status;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int signo = 1; signo < NSIG; signo++) /* cmocka's would go on with the next test */
            (void)signal(signo, SIG_DFL);
        body(data);
        _exit(0);
    }
    status = wait_for_child(pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPPED)
        skip();
    if (status != 0)
        fail_msg("the child ended with wait status %#x", (unsigned)status);
}

/* A test that is a forked child of its own. */
#define FORKED_TEST(name)                                                                          \
    static void name##_in_child(void *data __attribute__((unused)));                               \
    TEST(name)                                                                                     \
    {                                                                                              \
        run_forked(name##_in_child, NULL);                                                         \
    }                                                                                              \
    static void name##_in_child(void *data __attribute__((unused)))

/* A test in a forked child with a folder of its own, as @data, which is removed after it. */
#define FOLDER_TEST(name)                                                                          \
    static void name##_in_child(void *data);                                                       \
    TEST(name)                                                                                     \
    {                                                                                              \
        struct scratch scratch;                                                                    \
                                                                                                   \
        scratch_init(&scratch);                                                                    \
        run_forked(name##_in_child, scratch.path);                                                 \
        scratch_clear(&scratch);                                                                   \
    }                                                                                              \
    static void name##_in_child(void *data)

/* Becomes a user without rights, if it has any to lose. */
static inline void drop_rights(void)
{
    if (geteuid() != 0)
        return;
    CHECK(syscall(SYS_setgroups, 0, NULL) == 0);
    CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
    CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* The same in a forked child. */
static inline void skip_in_child(const char *why)
{
    (void)printf("           skipped: %s\n", why);
    (void)fflush(stdout);
    _exit(CHILD_SKIPPED);
}

/* An instance of colony's like no other: tests may run side by side. */
static inline void make_instance(char out[17])
{
    (void)snprintf(out, 17, "%08x%08x", (unsigned)getpid(), (unsigned)clock_ms());
}

static inline unsigned count_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

#endif
