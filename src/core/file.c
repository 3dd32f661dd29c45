/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/utf8.h"
#include "core/value_internal.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

enum {
    FIRST_READ = 64 << 10,
};

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
};

/* Room for one byte more than is there, and the NUL. */
static int grow(struct buffer *buffer)
{
    size_t capacity = buffer->capacity ? buffer->capacity * 2 : FIRST_READ;
    char *data;

    if (buffer->size + 1 < buffer->capacity)
        return 0;
    data = realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

static int read_all(int fd, struct buffer *buffer)
{
    for (;;) {
        ssize_t got;
        int rc = grow(buffer);

        if (rc < 0)
            return rc;
        got = read(fd, buffer->data + buffer->size, buffer->capacity - buffer->size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        buffer->size += (size_t)got;
        if (buffer->size > COLONY__FILE_BYTES_MAX)
            return -EFBIG;
    }
    buffer->data[buffer->size] = '\0';
    return 0;
}

int colony__file_check(const char **text, size_t *size, const char *format, const char *name,
                       struct colony_error *err)
{
    struct colony_utf8_place place;
    size_t good;

    if (*size >= 3 && memcmp(*text, byte_order_mark, 3) == 0) {
        *text += 3;
        *size -= 3;
    }
    good = colony_utf8_length(*text, *size);
    if (good == *size)
        return 0;
    colony_utf8_locate(*text, good, &place);
    return colony_fail(err, -EINVAL, "%s:%u:%u: cannot read this %s: %s", name, place.line,
                       place.column, format,
                       (*text)[good] == '\0' ? "it has a NUL byte" : "it is not UTF-8");
}

static int read_open(int fd, const char *path, char **text, size_t *size, struct colony_error *err)
{
    struct buffer buffer = {0};
    int rc = read_all(fd, &buffer);

    if (rc < 0) {
        free(buffer.data);
        if (rc == -EFBIG)
            return colony_fail(err, rc, "cannot read %s: it is larger than 16 MiB", path);
        return colony_fail_os(err, rc, "cannot read %s", path);
    }
    *text = buffer.data;
    *size = buffer.size;
    return 0;
}

int colony__file_read(char **text, size_t *size, const char *path, struct stat *st,
                      struct colony_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", path);
    if (st && fstat(fd, st) < 0)
        rc = colony_fail_os(err, -errno, "cannot read %s", path);
    else
        rc = read_open(fd, path, text, size, err);
    (void)close(fd);
    return rc;
}

int colony__file_read_regular(char **text, size_t *size, const char *path, struct colony_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", path);
    if (fstat(fd, &info) < 0)
        rc = colony_fail_os(err, -errno, "cannot read %s", path);
    else if (!S_ISREG(info.st_mode))
        rc = colony_fail(err, -EINVAL, "cannot read %s: it is not a regular file", path);
    else
        rc = read_open(fd, path, text, size, err);
    (void)close(fd);
    return rc;
}
