/* SPDX-License-Identifier: Apache-2.0 */
/* etc_file.c - a process's own file, by one table of what may stand in it. */
#include "session/etc_file_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "core/utf8.h"
#include "core/value.h"
#include "session/owner_internal.h"
#include "session/process.h"
#include "session/process_internal.h"
#include "session/yaml_edit_internal.h"

enum field_type {
    FIELD_TEXT,  /* char * */
    FIELD_LIST,  /* char **, a list of texts */
    FIELD_PAIRS, /* char **, KEY=VALUE; a map */
    FIELD_FLAG,  /* bool, 0 or 1 */
};

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
};

#define AT(member) offsetof(struct colony_session_process, member)

/* In the order of a new file. */
static const struct field fields[] = {
    {"name", FIELD_TEXT, AT(name)},         {"uri", FIELD_TEXT, AT(uri)},

    {"cmdline", FIELD_LIST, AT(cmdline)},   {"restart", FIELD_FLAG, AT(restart)},
    {"shutdown", FIELD_FLAG, AT(shutdown)}, {"cwd", FIELD_TEXT, AT(cwd)},
    {"env", FIELD_PAIRS, AT(env)},          {"keywords", FIELD_PAIRS, AT(keywords)},
    {"uid", FIELD_TEXT, AT(uid)},           {"gid", FIELD_TEXT, AT(gid)},
    {"groups", FIELD_LIST, AT(groups)},
};

enum {
    FIELD_COUNT = sizeof fields / sizeof fields[0],
};

static void *field_of(const struct colony_session_process *process, const struct field *field)
{
    return (char *)process + field->offset;
}

/* --- read ---------------------------------------------------------------------------------------
 */

static int fail_at(struct colony_error *err, const char *path, const struct colony_value *value,
                   const char *reason)
{
    return colony_fail(err, -EINVAL, "%s:%u:%u: cannot use %s: %s", path, value->line,
                       value->column, value->key ? value->key : "this", reason);
}

/* A text, a number or a boolean as it was written; nothing is an empty one. */
static const char *text_of(const struct colony_value *value)
{
    if (value->type == VALUE_NULL)
        return "";
    return value->type == VALUE_LIST || value->type == VALUE_MAP ? NULL : value->text;
}

static size_t count_children(const struct colony_value *value)
{
    size_t count = 0;

    for (const struct colony_value *child = value->child; child; child = child->next)
        count++;
    return count;
}

/* "TEXT" of a list, "KEY=TEXT" of a map. */
static char *copy_item(const struct colony_value *item, const char *text)
{
    char *copy = NULL;

    if (!item->key)
        return strdup(text);
    return asprintf(&copy, "%s=%s", item->key, text) < 0 ? NULL : copy;
}

static int read_items(char ***out, const struct colony_value *value, const char *path,
                      struct colony_error *err)
{
    char **items = calloc(count_children(value) + 1, sizeof *items);
    size_t count = 0;

    if (!items)
        return colony_fail(err, -ENOMEM, "cannot read %s: out of memory", path);
    for (const struct colony_value *item = value->child; item; item = item->next) {
        const char *text = text_of(item);
        const char *reason = !text ? "it must be a text" : NULL;

        if (item->key && (item->key[0] == '\0' || strchr(item->key, '=')))
            reason = "a name is not empty and has no `=`";
        items[count] = reason ? NULL : copy_item(item, text);
        if (!items[count]) {
            colony__strings_free(items);
            return reason ? fail_at(err, path, item, reason)
                          : colony_fail(err, -ENOMEM, "cannot read %s: out of memory", path);
        }
        count++;
    }
    *out = items;
    return 0;
}

static int read_text(char **out, const struct colony_value *value, const char *path,
                     struct colony_error *err)
{
    const char *text = text_of(value);

    if (!text)
        return fail_at(err, path, value, "it must be a text");
    *out = strdup(text);
    return *out ? 0 : colony_fail(err, -ENOMEM, "cannot read %s: out of memory", path);
}

static int read_flag(bool *out, const struct colony_value *value, const char *path,
                     struct colony_error *err)
{
    if (value->type == VALUE_BOOL)
        *out = value->boolean;
    else if (value->type == VALUE_NUMBER && (value->number == 0 || value->number == 1))
        *out = value->number == 1;
    else
        return fail_at(err, path, value, "it must be 0 or 1");
    return 0;
}

