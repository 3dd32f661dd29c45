/* SPDX-License-Identifier: Apache-2.0 */
/* workspace_file.c - reads and replaces the files of a workspace. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "session/workspace_internal.h"

enum {
    FILE_BYTES_MAX = 16 << 20,
    FIRST_READ = 4096,
};

/* A FIFO, a link or a file that somebody else put there is none of ours. */
static int check_file(int fd, size_t *size)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode) || info.st_uid != geteuid())
        return -EPERM;
    if (info.st_size > FILE_BYTES_MAX)
        return -EFBIG;
    if (info.st_mode & (S_IRWXG | S_IRWXO))
        (void)fchmod(fd, 0600); /* there may be passwords in it, whoever's editor made it */
    *size = (size_t)info.st_size;
    return 0;
}

/* It may grow while it is read: that much is read then. */
static int read_all(int fd, char **text, size_t *size)
{
    size_t capacity = 0;
    size_t used = 0;
    char *data;
    int rc = check_file(fd, &capacity);

    if (rc < 0)
        return rc;
    capacity += FIRST_READ;
    data = malloc(capacity + 1);
    if (!data)
        return -ENOMEM;
    while (used < capacity) {
        ssize_t count = read(fd, data + used, capacity - used);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            rc = -errno;
            free(data);
            return rc;
        }
        if (count == 0)
            break;
        used += (size_t)count;
    }
    data[used] = '\0';
    *text = data;
    *size = used;
    return 0;
}

int colony__workspace_read(struct colony_workspace *workspace, const char *path, char **text,
                           size_t *size, struct colony_error *err)
{
    int fd = openat(workspace->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int rc;

    if (fd < 0 && errno == ELOOP)
        return colony_fail(err, -ELOOP,
                           "cannot use %s/%s: it is a link, and links are not followed (put the "
                           "file itself there)",
                           workspace->path, path);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s/%s", workspace->path, path);
    rc = read_all(fd, text, size);
    (void)close(fd);
    if (rc == -EPERM)
        return colony_fail(err, rc, "cannot use %s/%s: it is no file of yours", workspace->path,
                           path);
    if (rc == -EFBIG)
        return colony_fail(err, rc, "cannot read %s/%s: it is larger than 16 MiB", workspace->path,
                           path);
    return rc < 0 ? colony_fail_os(err, rc, "cannot read %s/%s", workspace->path, path) : 0;
}

static int write_all(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t count = write(fd, text, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        text += count;
        size -= (size_t)count;
    }
    return 0;
}

/* One that a command left when it was killed is in nobody's way: whoever writes has the lock. */
static int write_beside(struct colony_workspace *workspace, const char *fresh, const char *text,
                        mode_t mode, bool lasts)
{
    int fd;
    int rc;

    (void)unlinkat(workspace->fd, fresh, 0);
    fd = openat(workspace->fd, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, text);
    if (rc == 0 && lasts && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

static int make_fresh_name(char fresh[WORKSPACE_PATH_MAX], const char *path)
{
    int length = snprintf(fresh, WORKSPACE_PATH_MAX, "%s" WORKSPACE_FRESH, path);

    return length < 0 || length >= WORKSPACE_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int replace(struct colony_workspace *workspace, const char *path, const char *text,
                   bool lasts, struct colony_error *err)
{
    char fresh[WORKSPACE_PATH_MAX];
    int rc = make_fresh_name(fresh, path);

    if (rc == 0)
        rc = write_beside(workspace, fresh, text, 0600, lasts);
    if (rc == 0 && renameat(workspace->fd, fresh, workspace->fd, path) < 0)
        rc = -errno;
    if (rc == 0)
        return 0;
    if (rc != -ENAMETOOLONG)
        (void)unlinkat(workspace->fd, fresh, 0);
    return colony_fail_os(err, rc, "cannot write %s/%s", workspace->path, path);
}

int colony__workspace_write(struct colony_workspace *workspace, const char *path, const char *text,
                            struct colony_error *err)
{
    return replace(workspace, path, text, true, err);
}

int colony__workspace_write_quickly(struct colony_workspace *workspace, const char *path,
                                    const char *text, struct colony_error *err)
{
    return replace(workspace, path, text, false, err);
}

int colony_workspace_add_file(struct colony_workspace *workspace, const char *path,
                              const char *text, bool is_program, struct colony_error *err)
{
    char fresh[WORKSPACE_PATH_MAX];
    int rc = make_fresh_name(fresh, path);

    if (rc == 0 && faccessat(workspace->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (rc == 0)
        rc = write_beside(workspace, fresh, text, is_program ? 0700 : 0600, true);
    if (rc == 0 && linkat(workspace->fd, fresh, workspace->fd, path, 0) < 0)
        rc = errno == EEXIST ? 0 : -errno;
    else if (rc == 0)
        rc = 1;
    if (rc != -ENAMETOOLONG)
        (void)unlinkat(workspace->fd, fresh, 0);
    return rc < 0 ? colony_fail_os(err, rc, "cannot write %s/%s", workspace->path, path) : rc;
}

int colony__workspace_unlink(struct colony_workspace *workspace, const char *path,
                             struct colony_error *err)
{
    if (unlinkat(workspace->fd, path, 0) == 0 || errno == ENOENT)
        return 0;
    return colony_fail_os(err, -errno, "cannot remove %s/%s", workspace->path, path);
}

int colony__workspace_sync(struct colony_workspace *workspace, const char *folder,
                           struct colony_error *err)
{
    int fd = openat(workspace->fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

    if (fd >= 0)
        (void)close(fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot settle %s/%s", workspace->path, folder) : 0;
}
