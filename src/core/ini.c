/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inih splits lines into names and values. Which section they are in is noted here, line by line:
 * inih cuts names of sections at 49 bytes and does not tell of those that are empty.
 */
#include "core/ini.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "core/error.h"
#include "core/ini_internal.h"
#include "core/setting_internal.h"
#include "core/value_internal.h"

enum {
    LINE_BYTES_MAX = 64 << 10,
    VALUE_BYTES_MAX = 128 << 10, /* more than any argument of a program can have */
};

/* Not every build of inih lets its user choose how long a line may be; others have 200 bytes. */
extern int ini_max_line __attribute__((weak));

struct ini_reader {
    const char *at; /* what inih has not been given yet */
    const char *end;
    const char *name; /* of the file, in messages */
    unsigned line;    /* the one that inih has */
    unsigned indent;
    struct colony_value *root;
    struct colony_value **next_section;
    struct colony_value *section; /* the last one; NULL: none yet */
    struct colony_value **next_member;
    struct colony_value *member; /* what an indented line goes on with; NULL: nothing */
    size_t length;               /* of its text */
    size_t nodes;
    int rc;
    struct colony_error *err;
};

static int fail_line(struct ini_reader *reader, const char *reason)
{
    return colony_fail(reader->err, -EINVAL, "%s:%u:%u: cannot %s", reader->name, reader->line,
                       reader->indent + 1, reason);
}

/* Puts a node at the end of a list. NULL: reader->rc says why. */
static struct colony_value *add_node(struct ini_reader *reader, struct colony_value ***tail,
                                     enum colony_value_type type, const char *key, size_t length)
{
    struct colony_value *node;

    if (++reader->nodes > COLONY_VALUE_NODES_MAX) {
        reader->rc = fail_line(reader, "read on: there are more than 2000000 values");
        return NULL;
    }
    node = colony__value_new(type);
    if (node)
        node->key = strndup(key, length);
    if (!node || !node->key) {
        colony_value_free(node);
        reader->rc = -ENOMEM;
        return NULL;
    }
    node->line = reader->line;
    node->column = reader->indent + 1;
    **tail = node;
    *tail = &node->next;
    return node;
}

/* @line begins with `[`; where nothing ends it inih will say so. */
static void open_section(struct ini_reader *reader, const char *line)
{
    const char *begin = line + 1 + strspn(line + 1, " \t");
    const char *end = strchr(begin, ']');

    if (!end)
        return;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    reader->section =
        add_node(reader, &reader->next_section, VALUE_MAP, begin, (size_t)(end - begin));
    if (reader->section)
        reader->next_member = &reader->section->child;
    reader->member = NULL;
}

/* What inih reads its lines with, one a call, as fgets(3). */
static char *give_line(char *buffer, int size, void *stream)
{
    struct ini_reader *reader = stream;
    size_t left = (size_t)(reader->end - reader->at);
    const char *newline = left > 0 ? memchr(reader->at, '\n', left) : NULL;
    size_t length = newline ? (size_t)(newline - reader->at) + 1 : left;

    if (left == 0 || reader->rc < 0)
        return NULL;
    reader->line++;
    reader->indent = 0;
    if (size < 1 || length >= (size_t)size) {
        reader->rc = fail_line(reader, "read this line: it is too long, go on in the next one "
                                       "after a blank");
        return NULL;
    }
    memcpy(buffer, reader->at, length);
    buffer[length] = '\0';
    reader->at += length;
    reader->indent = (unsigned)strspn(buffer, " \t\r\v\f");
    if (buffer[reader->indent] == '[' && !(reader->member && reader->indent > 0))
        open_section(reader, buffer + reader->indent);
    return reader->rc < 0 ? NULL : buffer;
}

/* As configparser joins them. */
static int continue_member(struct ini_reader *reader, const char *value)
{
    size_t length = strlen(value);
    char *text;

    if (reader->length + 1 + length > VALUE_BYTES_MAX)
        return fail_line(reader, "use this value: it has more than 128 KiB");
    text = realloc(reader->member->text, reader->length + 1 + length + 1);
    if (!text)
        return -ENOMEM;
    text[reader->length] = '\n';
    memcpy(text + reader->length + 1, value, length + 1);
    reader->member->text = text;
    reader->length += 1 + length;
    return 0;
}

static int begin_member(struct ini_reader *reader, const char *name, const char *value)
{
    if (!reader->section)
        return fail_line(reader, "use this key: put it below a [SECTION]");
    if (name[0] == '\0')
        return fail_line(reader, "use this value: its key is missing");
    reader->member = add_node(reader, &reader->next_member, VALUE_STRING, name, strlen(name));
    if (!reader->member)
        return reader->rc;
    reader->length = strlen(value);
    reader->member->text = strdup(value);
    return reader->member->text ? 0 : -ENOMEM;
}

/* 0 is an error here, as inih wants it. */
static int on_value(void *data, const char *section, const char *name, const char *value)
{
    struct ini_reader *reader = data;

    (void)section;
    if (!name || !value)
        return 1;
    if (reader->member && reader->indent > 0)
        reader->rc = continue_member(reader, value);
    else
        reader->rc = begin_member(reader, name, value);
    return reader->rc == 0;
}

static int read_sections(struct ini_reader *reader)
{
    int mistake;

    if (&ini_max_line)
        ini_max_line = LINE_BYTES_MAX;
    mistake = ini_parse_stream(give_line, reader, on_value, reader);
    if (mistake > 0 && (reader->rc == 0 || (unsigned)mistake < reader->line)) {
        reader->line = (unsigned)mistake;
        reader->indent = 0;
        return fail_line(reader, "read this INI: write KEY = VALUE or [SECTION], or begin a "
                                 "comment with `;`");
    }
    return mistake < 0 ? -ENOMEM : reader->rc;
}

int colony_value_parse_ini(struct colony_value **out, const char *text, size_t size,
                           const char *name, struct colony_error *err)
{
    const struct colony__reading reading = {.file = name, .err = err};
    struct ini_reader reader = {.name = name, .err = err};
    int rc = colony__file_check(&text, &size, "INI", name, err);

    if (rc < 0)
        return rc;
    reader.at = text;
    reader.end = text + size;
    reader.root = colony__value_new(VALUE_MAP);
    if (!reader.root)
        return colony_fail(err, -ENOMEM, "cannot read %s: out of memory", name);
    reader.next_section = &reader.root->child;
    rc = read_sections(&reader);
    if (rc == 0)
        rc = colony__ini_apply_default(reader.root, &reading);
    if (rc == 0)
        rc = colony__ini_settle(reader.root, &reading);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read %s: out of memory", name);
    if (rc < 0)
        colony_value_free(reader.root);
    else
        *out = reader.root;
    return rc;
}