static int read_field(struct colony_session_process *out, const struct field *field,
                      const struct colony_value *value, const char *path, struct colony_error *err)
{
    switch (field->type) {
    case FIELD_TEXT:
        return read_text(field_of(out, field), value, path, err);
    case FIELD_FLAG:
        return read_flag(field_of(out, field), value, path, err);
    case FIELD_LIST:
        if (value->type != VALUE_LIST)
            return fail_at(err, path, value, "it must be a list, a text for each argument");
        return read_items(field_of(out, field), value, path, err);
    case FIELD_PAIRS:
        if (value->type != VALUE_MAP)
            return fail_at(err, path, value, "it must be a map of texts");
        return read_items(field_of(out, field), value, path, err);
    }
    return -EINVAL;
}

static const struct field *find_field(const char *key)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

/* Files of gutools have keys of their own: only what looks like a slip of the pen is one. */
static int check_stranger(const struct colony_value *value, const char *path,
                          struct colony_error *err)
{
    const char *names[FIELD_COUNT + 1] = {NULL};
    const char *nearest;

    for (size_t i = 0; i < FIELD_COUNT; i++)
        names[i] = fields[i].key;
    nearest = strlen(value->key) > 3 ? colony_name_nearest(value->key, names) : NULL;
    if (!nearest)
        return 0;
    return colony_fail(err, -EINVAL, "%s:%u:%u: cannot use %s: did you mean %s?", path, value->line,
                       value->column, value->key, nearest);
}

/* Names are not: the one who reads this may not be the one who knows them. */
static int check_owner(const struct colony_session_process *process,
                       const struct colony_value *root, const char *path, struct colony_error *err)
{
    static const char reason[] = "it must be a number";

    if (process->uid && !colony__owner_is_number(process->uid))
        return fail_at(err, path, colony_value_get(root, "uid"), reason);
    if (process->gid && !colony__owner_is_number(process->gid))
        return fail_at(err, path, colony_value_get(root, "gid"), reason);
    if (!process->uid != !process->gid)
        return fail_at(err, path, root, "`uid` and `gid` belong together: give both or neither");
    for (char **group = process->groups; group && *group; group++)
        if (!process->uid || !colony__owner_is_number(*group))
            return fail_at(err, path, colony_value_get(root, "groups"),
                           process->uid ? reason : "it belongs to `uid` and `gid`");
    return 0;
}

static int check(const struct colony_session_process *process, const struct colony_value *root,
                 const char *path, struct colony_error *err)
{
    struct colony_error reason;

    if (process->name && colony__session_name_check_own(process->name, &reason) < 0)
        return fail_at(err, path, colony_value_get(root, "name"), reason.message);
    if (process->cmdline && (!process->cmdline[0] || process->cmdline[0][0] == '\0'))
        return fail_at(err, path, colony_value_get(root, "cmdline"),
                       "the first of it is the program, and there is none");
    if (check_owner(process, root, path, err) < 0)
        return -EINVAL;
    if (process->cwd && process->cwd[0] != '/')
        return fail_at(err, path, colony_value_get(root, "cwd"), "it must begin with a `/`");
    return 0;
}

static int read_tree(struct colony_session_process *out, const struct colony_value *root,
                     const char *path, struct colony_error *err)
{
    if (root->type != VALUE_MAP)
        return fail_at(err, path, root, "it must be a map: name, cmdline, restart, ...");
    for (const struct colony_value *value = root->child; value; value = value->next) {
        const struct field *field = find_field(value->key);
        int rc = 0;

        if (!field)
            rc = check_stranger(value, path, err);
        else if (value->type != VALUE_NULL)
            rc = read_field(out, field, value, path, err);
        if (rc < 0)
            return rc;
    }
    colony__strings_sort(out->env);
    return check(out, root, path, err);
}

int colony__etc_parse(struct colony_session_process *out, const char *path, const char *text,
                      size_t size, struct colony_error *err)
{
    struct colony_session_process read = {0};
    struct colony_value *root = NULL;
    int rc = colony_value_parse_yaml(&root, text, size, path, err);

    if (rc == 0)
        rc = read_tree(&read, root, path, err);
    colony_value_free(root);
    if (rc < 0)
        colony_session_process_clear(&read);
    else
        *out = read;
    return rc;
}

/* --- write --------------------------------------------------------------------------------------
 */

static bool is_same_text(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}

