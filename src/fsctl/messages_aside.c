/* SPDX-License-Identifier: Apache-2.0 */
/* messages_aside.c - where messages go that were refused. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsctl/messages_internal.h"

#define INVALID_FOLDER ".invalid"
#define REASON_SUFFIX ".reason"

/* What it is called there: NAME, NAME.2, … and beside it NAME.reason, NAME.2.reason, … */
struct place {
    char name[COLONY__FILE_NAME_SIZE];
    char reason[COLONY__FILE_NAME_SIZE];
};

static bool is_free(int folder, const char *name)
{
    struct stat info;

    return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* Names of messages do repeat, as ncolony's do. False: there are too many that are called so. */
static bool find_place(int invalid, const char *name, struct place *place)
{
    const int longest = NAME_MAX - (int)strlen(REASON_SUFFIX);

    for (unsigned i = 1; i <= COLONY__REFUSED_MAX; i++) {
        if (i == 1)
            (void)snprintf(place->name, sizeof place->name, "%s", name);
        else
            (void)snprintf(place->name, sizeof place->name, "%.*s.%u", longest - 2, name, i);
        (void)snprintf(place->reason, sizeof place->reason, "%.*s" REASON_SUFFIX, longest,
                       place->name);
        if (is_free(invalid, place->name) && is_free(invalid, place->reason))
            return true;
    }
    return false;
}

static int write_reason(int invalid, const char *name, const char *text)
{
    int fd = openat(invalid, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return -errno;
    rc = dprintf(fd, "%s\n", text) == (int)strlen(text) + 1 ? 0 : -EIO;
    (void)close(fd);
    return rc;
}

/* The reason first: who dies between finds the message again. */
static int move_aside(int folder, int invalid, const struct colony__letter *letter,
                      const struct place *place)
{
    int rc = write_reason(invalid, place->reason, letter->refusal);

    if (rc == 0 && renameat(folder, letter->name, invalid, place->name) < 0)
        rc = -errno;
    if (rc < 0)
        (void)unlinkat(invalid, place->reason, 0);
    return rc;
}

int colony__messages_set_aside(int folder, const struct colony__letter *letter)
{
    struct place place;
    int invalid;
    int rc;

    if (mkdirat(folder, INVALID_FOLDER, 0700) < 0 && errno != EEXIST)
        return -errno;
    invalid = openat(folder, INVALID_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (invalid < 0)
        return -errno;
    if (find_place(invalid, letter->name, &place))
        rc = move_aside(folder, invalid, letter, &place);
    else
        rc = unlinkat(folder, letter->name, 0) < 0 ? -errno : 1;
    (void)close(invalid);
    return rc;
}
