/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_edit.c - one key of a YAML text is changed, by whole lines.
 *
 * The lines of a key are those from its own to that of the next key, without the comments before
 * that. What the result must say is worked out from the tree, too: if the edited text says anything
 * else, the one from the tree is taken.
 */
#include "session/yaml_edit_internal.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/value.h"

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

/* Characters that YAML has no room for but in quotes: DEL, C1, U+FEFF, U+FFFE, U+FFFF. Writes those
 * of UTF-8 at @text as \uXXXX; returns the bytes passed, 0 when it is another. */
static size_t write_unprintable(FILE *out, const unsigned char *text)
{
    if (text[0] == 0x7f) {
        (void)fputs("\\u007f", out);
        return 1;
    }
    if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0) {
        (void)fprintf(out, "\\u%04x", text[1]);
        return 2;
    }
    if (text[0] == 0xef && ((text[1] == 0xbb && text[2] == 0xbf) ||
                            (text[1] == 0xbf && (text[2] == 0xbe || text[2] == 0xbf)))) {
        (void)fprintf(out, "\\u%04x", 0xf000 | (text[1] & 0x3f) << 6 | (text[2] & 0x3f));
        return 3;
    }
    return 0;
}

/* What cJSON printed, which is YAML but for those. */
static int write_json(FILE *out, const cJSON *json)
{
    char *text = json ? colony_json_print(json) : NULL;

    if (!text)
        return -ENOMEM;
    for (const char *at = text; *at != '\0';) {
        size_t passed = write_unprintable(out, (const unsigned char *)at);

        if (passed == 0)
            (void)fputc(*at, out);
        at += passed == 0 ? 1 : passed;
    }
    free(text);
    return 0;
}

int colony__yaml_write_text(FILE *out, const char *text)
{
    cJSON *json = cJSON_CreateString(text);
    int rc = write_json(out, json);

    cJSON_Delete(json);
    return rc;
}

int colony__yaml_write_key(FILE *out, const char *text)
{
    bool is_plain =
        text[0] != '\0' && text[0] != '-' && text[0] != '.' && text[strspn(text, PLAIN)] == '\0';

    if (!is_plain)
        return colony__yaml_write_text(out, text);
    (void)fputs(text, out);
    return 0;
}

static int write_value(FILE *out, const struct colony_value *value);

/* In one line, as flow. */
static int write_children(FILE *out, const struct colony_value *value)
{
    bool is_map = value->type == VALUE_MAP;
    int rc = 0;

    (void)fputc(is_map ? '{' : '[', out);
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next) {
        if (child != value->child)
            (void)fputs(", ", out);
        if (is_map) {
            rc = colony__yaml_write_text(out, child->key);
            (void)fputs(": ", out);
        }
        if (rc == 0)
            rc = write_value(out, child);
    }
    (void)fputc(is_map ? '}' : ']', out);
    return rc;
}

/* Booleans and numbers as they were written: `yes` may be what a variable is to say. */
static int write_value(FILE *out, const struct colony_value *value)
{
    switch (value->type) {
    case VALUE_BOOL:
    case VALUE_NUMBER:
        (void)fputs(value->text, out);
        return 0;
    case VALUE_STRING:
        return colony__yaml_write_text(out, value->text);
    case VALUE_LIST:
    case VALUE_MAP:
        return write_children(out, value);
    case VALUE_NULL:
        break;
    }
    (void)fputs("null", out);
    return 0;
}

static int write_new(FILE *out, const struct colony__yaml_edit *edit)
{
    int rc = colony__yaml_write_key(out, edit->key);

    (void)fprintf(out, ":%s", edit->value);
    return rc;
}

/* --- from the tree ------------------------------------------------------------------------------
 */

/* The members of @map, one a line, with the edit done; of what is no map there are none. */
static int write_members(FILE *out, const struct colony_value *map,
                         const struct colony__yaml_edit *edit, const char *indent)
{
    const struct colony_value *first = map && map->type == VALUE_MAP ? map->child : NULL;
    int rc = 0;

    for (const struct colony_value *member = first; member && rc == 0; member = member->next) {
        if (strcmp(member->key, edit->key) == 0)
            continue;
        (void)fputs(indent, out);
        rc = colony__yaml_write_key(out, member->key);
        (void)fputs(": ", out);
        if (rc == 0)
            rc = write_value(out, member);
        (void)fputc('\n', out);
    }
    if (rc == 0 && edit->value) {
        (void)fputs(indent, out);
        rc = write_new(out, edit);
    }
    return rc;
}

static int write_tree(FILE *out, const struct colony_value *root,
                      const struct colony__yaml_edit *edit)
{
    /* Where nothing but the parent's own members change, it is a removal followed by them. */
    const struct colony__yaml_edit without = {.key = edit->parent};
    int rc;

    if (!edit->parent)
        return write_members(out, root, edit, "");
    rc = write_members(out, root, &without, "");
    if (rc == 0)
        rc = colony__yaml_write_key(out, edit->parent);
    (void)fputs(":\n", out);
    return rc < 0 ? rc : write_members(out, colony_value_get(root, edit->parent), edit, "  ");
}

/* --- by lines -----------------------------------------------------------------------------------
 */

/* Where line @line, from 1, begins. */
static const char *line_start(const char *text, unsigned line)
{
    while (--line > 0) {
        const char *end = strchr(text, '\n');

        if (!end)
            return text + strlen(text);
        text = end + 1;
    }
    return text;
}

/* A blank line, or a comment no further to the right than @column (from 1): not a part of what is
 * above it. */
static bool is_apart(const char *line, const char *end, unsigned column)
{
    const char *word = line;

    while (word < end && (*word == ' ' || *word == '\t'))
        word++;
    return word == end || *word == '\n' || *word == '\r' ||
           (*word == '#' && (size_t)(word - line) < column);
}

