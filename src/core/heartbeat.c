/* SPDX-License-Identifier: Apache-2.0 */
#include "core/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

static const char *what_it_is(mode_t mode)
{
    if (S_ISLNK(mode))
        return "a symlink";
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

static int fail_kind(const char *path, mode_t mode, struct colony_error *err)
{
    return colony_fail(err, S_ISDIR(mode) ? -EISDIR : -EINVAL,
                       "cannot use %s as a heart: it is %s, and must be a file", path,
                       what_it_is(mode));
}

/*
 * The file that is meant, into @file, and what is there; *st is all zero when nothing is. A folder
 * may be reached by a symlink, the file in it may not be one.
 */
static int find(char file[PATH_MAX], const char *path, const char *name, struct stat *st,
                struct colony_error *err)
{
    int used = snprintf(file, PATH_MAX, "%s", path);

    memset(st, 0, sizeof *st);
    if (name && stat(path, st) == 0 && S_ISDIR(st->st_mode))
        used = snprintf(file, PATH_MAX, "%s/%s", path, name);
    if (used >= PATH_MAX)
        return colony_fail(err, -ENAMETOOLONG, "cannot use %.200s… as a heart: it is too long",
                           path);
    if (lstat(file, st) == 0)
        return S_ISREG(st->st_mode) ? 0 : fail_kind(file, st->st_mode, err);
    memset(st, 0, sizeof *st);
    return errno == ENOENT ? 0 : colony_fail_os(err, -errno, "cannot look at %s", file);
}

int colony_heartbeat_touch(const char *path, const char *name, struct colony_error *err)
{
    char file[PATH_MAX];
    struct stat st;
    int rc = find(file, path, name, &st, err);
    int fd;

    if (rc < 0)
        return rc;
    /* Without O_NONBLOCK a pipe that was put there meanwhile would hold us up. */
    fd = open(file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot touch %s", file);
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        rc = fail_kind(file, st.st_mode, err);
    else if (futimens(fd, NULL) < 0)
        rc = colony_fail_os(err, -errno, "cannot touch %s", file);
    (void)close(fd);
    return rc;
}

int colony_heartbeat_look(const char *path, const char *name, int64_t *at_ms,
                          struct colony_error *err)
{
    char file[PATH_MAX];
    struct stat st;
    int rc = find(file, path, name, &st, err);

    if (rc < 0)
        return rc;
    if (st.st_mode == 0)
        return colony_fail(err, -ENOENT, "%s is not there", file);
    *at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return 0;
}

/* When it beat, as the clock that nobody sets has it; it was seen at @now_ms for the first time. */
static uint64_t place_beat(const struct colony_heartbeat *heart, int64_t at_ms, int64_t wall_ms,
                           uint64_t now_ms)
{
    uint64_t age_ms = at_ms < wall_ms ? (uint64_t)(wall_ms - at_ms) : 0;
    uint64_t beat_ms = age_ms < now_ms ? now_ms - age_ms : 0;

    if (heart->has_looked && beat_ms < heart->looked_ms)
        return heart->looked_ms; /* it came after that, whatever the wall clock says */
    return beat_ms;
}

uint64_t colony_heartbeat_age(struct colony_heartbeat *heart, int64_t at_ms, int64_t wall_ms,
                              uint64_t now_ms)
{
    if (at_ms != heart->at_ms || !heart->has_looked)
        heart->beat_ms = place_beat(heart, at_ms, wall_ms, now_ms);
    heart->at_ms = at_ms;
    heart->looked_ms = now_ms;
    heart->has_looked = true;
    return at_ms == 0 ? UINT64_MAX : now_ms - heart->beat_ms;
}
