/* SPDX-License-Identifier: Apache-2.0 */
#include "core/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

enum {
    MODE_OF_OTHERS = 0027, /* what the group may not, and what others may not */
};

/* Opens it if it is one that only we, root and perhaps its group can read. */
static int open_secret(const char *path, struct stat *info, struct colony_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", path);
    if (fstat(fd, info) < 0) {
        int rc = -errno;

        (void)close(fd);
        return colony_fail_os(err, rc, "cannot open %s", path);
    }
    if (S_ISREG(info->st_mode) && (info->st_uid == 0 || info->st_uid == geteuid()) &&
        !(info->st_mode & MODE_OF_OTHERS))
        return fd;
    (void)close(fd);
    if (!S_ISREG(info->st_mode))
        return colony_fail(err, -EACCES, "cannot use %s: it is no regular file", path);
    if (info->st_mode & MODE_OF_OTHERS)
        return colony_fail(err, -EACCES,
                           "cannot use %s: others can read or change it (chmod 600 makes it safe, "
                           "and what it holds should be replaced)",
                           path);
    return colony_fail(err, -EACCES, "cannot use %s: it belongs to somebody else (chown it to %s)",
                       path, geteuid() == 0 ? "root" : "root or to yourself");
}

static int read_all(int fd, char *text, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        ssize_t got = read(fd, text + *size, capacity - *size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        *size += (size_t)got;
    }
    return -EFBIG;
}

int colony_secret_read(char **text, size_t *size, const char *path, struct colony_error *err)
{
    size_t capacity = COLONY_SECRET_BYTES_MAX + 1;
    struct stat info;
    int fd = open_secret(path, &info, err);
    char *data;
    int rc;

    if (fd < 0)
        return fd;
    data = calloc(1, capacity);
    if (!data) {
        (void)close(fd);
        return colony_fail(err, -ENOMEM, "cannot read %s: out of memory", path);
    }
    rc = read_all(fd, data, capacity, size);
    (void)close(fd);
    if (rc == 0 && memchr(data, '\0', *size)) {
        rc = colony_fail(err, -EINVAL, "cannot read %s: it has a NUL byte", path);
    } else if (rc == -EFBIG) {
        (void)colony_fail(err, rc, "cannot read %s: it is larger than %d KiB", path,
                          COLONY_SECRET_BYTES_MAX / 1024);
    } else if (rc < 0) {
        (void)colony_fail_os(err, rc, "cannot read %s", path);
    }
    if (rc < 0) {
        colony_secret_free(data, capacity);
        return rc;
    }
    *text = data;
    return 0;
}

int colony_secret_check(const char *path, struct colony_error *err)
{
    struct stat info;
    int fd = open_secret(path, &info, err);

    if (fd < 0)
        return fd;
    (void)close(fd);
    return 0;
}

void colony_secret_free(char *text, size_t size)
{
    if (text)
        explicit_bzero(text, size);
    free(text);
}
