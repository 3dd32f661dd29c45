/* SPDX-License-Identifier: Apache-2.0 */
/* templates.c - templates that come, and new settings for those that are there. */
#include "core/template.h"

#include <errno.h>
#include <string.h>

#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/value.h"

/* The settings in the body. Whatever is wrong with the text itself is -EBADMSG: invalid_json. */
static int parse_body(struct colony_value **out, const struct colony__request *request,
                      struct colony_error *err)
{
    int rc;

    if (request->body_size == 0)
        return colony_fail(err, -EBADMSG,
                           "cannot read the settings: the body is empty, and should be a JSON "
                           "object with `name` and `cmd`");
    rc = colony_value_parse_json(out, request->body, request->body_size, err);
    if (rc < 0 && rc != -ENOMEM)
        rc = err->code = -EBADMSG;
    return rc;
}

/* gaffer's word for settings that can't be used; but for conflicts and for want of memory. */
static int refuse(struct colony__connection *connection, const struct colony_error *err)
{
    int status = colony_error_info(err->code)->http_status;

    if (status == 409 || status == 503)
        return err->code;
    colony__respond_failure(connection, 400, "invalid_process_info", err->message);
    return 0;
}

/* gaffer's documents have "" for what is not said of these. */
static bool is_left_empty(const struct colony_value *member)
{
    static const char *const names[] = {"uid", "gid", "cwd"};

    if (member->type != VALUE_STRING || member->text[0] != '\0')
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(member->key, names[i]) == 0)
            return true;
    return false;
}

static void drop_empty(struct colony_value *value)
{
    struct colony_value **at;

    if (!value || value->type != VALUE_MAP)
        return;
    for (at = &value->child; *at;) {
        struct colony_value *member = *at;

        if (!is_left_empty(member)) {
            at = &member->next;
            continue;
        }
        *at = member->next;
        member->next = NULL;
        colony_value_free(member);
    }
}

/* Makes the template of @value, which it frees, and hands it to the engine. */
static int put(struct colony__connection *connection, const char *name, struct colony_value *value,
               struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    const char *why = colony__connection_why(connection);
    struct colony_template *template = NULL;
    struct colony__json json = {0};
    int rc;

    drop_empty(value);
    rc = colony_template_new(&template, name, value, NULL, false, err);
    colony_value_free(value);
    if (rc == 0)
        rc = name ? colony_engine_update_template(engine, template, why, err)
                  : colony_engine_add_template(engine, template, "http", why, err);
    if (rc < 0)
        return refuse(connection, err);
    colony__json_open_ok(&json);
    colony__json_close(&json, '}');
    return colony__respond_recorded(connection, 200, &json);
}

int colony__post_process(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err)
{
    const struct colony_value *name;
    struct colony_value *value = NULL;
    int rc = parse_body(&value, request, err);

    if (rc < 0)
        return rc;
    name = colony_value_get(value, "name");
    if (name && name->type == VALUE_STRING &&
        colony_engine_find_template(colony__connection_engine(connection), name->text)) {
        (void)colony_fail(
            err, -EEXIST,
            "cannot add '%s': it is there already; update_process (PUT) gives it new settings",
            name->text);
        colony_value_free(value); /* whatever else is wrong with it */
        return -EEXIST;
    }
    return put(connection, NULL, value, err);
}

int colony__put_process(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony__target target = {0};
    struct colony_value *value = NULL;
    int rc = colony__target_find_template(&target, colony__connection_engine(connection),
                                          request->args[0], err);

    if (rc == 0)
        rc = parse_body(&value, request, err);
    return rc < 0 ? rc : put(connection, target.name, value, err);
}
