/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - where the directories are, and where the state of a colony on them is. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/settings.h"
#include "fsctl/files.h"

int colony_files_require(const char *path, const char *what, bool create, struct colony_error *err)
{
    struct stat info;

    if (create && mkdir(path, 0700) < 0 && errno != EEXIST)
        return colony_fail_os(err, -errno, "cannot make the directory of %s %s", what, path);
    if (stat(path, &info) < 0 && errno == ENOENT)
        return colony_fail(err, -ENOENT,
                           "cannot use the directory of %s %s: there is none (make it, or say "
                           "--create)",
                           what, path);
    if (stat(path, &info) < 0)
        return colony_fail_os(err, -errno, "cannot use the directory of %s %s", what, path);
    if (!S_ISDIR(info.st_mode))
        return colony_fail(err, -ENOTDIR, "cannot use the directory of %s %s: it is no directory",
                           what, path);
    return 0;
}

static int prepare(char **path, const char *what, bool create, struct colony_error *err)
{
    char *real;
    int rc = *path ? colony_files_require(*path, what, create, err) : 0;

    if (rc < 0 || !*path)
        return rc;
    real = realpath(*path, NULL);
    if (!real)
        return colony_fail_os(err, -errno, "cannot use the directory of %s %s", what, *path);
    free(*path);
    *path = real;
    return 0;
}

int colony_files_prepare(struct colony_files_settings *files, bool create, struct colony_error *err)
{
    int rc = prepare(&files->config, "processes", create, err);

    if (rc == 0)
        rc = prepare(&files->messages, "messages", create, err);
    return rc < 0 ? rc : prepare(&files->pid, "pid files", create, err);
}

static uint64_t hash(const char *text)
{
    uint64_t sum = 0xcbf29ce484222325U; /* FNV-1a */

    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * 0x100000001b3U;
    return sum;
}

int colony_files_state_dir(char *path, size_t size, const char *config, struct colony_error *err)
{
    char *real = realpath(config, NULL);
    char folder[PATH_MAX];
    int length;
    int rc;

    if (!real)
        return colony_fail_os(err, -errno, "cannot use the directory of processes %s", config);
    rc = colony_default_state_dir(folder, sizeof folder);
    if (rc < 0) {
        free(real);
        return colony_fail(err, rc,
                           "cannot find a state folder: you have no home, give one with "
                           "--state DIR");
    }
    length = snprintf(path, size, "%s/files/%.32s-%016" PRIx64, folder, strrchr(real, '/') + 1,
                      hash(real));
    free(real);
    if (length < 0 || (size_t)length >= size)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot name the state folder of %s", config);
    return 0;
}
