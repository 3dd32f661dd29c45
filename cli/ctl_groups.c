/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_groups.c - `colony ctl groups`, and operands that mean a group: `GROUP:*`. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

#define SUFFIX ":*"
#define ALL "*"

bool colony__ctl_is_group(const char *operand, char group[CTL_GROUP_MAX])
{
    size_t length = strlen(operand);
    size_t suffix = strlen(SUFFIX);

    if (length <= suffix || length - suffix >= CTL_GROUP_MAX ||
        strcmp(operand + length - suffix, SUFFIX) != 0)
        return false;
    memcpy(group, operand, length - suffix);
    group[length - suffix] = '\0';
    return true;
}

bool colony__ctl_is_many(const char *operand)
{
    char group[CTL_GROUP_MAX];

    return strcmp(operand, ALL) == 0 || colony__ctl_is_group(operand, group);
}

static int ask_all(const struct ctl *ctl, struct cJSON **members)
{
    const struct ctl_question question = colony__ctl_look("/processes", "list templates", NULL);

    return colony__ctl_ask_json(ctl, &question, members);
}

static int ask_members(const struct ctl *ctl, const char *doing, const char *group,
                       struct cJSON **members)
{
    char path[CTL_PATH_MAX] = "";
    struct ctl_question question = colony__ctl_look(path, doing, group);
    int exit_code = colony__ctl_path(path, "/groups/", group, "");

    question.is_group = true;
    *members = NULL;
    return exit_code == EXIT_OK ? colony__ctl_ask_json(ctl, &question, members) : exit_code;
}

/* Moves the texts of @from to the end of @to. */
static void move_names(struct cJSON *to, struct cJSON *from)
{
    struct cJSON *item;

    while ((item = cJSON_DetachItemFromArray(from, 0)) != NULL)
        if (!cJSON_IsString(item) || !cJSON_AddItemToArray(to, item))
            cJSON_Delete(item);
}

int colony__ctl_expand(const struct ctl *ctl, const char *doing, int argc, char **argv,
                       struct cJSON **names)
{
    struct cJSON *list = cJSON_CreateArray();
    char group[CTL_GROUP_MAX];
    int exit_code = EXIT_OK;

    for (int i = 1; i < argc && exit_code == EXIT_OK; i++) {
        struct cJSON *members = NULL;
        struct cJSON *name;

        if (colony__ctl_is_many(argv[i])) {
            exit_code = colony__ctl_is_group(argv[i], group)
                            ? ask_members(ctl, doing, group, &members)
                            : ask_all(ctl, &members);
            move_names(list, members);
            cJSON_Delete(members);
            continue;
        }
        name = cJSON_CreateString(argv[i]);
        if (!name || !cJSON_AddItemToArray(list, name)) {
            cJSON_Delete(name);
            exit_code =
                colony__ctl_fail(EXIT_FAILED, "cannot %s %s: out of memory", doing, argv[i]);
        }
    }
    *names = list;
    return exit_code;
}

/* {"shop":["shop:web","shop:db"]}. One that has gone meanwhile is left out. */
static struct cJSON *collect(const struct ctl *ctl, const struct cJSON *groups)
{
    struct cJSON *all = cJSON_CreateObject();
    const struct cJSON *group;
    char path[CTL_PATH_MAX];

    cJSON_ArrayForEach(group, groups)
    {
        struct cJSON *members = NULL;

        if (cJSON_IsString(group) &&
            colony__ctl_path(path, "/groups/", group->valuestring, "") == EXIT_OK)
            members = colony__ctl_peek(ctl, path);
        if (members && !cJSON_AddItemToObject(all, group->valuestring, members))
            cJSON_Delete(members);
    }
    return all;
}

static int print_groups(const struct cJSON *groups)
{
    static const char *const headers[] = {"GROUP", "TEMPLATE"};
    struct colony_columns *columns = NULL;
    const struct cJSON *group;
    const struct cJSON *member;
    int rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);

    cJSON_ArrayForEach(group, groups)
    {
        const char *name = group->string;

        cJSON_ArrayForEach(member, group)
        {
            if (rc == 0 && cJSON_IsString(member))
                rc = colony_columns_add(columns, (const struct colony_cell[]){
                                                     {name, NULL}, {member->valuestring, NULL}});
            name = ""; /* told once */
        }
    }
    if (rc == 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show groups: out of memory");
    return EXIT_OK;
}

int colony__ctl_groups(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_question question = colony__ctl_look("/groups", "list groups", NULL);
    struct cJSON *names;
    struct cJSON *groups;
    int exit_code = colony__ctl_ask_json(ctl, &question, &names);

    (void)argc;
    (void)argv;
    if (exit_code != EXIT_OK)
        return exit_code;
    groups = collect(ctl, names);
    exit_code = ctl->is_json ? colony__ctl_print_tree(groups) : print_groups(groups);
    cJSON_Delete(names);
    cJSON_Delete(groups);
    return exit_code;
}

int colony__ctl_each_name(const struct ctl *ctl, int argc, char **argv, const struct ctl_deed *deed)
{
    struct cJSON *names;
    const struct cJSON *name;
    int exit_code = colony__ctl_expand(ctl, deed->doing, argc, argv, &names);

    cJSON_ArrayForEach(name, names)
    {
        int one = deed->each(ctl, name->valuestring, deed->data);

        (void)fflush(stdout); /* in order with errors */
        if (exit_code == EXIT_OK)
            exit_code = one;
        if (one == EXIT_UNREACHABLE)
            break; /* told once is enough */
    }
    cJSON_Delete(names);
    return exit_code;
}
