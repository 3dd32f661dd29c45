/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemonize.c - a program goes on without its terminal, in a process of its own.
 *
 * Two forks: the first leaves the process group, so that there may be a session, whose leader the
 * second is not, so that no terminal becomes its own again. The one that calls waits for word of
 * the last one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <colony.h>

#include "core/error.h"
#include "lib/fds_internal.h"

static const char what[] = "cannot become a daemon";

static _Atomic int ready_fd = -1; /* to the process that waits; -1: none does */

/* A folder has two links more than folders in it. */
static bool has_threads(void)
{
    struct stat info;

    return stat("/proc/self/task", &info) == 0 && info.st_nlink > 3;
}

static int fail_held(int fd, const char *path, struct colony_error *err)
{
    char pid[32] = "";

    if (read(fd, pid, sizeof pid - 1) < 0)
        pid[0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return colony_fail(err, -EEXIST, "%s: %.200s is held by process %s", what, path,
                       *pid ? pid : "(unknown)");
}

/* None of ours may be where the standard streams will be, which the program may have closed. */
static int open_lifted(int *out, const char *path, int flags)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0644);
    int rc = fd < 0 ? -errno : colony__fd_lift(&fd);

    if (rc == 0)
        *out = fd;
    else if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int open_pair(int pair[2])
{
    int rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    rc = colony__fd_lift(&pair[0]);
    if (rc == 0)
        rc = colony__fd_lift(&pair[1]);
    if (rc == 0)
        return 0;
    (void)close(pair[0]);
    (void)close(pair[1]);
    return rc;
}

/* Held as long as a process has it open. *out -1: no file is wanted. */
static int open_pid_file(int *out, const char *path, struct colony_error *err)
{
    int fd = -1;
    int rc;

    *out = -1;
    if (!path)
        return 0;
    rc = open_lifted(&fd, path, O_CREAT | O_NOFOLLOW);
    if (rc < 0)
        return colony_fail_os(err, rc, "%s: cannot write %.200s", what, path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *out = fd;
        return 0;
    }
    rc = errno == EWOULDBLOCK ? fail_held(fd, path, err)
                              : colony_fail_os(err, -errno, "%s: cannot lock %.200s", what, path);
    (void)close(fd);
    return rc;
}

/* Who waits may have gone, which is nobody's trouble. */
static void tell(int fd, const struct colony_error *word)
{
    ssize_t sent = send(fd, word, sizeof *word, MSG_NOSIGNAL);

    (void)sent;
    (void)close(fd);
}

static int write_pid(int fd, struct colony_error *err)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%d\n", (int)getpid());

    if (fd < 0)
        return 0;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)size, 0) != size)
        return colony_fail_os(err, errno ? -errno : -EIO, "%s: cannot write the pid file", what);
    return 0;
}

static int leave_terminal(struct colony_error *err)
{
    int fd = -1;
    int rc = open_lifted(&fd, "/dev/null", 0);

    (void)umask(022);
    if (rc < 0)
        return colony_fail_os(err, rc, "%s", what);
    if (chdir("/") < 0)
        return colony_fail_os(err, -errno, "%s", what);
    for (int i = 0; i <= STDERR_FILENO; i++)
        if (dup2(fd, i) < 0)
            return colony_fail_os(err, -errno, "%s", what);
    (void)close(fd);
    return 0;
}

/* In the last process: the program's from now on, unless it ends here. */
static void become_daemon(int pid_fd, int fd, unsigned flags)
{
    struct colony_error word = {0};

    if (leave_terminal(&word) < 0 || write_pid(pid_fd, &word) < 0) {
        tell(fd, &word);
        _exit(1);
    }
    if (flags & COLONY_DAEMONIZE_WAIT)
        ready_fd = fd;
    else
        tell(fd, &word);
}

/* In the process between. Returns in the last one. */
static void fork_again(int fd)
{
    struct colony_error word;
    pid_t pid;

    (void)setsid(); /* it leads no group, so this cannot fail */
    pid = fork();
    if (pid == 0)
        return;
    if (pid < 0) {
        (void)colony_fail_os(&word, -errno, "%s: cannot fork", what);
        tell(fd, &word);
    }
    _exit(0);
}

/* In the first process, which has done what it was for when all is well. */
static int wait_for_word(pid_t pid, int fd, struct colony_error *err)
{
    struct colony_error word;
    ssize_t got;

    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    do
        got = recv(fd, &word, sizeof word, MSG_WAITALL);
    while (got < 0 && errno == EINTR);
    (void)close(fd);
    if (got != (ssize_t)sizeof word)
        return colony_fail(err, -ECHILD, "%s: it ended before it was ready", what);
    if (word.code < 0)
        return colony_fail(err, word.code, "%s", word.message);
    _exit(0);
}

static int fork_daemon(int pid_fd, unsigned flags, struct colony_error *err)
{
    int pair[2];
    pid_t pid;
    int rc = open_pair(pair);

    if (rc < 0)
        return colony_fail_os(err, rc, "%s", what);
    (void)fflush(NULL); /* what is buffered would be written by nobody, or twice */
    pid = fork();
    rc = -errno;
    if (pid == 0) {
        (void)close(pair[0]);
        fork_again(pair[1]);
        become_daemon(pid_fd, pair[1], flags);
        return 0;
    }
    (void)close(pair[1]);
    if (pid > 0)
        return wait_for_word(pid, pair[0], err);
    (void)close(pair[0]);
    return colony_fail_os(err, rc, "%s: cannot fork", what);
}

int colony_daemonize(const char *pid_file, unsigned flags, struct colony_error *err)
{
    int pid_fd;
    int rc;

    if (flags & ~(unsigned)COLONY_DAEMONIZE_WAIT)
        return colony_fail(err, -EINVAL, "%s: there are no such flags", what);
    if (has_threads())
        return colony_fail(err, -EBUSY, "%s: the program has threads already", what);
    rc = open_pid_file(&pid_fd, pid_file, err);
    if (rc < 0)
        return rc;
    rc = fork_daemon(pid_fd, flags, err);
    if (rc < 0 && pid_fd >= 0)
        (void)close(pid_fd);
    return rc;
}

void colony_daemonize_ready(void)
{
    static const struct colony_error well = {0};
    int fd = atomic_exchange(&ready_fd, -1);

    if (fd >= 0)
        tell(fd, &well);
}
