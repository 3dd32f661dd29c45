/* SPDX-License-Identifier: Apache-2.0 */
/* roles.c - no directory is used for two things, or lies where it would be taken for a file. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/settings.h"
#include "fsctl/entry_internal.h"
#include "fsctl/files.h"

struct role {
    const char *path; /* a real one; NULL: there is none */
    const char *what;
    bool is_read; /* each name in it is */
};

enum nesting { APART, INSIDE, SAME };

/* The real path of one that may not be there yet. */
static int find_real(char real[PATH_MAX], const char *path)
{
    size_t length = strlen(path);
    char head[PATH_MAX];
    size_t used;

    if (length >= sizeof head)
        return -ENAMETOOLONG;
    for (;;) {
        (void)snprintf(head, sizeof head, "%.*s", (int)length, path);
        if (realpath(length > 0 ? head : ".", real))
            break;
        if (errno != ENOENT || length == 0)
            return -errno;
        while (length > 0 && path[length - 1] != '/')
            length--;
        while (length > 1 && path[length - 1] == '/')
            length--;
    }
    used = strlen(real);
    if (path[length] != '\0' &&
        (size_t)snprintf(real + used, PATH_MAX - used, "/%s", path + length) >= PATH_MAX - used)
        return -ENAMETOOLONG;
    return 0;
}

/* By what a directory is, not by its path: it may be mounted at two places. */
static enum nesting find_nesting(const char *inner, const char *outer)
{
    char path[PATH_MAX];
    const char *name = NULL; /* under which the inner one would be seen */
    struct stat there;
    struct stat info;

    if (stat(outer, &there) < 0)
        return APART;
    (void)snprintf(path, sizeof path, "%s", inner);
    for (;;) {
        char *slash = strrchr(path, '/');

        if (stat(slash ? path : "/", &info) == 0 && info.st_dev == there.st_dev &&
            info.st_ino == there.st_ino)
            return !name ? SAME : colony__entry_is_ignored(name) ? APART : INSIDE;
        if (!slash)
            return APART;
        *slash = '\0';
        name = slash + 1;
    }
}

static int check(const struct role *inner, const struct role *outer, struct colony_error *err)
{
    enum nesting nesting =
        inner->path && outer->path ? find_nesting(inner->path, outer->path) : APART;

    if (nesting == SAME)
        return colony_fail(err, -EINVAL, "cannot use %s for both %s and %s", outer->path,
                           outer->what, inner->what);
    if (nesting == INSIDE && outer->is_read)
        return colony_fail(err, -EINVAL,
                           "cannot use %s for %s: it is in the directory of %s, where it would be "
                           "taken for one",
                           inner->path, inner->what, outer->what);
    return 0;
}

int colony_files_check_roles(const struct colony_files_settings *files, const char *state_dir,
                             struct colony_error *err)
{
    char state[PATH_MAX];
    const struct role roles[] = {
        {files->config, "processes", true},
        {files->messages, "messages", true},
        {files->pid, "pid files", false},
        {state, "colony's state", false},
    };
    const size_t count = sizeof roles / sizeof roles[0];
    int rc = find_real(state, state_dir);

    if (rc < 0)
        return colony_fail_os(err, rc, "cannot use the state folder %s", state_dir);
    for (size_t outer = 0; outer < count; outer++)
        for (size_t inner = 0; inner < count && rc == 0; inner++)
            if (inner != outer)
                rc = check(&roles[inner], &roles[outer], err);
    return rc;
}
