/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/places.h"
#include "fsctl/entry_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "core/fresh.h"
#include "core/template.h"
#include "fsctl/entry_internal.h"
#include "fsctl/places_internal.h"

#define NEW ".new"

static bool is_unfinished(const char *name)
{
    size_t length = strlen(name);

    return length >= strlen(NEW) && strcmp(name + length - strlen(NEW), NEW) == 0;
}

int colony_places_check_name(const char *name, struct colony_error *err)
{
    const char *fault = NULL;
    int rc = colony_name_check_file(name, err);

    if (rc < 0)
        return rc;
    if (is_unfinished(name))
        fault = "files that end in `" NEW "` are not read";
    else if (name[0] == '.')
        fault = "it is a hidden file's";
    else if (colony__entry_is_ignored(name))
        fault = "what editors leave is not read";
    return fault ? colony_fail(err, -EINVAL, "cannot use the name `%.200s`: %s", name, fault) : 0;
}

int colony__places_open(const char *folder, struct colony_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return colony_fail(err, -ENOTDIR, "cannot open the folder %s: there is none", folder);
    return fd < 0 ? colony_fail_os(err, -errno, "cannot open the folder %s", folder) : fd;
}

int colony_places_check_folder(const char *folder, struct colony_error *err)
{
    int fd = colony__places_open(folder, err);

    if (fd < 0)
        return fd;
    (void)close(fd);
    return 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_all(int fd, size_t size, char **text)
{
    size_t done = 0;

    *text = malloc(size + 1);
    if (!*text)
        return -ENOMEM;
    while (done < size) {
        ssize_t count = read(fd, *text + done, size - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            int rc = -errno;

            free(*text);
            *text = NULL;
            return rc;
        }
        if (count == 0)
            break; /* it became shorter meanwhile */
        done += (size_t)count;
    }
    (*text)[done] = '\0';
    return (int)done;
}

/* Bytes of it, or why not. Nothing but a regular file is opened for long. */
static int read_file(int folder, const char *name, char **text)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    int rc;

    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode))
        rc = -EINVAL;
    else if (st.st_size > COLONY_PLACES_FILE_MAX)
        rc = -EFBIG;
    else
        rc = read_all(fd, (size_t)st.st_size, text);
    (void)close(fd);
    return rc;
}

int colony__places_read_at(int folder, const char *path, const char *name, char **text,
                           struct colony_error *err)
{
    int rc = read_file(folder, name, text);

    if (rc == -EINVAL)
        return colony_fail(err, rc, "cannot read %s/%s: it is not a regular file", path, name);
    if (rc == -EFBIG)
        return colony_fail(err, rc, "cannot read %s/%s: it is larger than 1 MiB", path, name);
    return rc < 0 ? colony_fail_os(err, rc, "cannot read %s/%s", path, name) : rc;
}