/* [*begin, *end) of what belongs to @member, when the lines of its map end at @limit. */
static void find_lines(const char *text, const struct colony_value *member, const char *limit,
                       const char **begin, const char **end)
{
    *begin = line_start(text, member->line);
    *end = member->next ? line_start(text, member->next->line) : limit;
    while (*end > *begin) {
        const char *last = *end - 1;

        while (last > *begin && last[-1] != '\n')
            last--;
        if (last == *begin || !is_apart(last, *end, member->column))
            return;
        *end = last;
    }
}

static const struct colony_value *find_last(const struct colony_value *map)
{
    const struct colony_value *last = map->child;

    while (last && last->next)
        last = last->next;
    return last;
}

/* What is replaced, and how far what takes its place is indented. */
struct span {
    const char *begin;
    const char *end;
    unsigned indent;
};

/* The place of @key among the members of @map, whose lines end at @limit; else the end of them. */
static void find_span(const char *text, const struct colony_value *map, const char *key,
                      const char *limit, struct span *span)
{
    const struct colony_value *member = colony_value_get(map, key);
    const struct colony_value *last = find_last(map);

    if (!member && !last)
        return;
    find_lines(text, member ? member : last, limit, &span->begin, &span->end);
    if (!member)
        span->begin = span->end;
    span->indent = (member ? member : last)->column - 1;
}

static int write_lines(FILE *out, const char *text, const struct colony_value *root,
                       const struct colony__yaml_edit *edit)
{
    const char *all_end = text + strlen(text);
    const struct colony_value *parent = edit->parent ? colony_value_get(root, edit->parent) : NULL;
    struct span span = {all_end, all_end, 0};
    int rc = 0;

    find_span(text, root, edit->parent ? edit->parent : edit->key, all_end, &span);
    if (parent) {
        const char *limit = span.end;

        span.begin = span.end = line_start(text, parent->line + 1); /* when it has none */
        span.indent = parent->column + 1;
        find_span(text, parent, edit->key, limit, &span);
    }
    (void)fwrite(text, 1, (size_t)(span.begin - text), out);
    if (edit->value) {
        if (span.begin > text && span.begin[-1] != '\n')
            (void)fputc('\n', out);
        if (edit->parent && !parent) {
            rc = colony__yaml_write_key(out, edit->parent);
            (void)fputs(":\n", out);
            span.indent = 2;
        }
        (void)fprintf(out, "%*s", (int)span.indent, "");
        if (rc == 0)
            rc = write_new(out, edit);
    }
    (void)fputs(span.end, out);
    return rc;
}

/* --- both ---------------------------------------------------------------------------------------
 */

static bool says_the_same(const char *left, const char *right)
{
    struct colony_value *a = NULL;
    struct colony_value *b = NULL;
    bool is_same = colony_value_parse_yaml(&a, left, strlen(left), "", NULL) == 0 &&
                   colony_value_parse_yaml(&b, right, strlen(right), "", NULL) == 0 &&
                   colony_value_hash(a) == colony_value_hash(b);

    colony_value_free(a);
    colony_value_free(b);
    return is_same;
}

typedef int (*write_cb)(FILE *out, const char *text, const struct colony_value *root,
                        const struct colony__yaml_edit *edit);

static int write_anew(FILE *out, const char *text, const struct colony_value *root,
                      const struct colony__yaml_edit *edit)
{
    (void)text;
    return write_tree(out, root, edit);
}

/* Each line of @text ends as DOS has it. */
static bool has_crlf(const char *text)
{
    const char *end = strchr(text, '\n');

    if (!end)
        return false;
    for (; end; end = strchr(end + 1, '\n'))
        if (end == text || end[-1] != '\r')
            return false;
    return true;
}

/* Takes @made; in what it gives the new lines end as the others do. */
static char *end_lines_alike(char *made)
{
    char *alike = malloc(strlen(made) * 2 + 1);
    char *out = alike;

    for (const char *in = made; alike && *in != '\0'; in++) {
        if (*in == '\n' && (in == made || in[-1] != '\r'))
            *out++ = '\r';
        *out++ = *in;
    }
    if (alike)
        *out = '\0';
    free(made);
    return alike;
}

static char *produce(write_cb write, const char *text, const struct colony_value *root,
                     const struct colony__yaml_edit *edit)
{
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);
    int rc;

    if (!out)
        return NULL;
    rc = write(out, text, root, edit);
    if (fclose(out) == 0 && rc == 0)
        return has_crlf(text) ? end_lines_alike(made) : made;
    free(made);
    return NULL;
}

int colony__yaml_edit(char **text, const char *name, const struct colony__yaml_edit *edit,
                      struct colony_error *err)
{
    struct colony_value *root = NULL;
    char *by_lines;
    char *anew;
    int rc = colony_value_parse_yaml(&root, *text, strlen(*text), name, err);

    if (rc < 0)
        return rc;
    if (root->type != VALUE_MAP) {
        rc = colony_fail(err, -EINVAL, "%s:%u:%u: cannot change this: it must be a map", name,
                         root->line, root->column);
        colony_value_free(root);
        return rc;
    }
    by_lines = produce(write_lines, *text, root, edit);
    anew = produce(write_anew, *text, root, edit);
    colony_value_free(root);
    if (!by_lines || !anew) {
        free(by_lines);
        free(anew);
        return colony_fail(err, -ENOMEM, "cannot change %s: out of memory", name);
    }
    free(*text);
    *text = says_the_same(by_lines, anew) ? by_lines : anew;
    free(*text == anew ? by_lines : anew);
    return 0;
}
