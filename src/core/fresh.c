/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WRITERS_MAX = 1000, /* at once, of one file */
};

/* A name that is looked at cannot change while its file is locked: only its writer renames it. */
static void remove_abandoned(int folder, const char *fresh)
{
    struct stat locked;
    struct stat named;
    int fd = openat(folder, fresh, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &locked) == 0 && S_ISREG(locked.st_mode) &&
        fstatat(folder, fresh, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == locked.st_dev &&
        named.st_ino == locked.st_ino)
        (void)unlinkat(folder, fresh, 0);
    (void)close(fd);
}

/* Another writer may have come between its making and its lock. Where there are no locks nobody
 * removes anything. */
static bool is_ours(int fd)
{
    struct stat info;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

static int make(int folder, const char *fresh, mode_t mode)
{
    int fd = openat(folder, fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

    if (fd < 0)
        return -errno;
    if (is_ours(fd))
        return fd;
    (void)close(fd);
    return -EEXIST;
}

int colony_fresh_open(int folder, const char *name, mode_t mode, char *fresh, size_t size)
{
    int rc = -EEXIST;

    for (unsigned i = 0; rc == -EEXIST && i < WRITERS_MAX; i++) {
        int length = snprintf(fresh, size, "%s.colony-%u.new", name, i);

        if (length < 0 || (size_t)length >= size)
            return -ENAMETOOLONG;
        rc = make(folder, fresh, mode);
        if (rc != -EEXIST)
            break;
        remove_abandoned(folder, fresh);
        rc = make(folder, fresh, mode);
    }
    return rc;
}
