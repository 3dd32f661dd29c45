/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint_take.c - what a process has open and was started with, from /proc/PID. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "core/sweep.h"
#include "session/fingerprint_internal.h"

enum {
    FOLDER_SIZE = 32, /* /proc/PID */
    CMDLINE_CHUNK = 4096,
    STANDARD_FDS = 3,
};

/* One process while it is looked at. */
struct look {
    pid_t pid;
    int folder; /* /proc/PID: this process, whoever gets its number */
    int fds;    /* fd below it */
    struct colony__items files;
    uint64_t *inodes; /* of sockets */
    size_t inode_count;
    size_t inode_capacity;
    struct statx standard[STANDARD_FDS]; /* of descriptors 0, 1 and 2; all zero: not open */
};

/* --- the command line ------------------------------------------------------------------------- */

/* The whole file, which says nothing of its size; the caller frees it. */
static int read_all(int folder, const char *name, char **out, size_t *size)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    size_t capacity = CMDLINE_CHUNK;
    char *text = malloc(capacity);
    size_t length = 0;
    ssize_t count = fd < 0 ? -1 : 0;
    int rc = fd < 0 ? -errno : 0;

    while (rc == 0 && text && (count = read(fd, text + length, capacity - length)) > 0) {
        char *grown = text;

        length += (size_t)count;
        if (length == capacity && capacity < COLONY__CMDLINE_MAX)
            grown = realloc(text, capacity *= 2);
        else if (length == capacity)
            rc = -E2BIG;
        if (!grown)
            break;
        text = grown;
    }
    if (rc == 0 && count != 0)
        rc = count < 0 ? -errno : -ENOMEM;
    if (rc == 0 && !text)
        rc = -ENOMEM;
    if (fd >= 0)
        (void)close(fd);
    if (rc < 0) {
        free(text);
        return rc;
    }
    *out = text;
    *size = length;
    return 0;
}

static int read_strings(struct colony__items *out, int folder, const char *name,
                        int (*add)(struct colony__items *items, const char *text, size_t size))
{
    char *text = NULL;
    size_t size = 0;
    int rc = read_all(folder, name, &text, &size);

    for (size_t at = 0; rc == 0 && at < size;) {
        size_t length = strnlen(text + at, size - at);

        rc = add(out, text + at, length);
        at += length + 1;
    }
    free(text);
    if (rc < 0)
        colony__items_clear(out);
    return rc == -ENOENT ? -ESRCH : rc;
}

int colony__strings_read(struct colony__items *out, int folder, const char *name)
{
    return read_strings(out, folder, name, colony__items_add_raw);
}

int colony__cmdline_read(struct colony__items *out, int folder)
{
    return read_strings(out, folder, "cmdline", colony__items_add);
}

/* --- descriptors ------------------------------------------------------------------------------ */

/* What a hung server of files would say is not asked for. */
static bool identify(const struct look *look, const char *name, struct statx *out)
{
    return statx(look->fds, name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_NLINK | STATX_INO, out) ==
           0;
}

/* What stands on 0, 1 and 2 is the choice of who started it: it is not what the process does. */
static void note_standard(struct look *look)
{
    for (int fd = 0; fd < STANDARD_FDS; fd++) {
        char name[] = {(char)('0' + fd), '\0'};

        if (!identify(look, name, &look->standard[fd]))
            look->standard[fd] = (struct statx){0};
    }
}

static bool is_standard(const struct look *look, const struct statx *info)
{
    for (int fd = 0; fd < STANDARD_FDS; fd++)
        if (look->standard[fd].stx_ino == info->stx_ino &&
            look->standard[fd].stx_dev_major == info->stx_dev_major &&
            look->standard[fd].stx_dev_minor == info->stx_dev_minor)
            return true;
    return false;
}

static int add_inode(struct look *look, const char *link)
{
    uint64_t *room;

    if (look->inode_count == COLONY__FINGERPRINT_ITEMS_MAX)
        return -E2BIG;
    room = colony_array_room(look->inodes, look->inode_count, &look->inode_capacity,
                             sizeof *look->inodes);
    if (!room)
        return -ENOMEM;
    look->inodes = room;
    look->inodes[look->inode_count++] = strtoull(link + sizeof "socket:[" - 1, NULL, 10);
    return 0;
}

/* A regular file that still has a name. */
static bool is_file(const struct look *look, const char *name)
{
    struct statx info;

    return identify(look, name, &info) && S_ISREG(info.stx_mode) && info.stx_nlink > 0 &&
           !is_standard(look, &info);
}

