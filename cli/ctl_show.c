/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_show.c - actions of `colony ctl` that show what runs: ps, status, processes, pids. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

/* `ctl ps` under way: a table, or a list as JSON. */
struct ps {
    const struct ctl *ctl;
    struct colony_columns *columns; /* NULL: JSON */
    size_t count;
    int rc; /* of the table */
};

static void add_slot(const struct cJSON *slot, const char *text, size_t size, void *data)
{
    struct ps *ps = data;
    struct ctl_slot_view view;

    ps->count++;
    if (!ps->columns) {
        (void)putchar(ps->count == 1 ? '[' : ',');
        (void)fwrite(text, 1, size, stdout);
        return;
    }
    colony__ctl_view_slot(&view, slot);
    if (ps->rc == 0)
        ps->rc =
            colony_columns_add(ps->columns, (const struct colony_cell[]){{view.name, NULL},
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

/* Asks for the slots of @name, or of all when it is NULL. */
static int add_slots(struct ps *ps, const char *name)
{
    char path[CTL_PATH_MAX] = "/slots?stats=true";
    const struct ctl_question question = {.method = "GET",
                                          .path = path,
                                          .doing = name ? "show" : "show processes",
                                          .name = name,
                                          .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    int exit_code = name ? colony__ctl_path(path, "/slots?stats=true&name=", name, "") : EXIT_OK;

    return exit_code == EXIT_OK ? colony__ctl_ask_list(ps->ctl, &question, add_slot, ps)
                                : exit_code;
}

static int add_named(const struct ctl *ctl, const char *name, void *data)
{
    (void)ctl;
    return add_slots(data, name);
}

int colony__ctl_ps(struct ctl *ctl, int argc, char **argv)
{
    static const char *const headers[] = {"NAME",     "SLOT",      "ID",  "PID",
                                          "STATE",    "UPTIME",    "CPU", "MEM",
                                          "RESTARTS", "LAST EXIT", "NOTE"};
    struct ps ps = {.ctl = ctl};
    int exit_code;

    if (!ctl->is_json)
        ps.rc = colony_columns_new(&ps.columns, headers, sizeof headers / sizeof headers[0]);
    if (ps.rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show processes: out of memory");
    exit_code = argc > 1 ? colony__ctl_each_name(ctl, argc, argv,
                                                 &(const struct ctl_deed){"show", add_named, &ps})
                         : add_slots(&ps, NULL);
    if (ps.rc < 0)
        exit_code = colony__ctl_fail(EXIT_FAILED, "cannot show processes: out of memory");
    else if (ctl->is_json && (exit_code == EXIT_OK || ps.count > 0))
        printf("%s]\n", ps.count > 0 ? "" : "[");
    else if (exit_code == EXIT_OK || ps.count > 0)
        colony_columns_print(ps.columns);
    colony_columns_free(ps.columns);
    return exit_code;
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
