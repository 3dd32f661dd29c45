/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/definition.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file_config.h"
#include "core/settings.h"
#include "core/utf8.h"
#include "core/value_internal.h"
#include "fsctl/places.h"
#include "fsctl/places_internal.h"

enum {
    ID_MAX = INT32_MAX - 1, /* the largest is "none" to the kernel, on 32 bits of Python's, too */
};

/* A tree that grows at its end. */
struct builder {
    struct colony_value *map;
    struct colony_error *err;
};

static int add(struct colony_value *parent, const char *key, struct colony_value *child)
{
    struct colony_value **tail = &parent->child;

    if (!child)
        return -ENOMEM;
    child->key = key ? strdup(key) : NULL;
    while (*tail)
        tail = &(*tail)->next;
    *tail = child;
    return key && !child->key ? -ENOMEM : 0;
}

static struct colony_value *new_text(enum colony_value_type type, const char *text)
{
    struct colony_value *value = colony__value_new(type);

    if (value)
        value->text = strdup(text);
    if (value && !value->text) {
        colony_value_free(value);
        return NULL;
    }
    return value;
}

static int check_text(const struct builder *builder, const char *text, const char *what)
{
    if (colony_utf8_length(text, strlen(text)) == strlen(text))
        return 0;
    return colony_fail(builder->err, -EINVAL, "cannot write JSON: this %s is not UTF-8", what);
}

/* A list of texts, the first of which may stand before @items. */
static int add_list(const struct builder *builder, const char *key, const char *first,
                    const char *const *items)
{
    struct colony_value *list = colony__value_new(VALUE_LIST);
    int rc = add(builder->map, key, list);

    if (rc == 0 && first) {
        rc = check_text(builder, first, "command");
        if (rc == 0)
            rc = add(list, NULL, new_text(VALUE_STRING, first));
    }
    for (; *items && rc == 0; items++) {
        rc = check_text(builder, *items, "argument");
        if (rc == 0)
            rc = add(list, NULL, new_text(VALUE_STRING, *items));
    }
    return rc;
}

static int set_variable(const struct builder *builder, struct colony_value *env, const char *text)
{
    const char *equals = strchr(text, '=');
    struct colony_value *known;
    char *key;
    int rc = check_text(builder, text, "variable");

    if (rc < 0)
        return rc;
    if (!equals || equals == text)
        return colony_fail(builder->err, -EINVAL,
                           "cannot use the variable `%.100s`: it must be KEY=VALUE", text);
    key = strndup(text, (size_t)(equals - text));
    if (!key)
        return -ENOMEM;
    known = (struct colony_value *)colony_value_get(env, key);
    if (known) {
        free(known->text);
        known->text = strdup(equals + 1);
        rc = known->text ? 0 : -ENOMEM;
    } else {
        rc = add(env, key, new_text(VALUE_STRING, equals + 1));
    }
    free(key);
    return rc;
}

static int add_env(const struct builder *builder, const char *const *items)
{
    struct colony_value *env = colony__value_new(VALUE_MAP);
    int rc = add(builder->map, "env", env);

    for (; *items && rc == 0; items++)
        rc = set_variable(builder, env, *items);
    return rc;
}

static int add_id(const struct builder *builder, const char *key, uint64_t id)
{
    char text[24];

    if (id == UINT64_MAX)
        return 0;
    if (id > ID_MAX)
        return colony_fail(builder->err, -EINVAL, "cannot use the %s %" PRIu64 ": it is too large",
                           key, id);
    (void)snprintf(text, sizeof text, "%" PRIu64, id);
    return add(builder->map, key, new_text(VALUE_NUMBER, text));
}

/* --- extras ----------------------------------------------------------------------------------- */

static int parse_extras(struct colony_value **extras, const char *source, struct colony_error *err)
{
    size_t blank = strspn(source, " \t\r\n");
    size_t size = 0;
    struct colony_error reason = {0};
    char *read = NULL;
    const char *text = source;
    int rc = 0;

    if (source[blank] != '{' && source[blank] != '[') {
        rc = colony__file_read_regular(&read, &size, source, &reason);
        text = read;
    }
    if (rc < 0)
        return colony_fail(err, rc, "cannot use the extras, a path or a JSON object: %s",
                           reason.message);
    rc = colony_value_parse_json(extras, text, strlen(text), &reason);
    free(read);
    return rc < 0 ? colony_fail(err, rc, "cannot use the extras: %s", reason.message) : 0;
}

/* Puts @member in the place of one with its key, as Python's dict does, else at the end. */
static void put_member(struct colony_value *map, struct colony_value *member)
{
    struct colony_value **at = &map->child;
    struct colony_value *replaced;

    while (*at && strcmp((*at)->key, member->key) != 0)
        at = &(*at)->next;
    replaced = *at;
    member->next = replaced ? replaced->next : NULL;
    *at = member;
    if (replaced)
        replaced->next = NULL;
    colony_value_free(replaced);
}

/* The members of the extras come to the map, and win over what is there. */
static int add_extras(const struct builder *builder, const char *source)
{
    struct colony_value *extras = NULL;
    int rc = parse_extras(&extras, source, builder->err);

    if (rc < 0 || !extras)
        return rc;
    if (extras->type != VALUE_MAP)
        rc = colony_fail(builder->err, -EINVAL, "cannot use the extras: they must be an object");
    while (rc == 0 && extras->child) {
        struct colony_value *member = extras->child;

        extras->child = member->next;
        put_member(builder->map, member);
    }
    colony_value_free(extras);
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int build(const struct builder *builder, const struct colony_definition *definition)
{
    int rc;

    if (definition->cmd[0] == '\0')
        return colony_fail(builder->err, -EINVAL, "cannot use the command: it is empty");
    rc = add_list(builder, "args", definition->cmd, definition->args);
    if (rc == 0 && definition->env[0])
        rc = add_env(builder, definition->env);
    if (rc == 0)
        rc = add_id(builder, "uid", definition->uid);
    if (rc == 0)
        rc = add_id(builder, "gid", definition->gid);
    if (rc == 0 && definition->env_inherit[0])
        rc = add_list(builder, "env_inherit", NULL, definition->env_inherit);
    if (rc == 0 && definition->extras)
        rc = add_extras(builder, definition->extras);
    return rc;
}

static int print(char **text, const struct colony_value *map)
{
    size_t size = 0;
    FILE *file = open_memstream(text, &size);

    if (!file)
        return -ENOMEM;
    colony__json_print(file, map);
    if (fclose(file) == 0)
        return 0;
    free(*text);
    return -ENOMEM;
}

int colony_definition_write(char **text, const struct colony_definition *definition,
                            struct colony_error *err)
{
    const struct builder builder = {colony__value_new(VALUE_MAP), err};
    int rc = builder.map ? build(&builder, definition) : -ENOMEM;

    if (rc == 0)
        rc = print(text, builder.map);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot write JSON: out of memory");
    colony_value_free(builder.map);
    return rc;
}

int colony_definition_check(const char *text, const char *folder, const char *name,
                            struct colony_error *err)
{
    static const struct colony_files_settings any; /* times of the directory, not of a file */
    struct colony_file_config config = {0};
    char path[PATH_MAX];
    const struct colony_file_text from = {name, path, text, strlen(text)};
    int rc;

    (void)snprintf(path, sizeof path, "%.3800s/%s", folder, name);
    rc = colony_file_config_read(&config, &from, &any, err);
    colony_file_config_clear(&config);
    return rc;
}
