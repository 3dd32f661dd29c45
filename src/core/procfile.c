/* SPDX-License-Identifier: Apache-2.0 */
#include "core/procfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "core/utf8.h"
#include "core/value_internal.h"

static const char type_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
static const char blanks[] = " \t\r";

/* A file while it is read. */
struct reader {
    const char *path;
    const char *text;
    struct colony_procfile *out;
    unsigned line;
    struct colony_error *err;
};

/* @at is in the text, and what is wrong begins there. */
static int fail(const struct reader *reader, const char *at, const char *why)
{
    struct colony_utf8_place place;

    colony_utf8_locate(reader->text, (size_t)(at - reader->text), &place);
    return colony_fail(reader->err, -EINVAL, "%s:%u:%u: cannot use this line: %s", reader->path,
                       place.line, place.column, why);
}

static int fail_twice(const struct reader *reader, const char *at,
                      const struct colony_procfile_type *first)
{
    struct colony_utf8_place place;

    colony_utf8_locate(reader->text, (size_t)(at - reader->text), &place);
    return colony_fail(reader->err, -EINVAL,
                       "%s:%u:%u: cannot use the type `%s` twice: it is on line %u already",
                       reader->path, place.line, place.column, first->name, first->line);
}

static const struct colony_procfile_type *find(const struct colony_procfile *procfile,
                                               const char *name, size_t length)
{
    for (size_t i = 0; i < procfile->count; i++)
        if (strlen(procfile->types[i].name) == length &&
            strncmp(procfile->types[i].name, name, length) == 0)
            return &procfile->types[i];
    return NULL;
}

static int check_type(const struct reader *reader, const char *name, size_t length)
{
    const struct colony_procfile_type *first = find(reader->out, name, length);

    if (length > COLONY_NAME_MAX / 2)
        return fail(reader, name, "a type has 100 bytes at most");
    if (strspn(name, "0123456789") >= length)
        return fail(reader, name, "a type of digits alone would be taken for an id");
    if (first)
        return fail_twice(reader, name, first);
    if (reader->out->count == COLONY_PROCFILE_TYPES_MAX)
        return fail(reader, name, "there are more than 600 types");
    return 0;
}

static int add(const struct reader *reader, const char *name, size_t name_length,
               const char *command, size_t command_length)
{
    struct colony_procfile *out = reader->out;
    struct colony_procfile_type *type;
    struct colony_procfile_type *grown = realloc(out->types, (out->count + 1) * sizeof *out->types);

    if (!grown)
        return -ENOMEM;
    out->types = grown;
    type = &grown[out->count];
    type->name = strndup(name, name_length);
    type->command = strndup(command, command_length);
    type->line = reader->line;
    out->count++;
    return type->name && type->command ? 0 : -ENOMEM;
}

/* The line from @at to @end. */
static int read_line(const struct reader *reader, const char *at, const char *end)
{
    const char *name;
    size_t length;
    int rc;

    while (end > at && strchr(blanks, end[-1]))
        end--;
    while (at < end && strchr(blanks, *at))
        at++;
    if (at == end || *at == '#')
        return 0;
    name = at;
    length = strspn(name, type_bytes);
    at += length;
    if (at >= end || *at != ':' || length == 0)
        return fail(reader, at < end ? at : end,
                    "write TYPE: COMMAND, with letters, digits, `_` and `-` in TYPE");
    rc = check_type(reader, name, length);
    if (rc < 0)
        return rc;
    for (at++; at < end && strchr(blanks, *at);)
        at++;
    if (at == end)
        return fail(reader, at, "the command is missing");
    return add(reader, name, length, at, (size_t)(end - at));
}

static int read_lines(struct reader *reader, size_t size)
{
    const char *at = reader->text;
    const char *end = at + size;
    int rc = 0;

    for (reader->line = 1; at < end && rc == 0; reader->line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        rc = read_line(reader, at, newline ? newline : end);
        at = newline ? newline + 1 : end;
    }
    return rc;
}

int colony_procfile_parse(struct colony_procfile *out, const char *text, size_t size,
                          const char *path, struct colony_error *err)
{
    struct reader reader = {.path = path, .out = out, .err = err};
    int rc;

    *out = (struct colony_procfile){NULL, 0};
    if (size > COLONY_PROCFILE_BYTES_MAX)
        return colony_fail(err, -EFBIG, "cannot read %s: it is larger than 1 MiB", path);
    rc = colony__file_check(&text, &size, "Procfile", path, err);
    if (rc < 0)
        return rc;
    reader.text = text;
    rc = read_lines(&reader, size);
    if (rc == 0 && out->count == 0)
        rc = colony_fail(err, -EINVAL, "%s:1:1: cannot use it: it has no line TYPE: COMMAND", path);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read %s: out of memory", path);
    if (rc < 0)
        colony_procfile_clear(out);
    return rc;
}

int colony_procfile_load(struct colony_procfile *out, const char *path, struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int rc;

    *out = (struct colony_procfile){NULL, 0};
    rc = colony__file_read(&text, &size, path, NULL, err);
    if (rc == 0)
        rc = colony_procfile_parse(out, text, size, path, err);
    free(text);
    return rc;
}

void colony_procfile_clear(struct colony_procfile *procfile)
{
    for (size_t i = 0; i < procfile->count; i++) {
        free(procfile->types[i].name);
        free(procfile->types[i].command);
    }
    free(procfile->types);
    *procfile = (struct colony_procfile){NULL, 0};
}
