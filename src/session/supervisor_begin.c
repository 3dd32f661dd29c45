/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor_begin.c - the supervisor of a session begins, in the background. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "session/supervisor.h"
#include "session/workspace.h"

#define DOING "cannot begin to supervise the session"

/* The kind of failure that an exit code of `colony serve` stands for. */
static int code_of(int exit_code)
{
    switch (exit_code) {
    case EXIT_CONFLICT:
        return -EBUSY;
    case EXIT_NOT_ALLOWED:
        return -EACCES;
    case EXIT_BAD_CONFIG:
        return -EILSEQ;
    case EXIT_USAGE:
        return -EINVAL;
    default:
        return -EIO;
    }
}

/* The last line that it wrote says why; what begins it is whose line it is. */
static int fail_begin(int exit_code, int told_fd, struct colony_error *err)
{
    static const char prefix[] = "colony serve: ";
    char text[COLONY_ERROR_TEXT_MAX] = "";
    off_t size = lseek(told_fd, 0, SEEK_END);
    off_t from = size < (off_t)sizeof text ? 0 : size - (off_t)sizeof text + 1;
    ssize_t count = pread(told_fd, text, sizeof text - 1, from);
    char *line;

    while (count > 0 && text[count - 1] == '\n')
        text[--count] = '\0';
    if (count <= 0)
        return colony_fail(err, code_of(exit_code), DOING ": its program ended with the code %d",
                           exit_code);
    line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
    if (strncmp(line, prefix, strlen(prefix)) == 0)
        line += strlen(prefix);
    return colony_fail(err, code_of(exit_code), "%s", line);
}

/* Where somebody else reaps all children of this program the lock tells, soon. */
static int wait_begun(pid_t pid, const struct colony_workspace *workspace, int told_fd,
                      struct colony_error *err)
{
    int status = 0;
    pid_t ended;

    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended < 0)
        status = colony_supervisor_pid(workspace) > 0 ? 0 : EXIT_FAILED << 8;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK)
        return 0;
    return fail_begin(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED, told_fd, err);
}

/* Nothing of ours is its: descriptors, blocked and ignored signals. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int told_fd)
{
    const short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none;
    sigset_t usual;
    int rc;

    (void)sigemptyset(&none);
    (void)sigemptyset(&usual);
    (void)sigaddset(&usual, SIGCHLD);
    (void)sigaddset(&usual, SIGPIPE);
    rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, told_fd, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &usual);
    return rc == 0 ? posix_spawnattr_setflags(attributes, flags) : rc;
}

static int spawn(pid_t *pid, const struct colony_workspace *workspace, const char *program,
                 int told_fd)
{
    char *const argv[] = {(char *)"colony",    (char *)"serve",
                          (char *)"--session", (char *)colony_workspace_path(workspace),
                          (char *)"--daemon",  NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return -rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = prepare(&actions, &attributes, told_fd);
        if (rc == 0)
            rc = posix_spawnp(pid, program, &actions, &attributes, argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

int colony_supervisor_begin(const struct colony_workspace *workspace, const char *program,
                            struct colony_error *err)
{
    int told_fd = memfd_create("colony-serve", MFD_CLOEXEC);
    pid_t pid = 0;
    int rc;

    if (told_fd < 0)
        return colony_fail_os(err, -errno, DOING);
    rc = spawn(&pid, workspace, program, told_fd);
    if (rc == 0)
        rc = wait_begun(pid, workspace, told_fd, err);
    else
        (void)colony_fail_os(err, rc, DOING ": %s", program);
    (void)close(told_fd);
    return rc;
}
