/* SPDX-License-Identifier: Apache-2.0 */
#include "api/logfile_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SCAN_SIZE = 65536,
    TRIES = 10, /* while files are being renamed */
    OUT_MAX = 16 * 1024 * 1024,
};

/* Counts lines backwards. */
struct scan {
    uint64_t left;    /* lines still to go back */
    bool has_skipped; /* the newline that ends the last line has been seen, or there is none */
};

int colony__logfile_init(struct colony__logfile *file, const char *path, uint32_t rotated_max)
{
    memset(file, 0, sizeof *file);
    file->fd = -1;
    file->rotated_max = rotated_max;
    file->path = strdup(path);
    return file->path ? 0 : -ENOMEM;
}

void colony__logfile_clear(struct colony__logfile *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file->path);
    memset(file, 0, sizeof *file);
    file->fd = -1;
}

static void format_path(const struct colony__logfile *file, uint32_t index, char *path, size_t size)
{
    if (index == 0)
        (void)snprintf(path, size, "%s", file->path);
    else
        (void)snprintf(path, size, "%s.%u", file->path, index);
}

/* -ENOENT: there is none (what is not a regular file is none of ours). */
static int open_index(const struct colony__logfile *file, uint32_t index, struct stat *info)
{
    char path[PATH_MAX];
    int fd;

    format_path(file, index, path, sizeof path);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == ENOTDIR ? -ENOENT : -errno;
    if (fstat(fd, info) == 0 && S_ISREG(info->st_mode))
        return fd;
    (void)close(fd);
    return -ENOENT;
}

static void adopt(struct colony__logfile *file, int fd, const struct stat *info, uint64_t offset)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = fd;
    file->device = info->st_dev;
    file->inode = info->st_ino;
    file->offset = offset;
}

/* Under which number our file is now. Numbers only grow, so counting up cannot miss it. */
static int find_index(const struct colony__logfile *file, uint32_t *index)
{
    char path[PATH_MAX];
    struct stat info = {0};

    for (uint32_t i = 0; i <= file->rotated_max; i++) {
        format_path(file, i, path, sizeof path);
        if (lstat(path, &info) == 0 && info.st_dev == file->device && info.st_ino == file->inode) {
            *index = i;
            return 0;
        }
    }
    return -ENOENT;
}

static bool is_still(const struct colony__logfile *file, uint32_t index)
{
    uint32_t now;

    return find_index(file, &now) == 0 && now == index;
}

static void pause_briefly(void)
{
    const struct timespec ms = {.tv_nsec = 1000000};

    (void)nanosleep(&ms, NULL);
}

/* The next older file, opened, or -ENOENT. */
static int open_older(const struct colony__logfile *file, struct stat *info)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t index;
        int fd;

        if (find_index(file, &index) < 0 || index >= file->rotated_max)
            return -ENOENT;
        fd = open_index(file, index + 1, info);
        if (is_still(file, index))
            return fd;
        if (fd >= 0)
            (void)close(fd);
    }
    return -ENOENT;
}

static int open_newest(const struct colony__logfile *file, struct stat *info)
{
    for (uint32_t i = 0; i <= file->rotated_max; i++) {
        int fd = open_index(file, i, info);

        if (fd != -ENOENT)
            return fd;
    }
    return -ENOENT;
}

static bool has_above(const struct colony__logfile *file, uint32_t index)
{
    char path[PATH_MAX];
    struct stat info = {0};

    while (index++ < file->rotated_max) {
        format_path(file, index, path, sizeof path);
        if (lstat(path, &info) == 0 && S_ISREG(info.st_mode))
            return true;
    }
    return false;
}

/* Counting down may miss one that is being renamed upwards; it is above then. */
static int open_oldest(const struct colony__logfile *file, struct stat *info)
{
    for (int i = 0;; i++) {
        uint32_t index = file->rotated_max;
        int fd = open_index(file, index, info);

        while (fd == -ENOENT && index > 0)
            fd = open_index(file, --index, info);
        if (fd < 0 || i == TRIES || !has_above(file, index))
            return fd;
        (void)close(fd);
    }
}

