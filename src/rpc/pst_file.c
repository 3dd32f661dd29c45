/* SPDX-License-Identifier: Apache-2.0 */
/* pst_file.c - a text in a file, which is replaced as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "rpc/pst.h"
#include "rpc/pst_internal.h"

static int read_all(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t count = read(fd, text + used, size - used);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            return -EBADMSG; /* somebody made it shorter meanwhile */
        used += (size_t)count;
    }
    text[size] = '\0';
    return 0;
}

static int load(const struct rpc_place *place, char **text, size_t *size, struct colony_error *err)
{
    int fd = open(place->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info = {0};
    char *bytes = NULL;
    int rc = 0;

    *text = NULL;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &info) < 0)
        rc = -errno;
    else if (!S_ISREG(info.st_mode))
        rc = -EINVAL;
    else if (info.st_size > COLONY_RPC_PST_BYTES_MAX)
        rc = -EBADMSG;
    if (rc == 0) {
        bytes = malloc((size_t)info.st_size + 1);
        rc = bytes ? read_all(fd, bytes, (size_t)info.st_size) : -ENOMEM;
    }
    if (fd >= 0)
        (void)close(fd);
    if (rc < 0) {
        free(bytes);
        return colony_fail_os(err, rc, "cannot read the attributes in %s", place->path);
    }
    *text = bytes;
    *size = (size_t)info.st_size;
    return 0;
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, text, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        text += count;
        size -= (size_t)count;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* The name itself is safe only once its folder is. */
static void sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int fd;

    (void)snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

static int save(const struct rpc_place *place, const char *text, size_t size,
                struct colony_error *err)
{
    char fresh[PATH_MAX];
    int fd = -1;
    int rc = 0;

    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", place->path) >= sizeof fresh)
        rc = -ENAMETOOLONG;
    if (rc == 0) {
        (void)unlink(fresh);
        fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        rc = fd < 0 ? -errno : write_all(fd, text, size);
    }
    if (fd >= 0)
        (void)close(fd);
    if (rc == 0 && rename(fresh, place->path) < 0)
        rc = -errno;
    if (rc == 0)
        sync_folder(place->path);
    else if (fd >= 0)
        (void)unlink(fresh);
    return rc < 0 ? colony_fail_os(err, rc, "cannot save the attributes in %s", place->path) : 0;
}

void rpc_place_aside(const char *path, char *out, size_t size)
{
    struct timespec now = {0};
    struct tm parts;
    char stamp[32] = "";

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts))
        (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
    (void)snprintf(out, size, "%s.damaged-%s", path, stamp);
}

static int put_aside(const struct rpc_place *place, struct colony_error *err)
{
    char aside[PATH_MAX];

    rpc_place_aside(place->path, aside, sizeof aside);
    if (rename(place->path, aside) < 0)
        return colony_fail_os(err, -errno, "cannot move the damaged %s aside", place->path);
    (void)colony_fail(err, 0, "the attributes in %s are damaged: begins anew, they are in %s",
                      place->path, aside);
    return 0;
}

const struct rpc_place_kind rpc_place_file = {load, save, put_aside};
