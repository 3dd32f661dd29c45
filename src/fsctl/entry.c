/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/entry_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

enum {
    TICK_MS = 100,    /* several steps of any clock that counts parts of seconds */
    COARSE_MS = 2100, /* where whole seconds are counted, or pairs of them */
};

static bool ends_with(const char *name, size_t length, const char *end)
{
    size_t end_length = strlen(end);

    return length > end_length && strcmp(name + length - end_length, end) == 0;
}

uint64_t colony__entry_now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool colony__entry_is_ignored(const char *name)
{
    size_t length = strlen(name);

    return length == 0 || name[0] == '.' || name[length - 1] == '~' ||
           (name[0] == '#' && name[length - 1] == '#') || ends_with(name, length, ".new");
}

void colony__entry_identify(struct colony__identity *out, const struct stat *info)
{
    *out = (struct colony__identity){.device = info->st_dev,
                                     .inode = info->st_ino,
                                     .size = info->st_size,
                                     .mode = info->st_mode,
                                     .modified = info->st_mtim,
                                     .changed = info->st_ctim};
}

static bool is_same_time(const struct timespec *left, const struct timespec *right)
{
    return left->tv_sec == right->tv_sec && left->tv_nsec == right->tv_nsec;
}

bool colony__entry_is_same(const struct colony__identity *left,
                           const struct colony__identity *right)
{
    return left->device == right->device && left->inode == right->inode &&
           left->size == right->size && left->mode == right->mode &&
           is_same_time(&left->modified, &right->modified) &&
           is_same_time(&left->changed, &right->changed);
}

bool colony__entry_is_fresh(const struct colony__identity *identity)
{
    int64_t least_ms = identity->changed.tv_nsec == 0 ? COARSE_MS : TICK_MS;
    struct timespec now = {0};
    int64_t age_ms;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    age_ms = ((int64_t)now.tv_sec - identity->changed.tv_sec) * 1000 +
             (now.tv_nsec - identity->changed.tv_nsec) / 1000000;
    return age_ms < least_ms; /* also of what comes from the future: a clock was set back */
}

static const char *kind_of(mode_t mode)
{
    if (S_ISLNK(mode))
        return "a symbolic link";
    if (S_ISDIR(mode))
        return "a directory";
    if (S_ISFIFO(mode))
        return "a fifo";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

int colony__entry_check(const struct stat *info, const char *path, struct colony_error *err)
{
    if (!S_ISREG(info->st_mode))
        return colony_fail(err, -EINVAL, "cannot use %s: it is %s, and only files are read", path,
                           kind_of(info->st_mode));
    if (geteuid() == 0 && info->st_uid != 0)
        return colony_fail(err, -EINVAL,
                           "cannot use %s: it belongs to uid %u, and colony runs as root (chown it "
                           "to root)",
                           path, (unsigned)info->st_uid);
    if (info->st_size > COLONY__ENTRY_BYTES_MAX)
        return colony_fail(err, -EFBIG, "cannot use %s: it has %lld bytes, and %d are the most",
                           path, (long long)info->st_size, COLONY__ENTRY_BYTES_MAX);
    return 0;
}

/* At most one byte more than a file may have. */
static int read_all(int fd, char *text, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        ssize_t count = read(fd, text + *size, capacity - *size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            return 0;
        *size += (size_t)count;
    }
    return 0;
}

/* What @fd has, if it is as @before says all the time. */
static int read_open(char **text, size_t *size, int fd, const struct stat *before)
{
    size_t capacity = (size_t)before->st_size + 1;
    struct stat after;
    char *data = malloc(capacity + 1);
    int rc = data ? read_all(fd, data, capacity, size) : -ENOMEM;
    struct colony__identity was;
    struct colony__identity is;

    if (rc == 0 && fstat(fd, &after) < 0)
        rc = -errno;
    if (rc == 0) {
        colony__entry_identify(&was, before);
        colony__entry_identify(&is, &after);
        if (*size != (size_t)before->st_size || !colony__entry_is_same(&was, &is))
            rc = -EAGAIN;
    }
    if (rc < 0) {
        free(data);
        return rc;
    }
    data[*size] = '\0';
    *text = data;
    return 0;
}

int colony__entry_read(char **text, size_t *size, const struct colony__entry_place *place,
                       struct colony_error *err)
{
    struct stat info;
    int fd;
    int rc;

    if (fstatat(place->folder, place->name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return colony_fail_os(err, -errno, "cannot look at %s", place->path);
    rc = colony__entry_check(&info, place->path, err);
    if (rc < 0)
        return rc;
    fd = openat(place->folder, place->name,
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", place->path);
    if (fstat(fd, &info) < 0)
        rc = colony_fail_os(err, -errno, "cannot look at %s", place->path);
    if (rc == 0)
        rc = colony__entry_check(&info, place->path, err); /* it may be another one by now */
    if (rc == 0) {
        rc = read_open(text, size, fd, &info);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot read %s", place->path);
    }
    (void)close(fd);
    return rc;
}