static bool is_same(const struct field *field, const struct colony_session_process *left,
                    const struct colony_session_process *right)
{
    const void *a = field_of(left, field);
    const void *b = field_of(right, field);

    switch (field->type) {
    case FIELD_TEXT:
        return is_same_text(*(char *const *)a, *(char *const *)b);
    case FIELD_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case FIELD_LIST:
    case FIELD_PAIRS:
        return colony__strings_equal(*(char **const *)a, *(char **const *)b);
    }
    return false;
}

/* "  KEY: VALUE" */
static int write_pair(FILE *out, const char *pair)
{
    size_t length = strcspn(pair, "=");
    char *key = strndup(pair, length);
    int rc;

    (void)fputs("  ", out);
    rc = key ? colony__yaml_write_key(out, key) : -ENOMEM;
    free(key);
    (void)fputs(": ", out);
    return rc < 0 ? rc : colony__yaml_write_text(out, pair + length + (pair[length] == '='));
}

static int write_items(FILE *out, enum field_type type, char *const *items)
{
    int rc = 0;

    if (!items[0])
        (void)fputs(type == FIELD_LIST ? " []" : " {}", out);
    (void)fputc('\n', out);
    for (; *items && rc == 0; items++) {
        if (type == FIELD_LIST)
            (void)fputs("  - ", out);
        rc = type == FIELD_LIST ? colony__yaml_write_text(out, *items) : write_pair(out, *items);
        (void)fputc('\n', out);
    }
    return rc;
}

static int write_field(FILE *out, const struct field *field,
                       const struct colony_session_process *process)
{
    const void *at = field_of(process, field);
    int rc;

    switch (field->type) {
    case FIELD_TEXT:
        (void)fputc(' ', out);
        rc = colony__yaml_write_text(out, *(char *const *)at);
        (void)fputc('\n', out);
        return rc;
    case FIELD_FLAG:
        (void)fprintf(out, " %d\n", *(const bool *)at);
        return 0;
    case FIELD_LIST:
    case FIELD_PAIRS:
        return write_items(out, field->type, *(char **const *)at);
    }
    return -EINVAL;
}

static bool is_absent(const struct field *field, const struct colony_session_process *process)
{
    return field->type != FIELD_FLAG && !*(void *const *)field_of(process, field);
}

/* What was not in the file and is as it would be without is not written, but in a new one. */
static int edit_field(char **text, const char *path, const struct field *field,
                      const struct colony_session_process *process, struct colony_error *err)
{
    struct colony__yaml_edit edit = {.key = field->key};
    char *value = NULL;
    size_t size = 0;
    FILE *out;
    int rc;

    if (is_absent(field, process))
        return colony__yaml_edit(text, path, &edit, err);
    out = open_memstream(&value, &size);
    rc = out ? write_field(out, field, process) : -ENOMEM;
    if (out && (fclose(out) != 0 || rc < 0))
        rc = -ENOMEM;
    if (rc < 0) {
        free(value);
        return colony_fail(err, rc, "cannot change %s: out of memory", path);
    }
    edit.value = value;
    rc = colony__yaml_edit(text, path, &edit, err);
    free(value);
    return rc;
}

static int check_utf8(const char *path, const struct colony_session_process *process,
                      struct colony_error *err)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        void *at = field_of(process, &fields[i]);
        char *one[] = {fields[i].type == FIELD_TEXT ? *(char **)at : NULL, NULL};
        char **items =
            fields[i].type == FIELD_LIST || fields[i].type == FIELD_PAIRS ? *(char ***)at : one;

        for (; items && *items; items++)
            if (colony_utf8_length(*items, strlen(*items)) != strlen(*items))
                return colony_fail(err, -EINVAL,
                                   "cannot write %s: its %s has bytes that are not UTF-8", path,
                                   fields[i].key);
    }
    return 0;
}

int colony__etc_edit(char **text, const char *path, const struct colony_session_process *process,
                     struct colony_error *err)
{
    struct colony_session_process now = {0};
    bool is_new = (*text)[0] == '\0';
    int rc = check_utf8(path, process, err);

    if (rc == 0)
        rc = colony__etc_parse(&now, path, *text, strlen(*text), err);
    for (size_t i = 0; i < FIELD_COUNT && rc == 0; i++)
        if ((is_new && !is_absent(&fields[i], process)) || !is_same(&fields[i], &now, process))
            rc = edit_field(text, path, &fields[i], process, err);
    colony_session_process_clear(&now);
    if (rc == 0) /* nothing is written that could not be read again */
        rc = colony__etc_parse(&now, path, *text, strlen(*text), err);
    colony_session_process_clear(&now);
    return rc;
}
