/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c - templates that are called GROUP:NAME, all together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/actions_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"

/* Borrowed until the loop's next turn. */
struct member {
    const char *name;
    const char *group;
};

/* All templates that have a group, or those of one. */
struct members {
    struct colony_engine *engine;
    const char *group; /* NULL: of all groups */
    struct member *items;
    size_t count;
    size_t capacity;
    bool failed;
};

static void add_member(const struct colony_template *template, void *data)
{
    struct members *members = data;
    struct member *items;

    if (!template->group || (members->group && strcmp(template->group, members->group) != 0))
        return;
    items = colony_array_room(members->items, members->count, &members->capacity, sizeof *items);
    members->failed |= !items;
    if (!items)
        return;
    members->items = items;
    members->items[members->count++] = (struct member){template->name, template->group};
}

/* In order of addition; items are the caller's to free. -ENOENT: @group has none. */
static int find_members(struct members *members, struct colony__connection *connection,
                        const char *group, struct colony_error *err)
{
    *members = (struct members){.engine = colony__connection_engine(connection), .group = group};
    colony_engine_each_template(members->engine, add_member, members);
    if (members->failed) {
        free(members->items);
        (void)colony_fail_os(err, -ENOMEM, "cannot list the groups");
        return -ENOMEM;
    }
    if (members->count > 0 || !group)
        return 0;
    (void)colony_fail(err, -ENOENT, "cannot find the group '%s': no process is called %s:…", group,
                      group);
    return -ENOENT;
}

static int compare_groups(const void *left, const void *right)
{
    return strcmp(((const struct member *)left)->group, ((const struct member *)right)->group);
}

int colony__get_groups(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    struct members members;
    struct colony__json json = {0};
    int rc = find_members(&members, connection, NULL, err);

    (void)request;
    if (rc < 0)
        return rc;
    if (members.count > 0)
        qsort(members.items, members.count, sizeof *members.items, compare_groups);
    colony__json_open(&json, NULL, '[');
    for (size_t i = 0; i < members.count; i++)
        if (i == 0 || strcmp(members.items[i - 1].group, members.items[i].group) != 0)
            colony__json_add_text(&json, NULL, members.items[i].group);
    colony__json_close(&json, ']');
    free(members.items);
    return colony__respond_json(connection, 200, &json);
}

int colony__get_group(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    struct members members;
    struct colony__json json = {0};
    int rc = find_members(&members, connection, request->args[0], err);

    if (rc < 0)
        return rc;
    colony__json_open(&json, NULL, '[');
    for (size_t i = 0; i < members.count; i++)
        colony__json_add_text(&json, NULL, members.items[i].name);
    colony__json_close(&json, ']');
    free(members.items);
    return colony__respond_json(connection, 200, &json);
}

static int act_on_group(struct colony__connection *connection,
                        const struct colony__request *request, const struct colony__action *action,
                        struct colony_error *err)
{
    struct colony__subjects subjects = {0};
    struct members members;
    int rc = find_members(&members, connection, request->args[0], err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < members.count && rc == 0; i++)
        rc = colony__subjects_add(&subjects, members.items[i].name);
    free(members.items);
    if (rc == 0)
        return colony__act(connection, request, action, &subjects, err);
    colony__subjects_clear(&subjects);
    return colony_fail_os(err, rc, "cannot change the group '%s'", request->args[0]);
}

int colony__post_group_once(struct colony__connection *connection,
                            const struct colony__request *request, struct colony_error *err)
{
    return act_on_group(connection, request, &colony__action_once, err);
}

int colony__post_group_start(struct colony__connection *connection,
                             const struct colony__request *request, struct colony_error *err)
{
    return act_on_group(connection, request, &colony__action_start, err);
}

int colony__post_group_stop(struct colony__connection *connection,
                            const struct colony__request *request, struct colony_error *err)
{
    return act_on_group(connection, request, &colony__action_stop, err);
}

int colony__post_group_restart(struct colony__connection *connection,
                               const struct colony__request *request, struct colony_error *err)
{
    return act_on_group(connection, request, &colony__action_restart, err);
}

int colony__delete_group(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err)
{
    return act_on_group(connection, request, &colony__action_delete, err);
}
