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

char *session_held_read(const struct colony_workspace *workspace)
{
    char path[PATH_MAX];
    struct stat info;
    ssize_t size = 0;
    char *held;
    int fd;

    place(path, workspace, "");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return strdup("");
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > HELD_MAX)
        info.st_size = 0;
    held = calloc(1, (size_t)info.st_size + 1);
    if (held)
        size = read(fd, held, (size_t)info.st_size);
    if (held && size < 0)
        held[0] = '\0';
    (void)close(fd);
    return held;
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
