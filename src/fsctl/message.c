/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/message_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"

static const struct type {
    const char *name;
    enum colony__message_type type;
    const char *target; /* the key that says what is meant; NULL: all are */
} types[] = {
    {"RESTART", MESSAGE_RESTART_ONE, "name"},
    {"RESTART-ALL", MESSAGE_RESTART_ALL, NULL},
    {"RESTART-GROUP", MESSAGE_RESTART_GROUP, "group"},
};

static int fail(const struct colony_value *place, const char *path, struct colony_error *err,
                const char *reason)
{
    return colony_fail(err, -EINVAL, "%s:%u:%u: %s", path, place->line, place->column, reason);
}

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static int read_target(struct colony__message *out, const struct colony_value *tree,
                       const struct type *type, const char *path, struct colony_error *err)
{
    const struct colony_value *target = colony_value_get(tree, type->target);
    struct colony_error reason;

    if (!target || target->type != VALUE_STRING)
        return fail(target ? target : tree, path, err,
                    strcmp(type->target, "name") == 0
                        ? "cannot use this message: `name` must be there, and a text"
                        : "cannot use this message: `group` must be there, and a text");
    if (colony_name_check_file(target->text, &reason) < 0)
        return fail(target, path, err, reason.message);
    (void)snprintf(out->target, sizeof out->target, "%s", target->text);
    return 0;
}

static int read_message(struct colony__message *out, const struct colony_value *tree,
                        const char *path, struct colony_error *err)
{
    const struct colony_value *name = colony_value_get(tree, "type");
    const struct type *type;

    if (tree->type != VALUE_MAP)
        return fail(tree, path, err, "cannot use this message: it must be a JSON object");
    if (!name || name->type != VALUE_STRING)
        return fail(name ? name : tree, path, err,
                    "cannot use this message: `type` must be there, and a text");
    type = find_type(name->text);
    if (!type)
        return fail(name, path, err,
                    "cannot use this message: `type` must be RESTART, RESTART-ALL or "
                    "RESTART-GROUP");
    *out = (struct colony__message){.type = type->type};
    return type->target ? read_target(out, tree, type, path, err) : 0;
}

int colony__message_parse(struct colony__message *out, const char *text, size_t size,
                          const char *path, struct colony_error *err)
{
    struct colony_value *tree = NULL;
    int rc = colony_value_parse_json_file(&tree, text, size, path, err);

    if (rc == 0)
        rc = read_message(out, tree, path, err);
    colony_value_free(tree);
    return rc;
}
