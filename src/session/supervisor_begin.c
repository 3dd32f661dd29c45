/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor_begin.c - the supervisor of a session begins, in the background. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/orphan.h"
#include "session/launch_internal.h"
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

/* With nothing of ours: no descriptors, no blocked and ignored signals. */
static int run(const struct colony_workspace *workspace, const char *program, int told_fd,
               int *status)
{
    char *const argv[] = {(char *)"colony",    (char *)"serve",
                          (char *)"--session", (char *)colony_workspace_path(workspace),
                          (char *)"--daemon",  NULL};
    struct colony_orphan orphan = {.argv = argv, .envp = environ, .status = status};
    char *path = colony__launch_find_program(program, environ);
    int null_fd;
    int rc;

    if (!path)
        return -errno;
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    orphan.program = path;
    orphan.stdio[0] = orphan.stdio[1] = null_fd;
    orphan.stdio[2] = told_fd;
    rc = null_fd < 0 ? -errno : colony_orphan_start(&orphan);
    if (null_fd >= 0)
        (void)close(null_fd);
    free(path);
    return rc;
}

int colony_supervisor_begin(const struct colony_workspace *workspace, const char *program,
                            struct colony_error *err)
{
    int told_fd = memfd_create("colony-serve", MFD_CLOEXEC);
    int status = 0;
    int rc;

    if (told_fd < 0)
        return colony_fail_os(err, -errno, DOING);
    rc = run(workspace, program, told_fd, &status);
    if (rc < 0)
        (void)colony_fail_os(err, rc, DOING ": %s", program);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_OK)
        rc = fail_begin(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED, told_fd, err);
    else if (colony_supervisor_pid(workspace) == 0)
        rc = colony_fail(err, -EIO, DOING ": %s has ended and left none (is it no colony?)",
                         program);
    (void)close(told_fd);
    return rc;
}