/* The file below @index: the next one, or the nearest when some are missing for good. */
static int open_below(const struct colony__logfile *file, uint32_t index, bool is_last_try,
                      struct stat *info)
{
    int fd = open_index(file, index - 1, info);

    for (uint32_t i = index - 1; fd == -ENOENT && is_last_try && i > 0; i--)
        fd = open_index(file, i - 1, info);
    return fd;
}

/*
 * The file that was begun after ours, opened; -ENOENT when ours is the newest. *is_lost: ours is
 * gone, and perhaps others after it.
 */
static int open_newer(const struct colony__logfile *file, struct stat *info, bool *is_lost)
{
    *is_lost = false;
    for (int i = 0; i < TRIES; i++) {
        uint32_t index;
        int fd;

        if (find_index(file, &index) < 0) {
            *is_lost = file->rotated_max > 0;
            return open_oldest(file, info);
        }
        if (index == 0)
            return -ENOENT;
        fd = open_below(file, index, i == TRIES - 1, info);
        if (fd >= 0 && is_still(file, index))
            return fd;
        if (fd >= 0)
            (void)close(fd);
        pause_briefly();
    }
    return -ENOENT;
}

/* Scans one file backwards. 1: @start is found; 0: it is in an older file; negative errno. */
static int scan_file(int fd, uint64_t size, struct scan *scan, uint64_t *start)
{
    char block[SCAN_SIZE];
    uint64_t end = size;

    while (end > 0) {
        size_t wanted = end < SCAN_SIZE ? (size_t)end : SCAN_SIZE;
        ssize_t got = pread(fd, block, wanted, (off_t)(end - wanted));

        if (got < 0)
            return -errno;
        if ((size_t)got < wanted) /* cut short while we look */
            return 0;
        for (size_t i = wanted; i > 0; i--) {
            bool is_newline = block[i - 1] == '\n';
            bool ends_last_line = is_newline && !scan->has_skipped;

            scan->has_skipped = true;
            if (!is_newline || ends_last_line || --scan->left > 0)
                continue;
            *start = end - wanted + i;
            return 1;
        }
        end -= wanted;
    }
    return 0;
}

static int seek_back(struct colony__logfile *file, uint64_t lines)
{
    struct scan scan = {.left = lines};

    for (;;) {
        struct stat info = {0};
        uint64_t start = 0;
        int rc = 0;
        int fd;

        if (lines != COLONY__LINES_ALL)
            rc = scan_file(file->fd, file->offset, &scan, &start);
        if (rc < 0)
            return rc;
        file->offset = start;
        if (rc > 0)
            return 0;
        fd = open_older(file, &info);
        if (fd < 0)
            return fd == -ENOENT ? 0 : fd;
        adopt(file, fd, &info, (uint64_t)info.st_size);
    }
}

int colony__logfile_seek(struct colony__logfile *file, uint64_t lines)
{
    struct stat info = {0};
    int fd = open_newest(file, &info);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    adopt(file, fd, &info, (uint64_t)info.st_size);
    file->has_end = true;
    file->end_device = info.st_dev;
    file->end_inode = info.st_ino;
    file->end_offset = file->offset;
    return lines == 0 ? 0 : seek_back(file, lines);
}

/* Reading ends, for now, where the newest file ends. */
static int set_end(struct colony__logfile *file)
{
    struct stat info = {0};
    int fd = open_newest(file, &info);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    (void)close(fd);
    file->has_end = true;
    file->end_device = info.st_dev;
    file->end_inode = info.st_ino;
    file->end_offset = (uint64_t)info.st_size;
    return 0;
}

/* Our file, opened, which may be renamed meanwhile; -ENOENT when it has been rotated away. */
static int open_own(const struct colony__logfile *file, struct stat *info)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t index;
        int fd;

        if (find_index(file, &index) < 0)
            return -ENOENT;
        fd = open_index(file, index, info);
        if (fd >= 0 && info->st_dev == file->device && info->st_ino == file->inode)
            return fd;
        if (fd >= 0)
            (void)close(fd);
        pause_briefly();
    }
    return -ENOENT;
}

