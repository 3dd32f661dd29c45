/* SPDX-License-Identifier: Apache-2.0 */
#include "session/held_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "session/workspace.h"

enum {
    HELD_MAX = 1 << 20, /* bytes of the file */
};

static void place(char path[PATH_MAX], const struct colony_workspace *workspace, const char *ending)
{
    (void)snprintf(path, PATH_MAX, "%.4000s/held%s", colony_workspace_state_dir(workspace), ending);
}

static int read_all(char **out, int fd)
{
    struct stat info;
    char *held;

    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > HELD_MAX)
        info.st_size = 0;
    held = calloc(1, (size_t)info.st_size + 1);
    if (!held)
        return -ENOMEM;
    if (read(fd, held, (size_t)info.st_size) < 0) {
        int rc = -errno;

        free(held);
        return rc;
    }
    *out = held;
    return 0;
}

int session_held_read(char **out, const struct colony_workspace *workspace,
                      struct colony_error *err)
{
    char path[PATH_MAX];
    int fd;
    int rc;

    place(path, workspace, "");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    rc = fd < 0 ? -errno : read_all(out, fd);
    if (fd >= 0)
        (void)close(fd);
    if (rc < 0 && rc != -EIO && !colony_is_shortage(rc)) { /* no such file, or none of ours */
        *out = strdup("");
        rc = *out ? 0 : -ENOMEM;
    }
    return rc < 0 ? colony_fail_os(err, rc, "cannot read who was stopped in %s", path) : 0;
}

bool session_held_has(const char *held, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = held; line && *line != '\0';) {
        size_t size = strcspn(line, "\n");

        if (size == length && memcmp(line, name, length) == 0)
            return true;
        line += size;
        line += *line == '\n';
    }
    return false;
}

int session_held_write(const struct colony_workspace *workspace, const char *held,
                       struct colony_error *err)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    size_t size = strlen(held);
    bool is_whole;
    int fd;

    place(path, workspace, "");
    place(fresh, workspace, ".new");
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot note who was stopped in %s", path);
    is_whole = write(fd, held, size) == (ssize_t)size && fsync(fd) == 0;
    is_whole = close(fd) == 0 && is_whole;
    if (!is_whole || rename(fresh, path) < 0)
        return colony_fail_os(err, errno ? -errno : -EIO, "cannot note who was stopped in %s",
                              path);
    return 0;
}