static int add_descriptor(struct look *look, const char *name)
{
    char link[PATH_MAX];
    ssize_t size = readlinkat(look->fds, name, link, sizeof link - 1);

    if (size < 0)
        return errno == EACCES || errno == EPERM ? -EACCES : 0; /* else closed meanwhile */
    link[size] = '\0';
    if (strncmp(link, "socket:[", sizeof "socket:[" - 1) == 0)
        return add_inode(look, link);
    if (link[0] != '/' || !is_file(look, name))
        return 0;
    return colony__items_add(&look->files, link, (size_t)size);
}

static int read_descriptors(struct look *look)
{
    DIR *folder;
    struct dirent *entry;
    int rc = 0;
    int fd = openat(look->folder, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    folder = fdopendir(fd);
    if (!folder) {
        (void)close(fd);
        return -ENOMEM;
    }
    look->fds = fd;
    note_standard(look);
    while (rc == 0 && (errno = 0, entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            rc = add_descriptor(look, entry->d_name);
    if (rc == 0 && !entry && errno != 0)
        rc = errno == ENOENT ? -ESRCH : -errno;
    (void)closedir(folder);
    return rc;
}

/* --- sockets ---------------------------------------------------------------------------------- */

static int compare_numbers(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

/* Each once, however many descriptors it has. */
static int add_sockets(const struct look *look, const struct colony_socket_table *table,
                       struct colony__items *fields)
{
    uint64_t before = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < look->inode_count; before = look->inodes[i++]) {
        const struct colony__socket *socket =
            look->inodes[i] == before ? NULL : colony__socket_find(table, look->inodes[i]);
        char text[COLONY__ADDRESS_SIZE];

        if (!socket)
            continue;
        colony__socket_format(text, socket);
        rc = colony__items_add(&fields[socket->field], text, strlen(text));
    }
    return rc;
}

static int read_sockets(struct look *look, const struct colony_socket_table *known,
                        struct colony__items *fields, struct colony_error *err)
{
    struct colony_socket_table *own = NULL;
    int rc;

    if (look->inode_count == 0)
        return 0;
    qsort(look->inodes, look->inode_count, sizeof *look->inodes, compare_numbers);
    if (!known || !colony__socket_table_is_of(known, look->folder)) {
        rc = colony_socket_table_read(&own, look->pid, err);
        if (rc < 0)
            return rc;
        known = own;
    }
    rc = add_sockets(look, known, fields);
    colony_socket_table_free(own);
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int fail(struct colony_error *err, int rc, pid_t pid)
{
    if (rc == -ESRCH || rc == -ENOENT)
        return colony_fail(err, -ESRCH, "cannot look at process %d: it has ended", (int)pid);
    if (rc == -EACCES || rc == -EPERM)
        return colony_fail(err, -EACCES,
                           "cannot look at process %d: it is not ours; ask as its user or as root",
                           (int)pid);
    if (rc == -E2BIG)
        return colony_fail(
            err, rc, "cannot look at process %d: it has more than %d descriptors or arguments",
            (int)pid, (int)COLONY__FINGERPRINT_ITEMS_MAX);
    return colony_fail_os(err, rc, "cannot look at process %d", (int)pid);
}

static int take(struct look *look, const struct colony_socket_table *sockets,
                struct colony_fingerprint *out, struct colony_error *err)
{
    struct colony__items fields[FIELD_COUNT] = {{0}};
    int rc = colony__cmdline_read(&fields[FIELD_CMDLINE], look->folder);

    if (rc == 0)
        rc = read_descriptors(look);
    if (rc < 0)
        (void)fail(err, rc, look->pid);
    if (rc == 0) {
        rc = read_sockets(look, sockets, fields, err);
        if (rc == -E2BIG || rc == -ENOMEM)
            (void)fail(err, rc, look->pid);
    }
    fields[FIELD_FILES] = look->files;
    look->files = (struct colony__items){0};
    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        if (rc == 0)
            colony__items_settle(&fields[field], field, out);
        else
            colony__items_clear(&fields[field]);
    }
    return rc;
}

int colony_fingerprint_take(struct colony_fingerprint *out, pid_t pid,
                            const struct colony_socket_table *sockets, struct colony_error *err)
{
    struct look look = {.pid = pid};
    struct colony_fingerprint fingerprint = {0};
    char path[FOLDER_SIZE];
    int rc;

    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    look.folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (look.folder < 0)
        return fail(err, -errno, pid);
    /* one that nobody has reaped yet has its folder, but nothing in it */
    rc = colony_proc_is_running(pid) ? take(&look, sockets, &fingerprint, err)
                                     : fail(err, -ESRCH, pid);
    free(look.inodes);
    (void)close(look.folder);
    if (rc < 0)
        return rc;
    *out = fingerprint;
    return 0;
}
