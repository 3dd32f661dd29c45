/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_show.c - actions of `colony ctl` that show what runs: ps, status, processes, pids. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

static int print_slots(const struct cJSON *slots)
{
    static const char *const headers[] = {"NAME",     "SLOT",      "ID",  "PID",
                                          "STATE",    "UPTIME",    "CPU", "MEM",
                                          "RESTARTS", "LAST EXIT", "NOTE"};
    struct colony_columns *columns = NULL;
    const struct cJSON *slot;
    struct ctl_slot_view view;
    int rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);

    cJSON_ArrayForEach(slot, slots)
    {
        colony__ctl_view_slot(&view, slot);
        if (rc == 0)
            rc = colony_columns_add(columns, (const struct colony_cell[]){{view.name, NULL},
                                                                          {view.slot, NULL},
                                                                          {view.id, NULL},
                                                                          {view.pid, NULL},
                                                                          {view.state, view.colour},
                                                                          {view.uptime, NULL},
                                                                          {view.cpu, NULL},
                                                                          {view.mem, NULL},
                                                                          {view.restarts, NULL},
                                                                          {view.last_exit, NULL},
                                                                          {view.note, NULL}});
    }
    if (rc == 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show processes: out of memory");
    return EXIT_OK;
}

/* Asks for the slots of @name, or of all when it is NULL, and moves them to the end of @all. */
static int add_slots(const struct ctl *ctl, const char *name, struct cJSON *all)
{
    char path[CTL_PATH_MAX] = "/slots?stats=true";
    const struct ctl_question question = {.method = "GET",
                                          .path = path,
                                          .doing = name ? "show" : "show processes",
                                          .name = name,
                                          .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct cJSON *slots = NULL;
    struct cJSON *slot;
    int exit_code = name ? colony__ctl_path(path, "/slots?stats=true&name=", name, "") : EXIT_OK;

    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_ask_json(ctl, &question, &slots);
    while ((slot = cJSON_DetachItemFromArray(slots, 0)) != NULL)
        if (!cJSON_AddItemToArray(all, slot))
            cJSON_Delete(slot);
    cJSON_Delete(slots);
    return exit_code;
}

/* Those of which one cannot be shown are told; the first failure gives the exit code. */
static int add_named_slots(const struct ctl *ctl, int argc, char **argv, struct cJSON *all)
{
    struct cJSON *names;
    const struct cJSON *name;
    int exit_code = colony__ctl_expand(ctl, "show", argc, argv, &names);

    cJSON_ArrayForEach(name, names)
    {
        int one = add_slots(ctl, name->valuestring, all);

        if (exit_code == EXIT_OK)
            exit_code = one;
        if (one == EXIT_UNREACHABLE)
            break; /* told once is enough */
    }
    cJSON_Delete(names);
    return exit_code;
}

int colony__ctl_ps(struct ctl *ctl, int argc, char **argv)
{
    struct cJSON *all = cJSON_CreateArray();
    int exit_code;
    int printed = EXIT_OK;

    if (!all)
        return colony__ctl_fail(EXIT_FAILED, "cannot show processes: out of memory");
    exit_code = argc > 1 ? add_named_slots(ctl, argc, argv, all) : add_slots(ctl, NULL, all);
    if (exit_code == EXIT_OK || all->child)
        printed = ctl->is_json ? colony__ctl_print_tree(all) : print_slots(all);
    cJSON_Delete(all);
    return exit_code == EXIT_OK ? printed : exit_code;
}

int colony__ctl_processes(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_question question = {.method = "GET",
                                          .path = "/processes",
                                          .doing = "list templates",
                                          .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct cJSON *names;
    const struct cJSON *name;
    int exit_code;

    (void)argc;
    (void)argv;
    if (ctl->is_json)
        return colony__ctl_print_json(ctl, &question);
    exit_code = colony__ctl_ask_json(ctl, &question, &names);
    cJSON_ArrayForEach(name, names)
    {
        if (!cJSON_IsString(name))
            continue;
        colony__ctl_print_text(name->valuestring);
        printf("\n");
    }
    cJSON_Delete(names);
    return exit_code;
}

int colony__ctl_pids(struct ctl *ctl, int argc, char **argv)
{
    char path[CTL_PATH_MAX];
    const struct ctl_question question = {.method = "GET",
                                          .path = path,
                                          .doing = "list the ids of",
                                          .name = argv[1],
                                          .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct cJSON *json;
    const struct cJSON *pid;
    int exit_code = colony__ctl_path(path, "/processes/", argv[1], "/_pids");

    (void)argc;
    if (exit_code != EXIT_OK)
        return exit_code;
    if (ctl->is_json)
        return colony__ctl_print_json(ctl, &question);
    exit_code = colony__ctl_ask_json(ctl, &question, &json);
    cJSON_ArrayForEach(pid, cJSON_GetObjectItemCaseSensitive(json, "pids"))
    {
        if (cJSON_IsNumber(pid) && pid->valuedouble > -1e15 && pid->valuedouble < 1e15)
            printf("%.0f\n", pid->valuedouble);
    }
    cJSON_Delete(json);
    return exit_code;
}
