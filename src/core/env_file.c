/* SPDX-License-Identifier: Apache-2.0 */
#include "core/env_file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/utf8.h"
#include "core/words_internal.h"

static const char bom[] = "\xef\xbb\xbf";

/* A file while it is read. */
struct env_reader {
    const char *path;
    const char *at; /* ends with a NUL, and has none before */
    unsigned line;
    struct colony__words *out;
    char *pair; /* NAME=VALUE: never longer than what it is read from */
    size_t length;
    struct colony_error *err;
};

static int fail(const struct env_reader *reader, unsigned line, const char *reason)
{
    return colony_fail(reader->err, -EINVAL, "%s:%u: cannot use this line: %s", reader->path, line,
                       reason);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_end(char byte)
{
    return byte == '\n' || byte == '\0';
}

static void skip_blanks(struct env_reader *reader)
{
    while (is_blank(*reader->at))
        reader->at++;
}

static void take(struct env_reader *reader, char byte)
{
    reader->pair[reader->length++] = byte;
    reader->at++;
    if (byte == '\n')
        reader->line++;
}

/* NAME= */
static int read_name(struct env_reader *reader)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    size_t length = strspn(reader->at, letters);

    if (memchr(reader->at, '=', strcspn(reader->at, "\n")) == NULL)
        return fail(reader, reader->line, "write NAME=VALUE, or # before a comment");
    if (length == 0 || reader->at[length] != '=' || (*reader->at >= '0' && *reader->at <= '9'))
        return fail(reader, reader->line,
                    "before `=` there must be a name: letters, digits and `_`, not a digit first");
    memcpy(reader->pair, reader->at, length + 1);
    reader->length = length + 1;
    reader->at += length + 1;
    return 0;
}

/* The byte that a backslash and @byte stand for in double quotes, or NUL for both as they are. */
static char escaped(char byte)
{
    switch (byte) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '"':
    case '\\':
    case '$':
        return byte;
    default:
        return '\0';
    }
}

static int read_quoted(struct env_reader *reader)
{
    unsigned first_line = reader->line;
    char quote = *reader->at++;

    while (*reader->at != quote) {
        char byte = '\0';

        if (quote == '"' && *reader->at == '\\')
            byte = escaped(reader->at[1]);
        if (*reader->at == '\0')
            return fail(reader, first_line, "its quote is not closed");
        if (byte == '\0') {
            take(reader, *reader->at);
            continue;
        }
        reader->pair[reader->length++] = byte;
        reader->at += 2;
    }
    reader->at++;
    return 0;
}

static void read_plain(struct env_reader *reader)
{
    size_t start = reader->length;

    while (!is_end(*reader->at) && !(*reader->at == '#' && is_blank(reader->at[-1])))
        take(reader, *reader->at);
    while (reader->length > start && is_blank(reader->pair[reader->length - 1]))
        reader->length--;
}

static int read_value(struct env_reader *reader)
{
    bool is_commented;
    int rc;

    skip_blanks(reader);
    if (*reader->at != '\'' && *reader->at != '"') {
        read_plain(reader);
        return 0;
    }
    rc = read_quoted(reader);
    if (rc < 0)
        return rc;
    is_commented = is_blank(*reader->at);
    skip_blanks(reader);
    if (!is_end(*reader->at) && !(is_commented && *reader->at == '#'))
        return fail(reader, reader->line, "something follows the closing quote");
    return 0;
}

static int read_line(struct env_reader *reader)
{
    struct colony_error reason;
    unsigned line = reader->line;
    int rc;

    skip_blanks(reader);
    if (is_end(*reader->at) || *reader->at == '#')
        return 0;
    if (strncmp(reader->at, "export", 6) == 0 && is_blank(reader->at[6])) {
        reader->at += 6;
        skip_blanks(reader);
    }
    rc = read_name(reader);
    if (rc == 0)
        rc = read_value(reader);
    if (rc < 0)
        return rc;
    rc = colony__words_add(reader->out, reader->pair, reader->length, &reason);
    return rc == -EINVAL ? fail(reader, line, reason.message) : rc;
}

/* CRLF → LF, in place. */
static void drop_returns(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++)
        if (from[0] != '\r' || from[1] != '\n')
            *to++ = *from;
    *to = '\0';
}

int colony__env_file_parse(struct colony__words *out, char *text, size_t size, const char *path,
                           struct colony_error *err)
{
    struct env_reader reader = {.path = path, .at = text, .line = 1, .out = out, .err = err};
    size_t sound = colony_utf8_length(text, size);
    int rc = 0;

    if (sound < size) {
        struct colony_utf8_place place;

        colony_utf8_locate(text, sound, &place);
        return fail(&reader, place.line, "it is not UTF-8 text");
    }
    reader.pair = malloc(size + 1);
    if (!reader.pair)
        return -ENOMEM;
    if (strncmp(text, bom, sizeof bom - 1) == 0)
        reader.at += sizeof bom - 1;
    drop_returns(text);
    while (rc == 0 && *reader.at != '\0') {
        rc = read_line(&reader);
        reader.at += strcspn(reader.at, "\n");
        if (*reader.at == '\n')
            reader.at++;
        reader.line++;
    }
    free(reader.pair);
    return rc;
}

static int read_all(int fd, char *text, size_t *size)
{
    size_t done = 0;

    while (done <= COLONY__ENV_FILE_BYTES_MAX) {
        ssize_t count = read(fd, text + done, COLONY__ENV_FILE_BYTES_MAX + 1 - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    text[done] = '\0';
    *size = done;
    return done > COLONY__ENV_FILE_BYTES_MAX ? -EFBIG : 0;
}

/* Opens a plain file only: another might keep the engine waiting for ever. */
static int open_file(const char *path, struct colony_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", path);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        return fd;
    rc = colony_fail(err, -EINVAL, "cannot read %s: it is no plain file", path);
    (void)close(fd);
    return rc;
}

int colony__env_file_load(struct colony__words *out, const char *path, struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int fd = open_file(path, err);
    int rc;

    if (fd < 0)
        return fd;
    text = malloc(COLONY__ENV_FILE_BYTES_MAX + 2);
    rc = text ? read_all(fd, text, &size) : -ENOMEM;
    (void)close(fd);
    if (rc == -EFBIG)
        (void)colony_fail(err, rc, "cannot read %s: it is larger than 1 MiB", path);
    else if (rc < 0)
        (void)colony_fail_os(err, rc, "cannot read %s", path);
    else
        rc = colony__env_file_parse(out, text, size, path, err);
    free(text);
    return rc;
}