int colony_places_read(const char *folder, const char *name, char **text, size_t *size,
                       struct colony_error *err)
{
    int fd = colony__places_open(folder, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = colony__places_read_at(fd, folder, name, text, err);
    (void)close(fd);
    if (rc < 0)
        return rc;
    *size = (size_t)rc;
    return 0;
}

/* --- the list --------------------------------------------------------------------------------- */

void colony_places_free(char **names)
{
    for (char **name = names; name && *name; name++)
        free(*name);
    free(names);
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

struct list {
    char **names;
    size_t count;
    size_t capacity;
};

static int add_name(struct list *list, const char *name)
{
    char **names =
        colony_array_room(list->names, list->count, &list->capacity, sizeof *list->names);

    if (!names)
        return -ENOMEM;
    list->names = names;
    names[list->count] = strdup(name);
    return names[list->count++] ? 0 : -ENOMEM;
}

static bool is_file(DIR *dir, const char *name)
{
    struct stat st;

    return fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int read_names(DIR *dir, bool files_only, struct list *list)
{
    const struct dirent *entry;

    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (colony_places_check_name(entry->d_name, NULL) == 0 &&
            (!files_only || is_file(dir, entry->d_name)) && add_name(list, entry->d_name) < 0)
            return -ENOMEM;
        errno = 0;
    }
    return -errno;
}

int colony_places_list(const char *folder, bool files_only, char ***names, size_t *count,
                       struct colony_error *err)
{
    struct list list = {0};
    int fd = colony__places_open(folder, err);
    DIR *dir;
    int rc;

    if (fd < 0)
        return fd;
    dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return colony_fail(err, -ENOMEM, "cannot list %s: out of memory", folder);
    }
    rc = read_names(dir, files_only, &list);
    (void)closedir(dir);
    if (rc == 0 && list.count > 0)
        qsort(list.names, list.count, sizeof *list.names, compare);
    if (rc == 0)
        rc = add_name(&list, ""); /* room for the NULL */
    if (rc < 0 || !list.names) {
        while (list.names && list.count > 0)
            free(list.names[--list.count]);
        free(list.names);
        return colony_fail_os(err, rc, "cannot list %s", folder);
    }
    free(list.names[--list.count]);
    list.names[list.count] = NULL;
    *names = list.names;
    *count = list.count;
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t count = write(fd, text, left);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        text += count;
        left -= (size_t)count;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int colony__places_write_new(int folder, const char *name, const char *text, const mode_t *mode,
                             char new_name[NAME_MAX])
{
    int fd = colony_fresh_open(folder, name, mode ? *mode : 0666, new_name, NAME_MAX);
    int rc = fd < 0 ? fd : 0;

    if (rc == 0 && mode && fchmod(fd, *mode) < 0)
        rc = -errno;
    if (rc == 0)
        rc = write_all(fd, text);
    if (rc == 0)
        return fd;
    if (fd >= 0) {
        (void)unlinkat(folder, new_name, 0);
        (void)close(fd);
    }
    return rc;
}

static bool is_there(int folder, const char *name, const char *text)
{
    char *there = NULL;
    int size = read_file(folder, name, &there);
    bool is_same = there && (size_t)size == strlen(text) && memcmp(there, text, (size_t)size) == 0;

    free(there);
    return is_same;
}

static int replace(int folder, const char *name, const char *text)
{
    char new_name[NAME_MAX];
    struct stat there;
    bool is_file =
        fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(there.st_mode);
    mode_t mode = is_file ? there.st_mode & 0777 : 0;
    int fd = colony__places_write_new(folder, name, text, is_file ? &mode : NULL, new_name);
    int rc = 1;

    if (fd < 0)
        return fd;
    if (renameat(folder, new_name, folder, name) < 0) {
        rc = -errno;
        (void)unlinkat(folder, new_name, 0);
    }
    (void)close(fd);
    return rc == 1 && fsync(folder) < 0 ? -errno : rc;
}

int colony_places_put(const char *folder, const char *name, const char *text,
                      struct colony_error *err)
{
    int rc = colony_places_check_name(name, err);
    int fd;

    if (rc < 0)
        return rc;
    if (strlen(text) > COLONY_PLACES_FILE_MAX)
        return colony_fail(err, -EFBIG, "cannot write %s/%s: it would be larger than 1 MiB", folder,
                           name);
    fd = colony__places_open(folder, err);
    if (fd < 0)
        return fd;
    rc = is_there(fd, name, text) ? 0 : replace(fd, name, text);
    (void)close(fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot write %s/%s", folder, name) : rc;
}

int colony_places_remove(const char *folder, const char *name, struct colony_error *err)
{
    int rc = colony_places_check_name(name, err);
    int fd;

    if (rc < 0)
        return rc;
    fd = colony__places_open(folder, err);
    if (fd < 0)
        return fd;
    if (unlinkat(fd, name, 0) < 0 || fsync(fd) < 0)
        rc = -errno;
    (void)close(fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot remove %s/%s", folder, name) : 0;
}