int colony__logfile_resume(struct colony__logfile *file, dev_t device, ino_t inode, uint64_t offset)
{
    struct stat info = {0};
    bool had_file = device != 0 || inode != 0;
    int rc = set_end(file);
    int fd;

    if (rc < 0)
        return rc;
    file->device = device;
    file->inode = inode;
    fd = had_file ? open_own(file, &info) : -ENOENT;
    if (fd >= 0) {
        adopt(file, fd, &info, offset);
        return 0;
    }
    if (fd != -ENOENT)
        return fd;
    file->has_gap = had_file;
    fd = open_oldest(file, &info);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    adopt(file, fd, &info, 0);
    return 0;
}

/* How much of @size may be read before the end that seek has set. */
static size_t limit(const struct colony__logfile *file, size_t size)
{
    uint64_t left;

    if (!file->has_end || file->device != file->end_device || file->inode != file->end_inode)
        return size;
    left = file->end_offset > file->offset ? file->end_offset - file->offset : 0;
    return left < size ? (size_t)left : size;
}

static ssize_t read_on(struct colony__logfile *file, char *buffer, size_t size)
{
    ssize_t got = pread(file->fd, buffer, size, (off_t)file->offset);

    if (got < 0)
        return -errno;
    file->offset += (uint64_t)got;
    return got;
}

static void rewind_if_cut(struct colony__logfile *file)
{
    struct stat info = {0};

    if (fstat(file->fd, &info) == 0 && (uint64_t)info.st_size < file->offset)
        file->offset = 0;
}

/* 1: on with the next file; 0: there is none; more: bytes that were still read from this one. */
static ssize_t turn_page(struct colony__logfile *file, char *buffer, size_t size, bool *has_turned)
{
    struct stat info = {0};
    bool is_lost = false;
    ssize_t got = 0;
    int fd = file->fd < 0 ? open_oldest(file, &info) : open_newer(file, &info, &is_lost);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    /* It may have been written to until the moment when it was renamed. */
    if (file->fd >= 0)
        got = read_on(file, buffer, size);
    if (got != 0) {
        (void)close(fd);
        return got;
    }
    file->has_gap = file->has_gap || is_lost;
    adopt(file, fd, &info, 0);
    *has_turned = true;
    return 0;
}

ssize_t colony__logfile_read(struct colony__logfile *file, char *buffer, size_t size)
{
    for (;;) {
        size_t allowed = limit(file, size);
        bool has_turned = false;
        ssize_t got = 0;

        if (allowed == 0)
            return 0;
        if (file->fd >= 0) {
            rewind_if_cut(file);
            got = read_on(file, buffer, allowed);
        }
        if (got == 0)
            got = turn_page(file, buffer, allowed, &has_turned);
        if (got != 0 || !has_turned)
            return got;
    }
}

static int append(struct colony__buffer *out, const char *data, size_t size)
{
    return colony__buffer_append(out, data, size, OUT_MAX);
}

static int append_line(struct colony__buffer *out, struct colony__buffer *carry, const char *prefix)
{
    int rc = append(out, prefix, strlen(prefix));

    if (rc == 0)
        rc = append(out, carry->data, carry->size);
    if (rc == 0)
        rc = append(out, "\n", 1);
    colony__buffer_reset(carry);
    return rc;
}

int colony__lines_flush(struct colony__buffer *out, struct colony__buffer *carry,
                        const char *prefix)
{
    return carry->size > 0 ? append_line(out, carry, prefix) : 0;
}

int colony__lines_prefix(struct colony__buffer *out, struct colony__buffer *carry,
                         const char *prefix, const char *data, size_t size)
{
    int rc = 0;

    while (size > 0 && rc == 0) {
        const char *newline = memchr(data, '\n', size);
        size_t length = newline ? (size_t)(newline - data) : size;
        size_t room = COLONY__LINE_MAX - carry->size;
        bool is_whole = newline && length <= room;
        size_t taken = length < room ? length : room;

        rc = colony__buffer_append(carry, data, taken, COLONY__LINE_MAX);
        /* One that is too long is broken only once it is known to go on. */
        if (rc == 0 && (is_whole || (carry->size == COLONY__LINE_MAX && taken < size)))
            rc = append_line(out, carry, prefix);
        taken += is_whole;
        data += taken;
        size -= taken;
    }
    return rc;
}
