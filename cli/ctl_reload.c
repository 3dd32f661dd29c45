/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_reload.c - `colony ctl reload`. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "ctl_internal.h"

static const char *action_colour(const char *action)
{
    static const struct {
        const char *action;
        const char *colour;
    } colours[] = {{"start", "32"}, {"stop", "31"}, {"restart", "33"}};

    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
        if (strcmp(colours[i].action, action) == 0)
            return colours[i].colour;
    return NULL;
}

static int print_steps(const struct cJSON *steps)
{
    static const char *const headers[] = {"ACTION", "NAME", "WHY"};
    struct colony_columns *columns = NULL;
    const struct cJSON *step;
    int rc = colony_columns_new(&columns, headers, sizeof headers / sizeof headers[0]);

    cJSON_ArrayForEach(step, steps)
    {
        const char *action = colony__ctl_text(step, "action");

        if (rc == 0)
            rc = colony_columns_add(
                columns, (const struct colony_cell[]){{action, action_colour(action)},
                                                      {colony__ctl_text(step, "name"), NULL},
                                                      {colony__ctl_text(step, "why"), NULL}});
    }
    if (rc == 0)
        colony_columns_print(columns);
    colony_columns_free(columns);
    if (rc < 0)
        return colony__ctl_fail(EXIT_FAILED, "cannot show what changes: out of memory");
    return EXIT_OK;
}

int colony__ctl_reload(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_question question = {
        .method = "POST",
        .path = ctl->dry_run ? "/_reload?dry_run=true" : "/_reload",
        .doing = "reload the settings",
        .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
    };
    const struct cJSON *steps;
    struct cJSON *json;
    int exit_code = colony__ctl_ask_to_show(ctl, &question, &json);

    (void)argc;
    (void)argv;
    if (!json)
        return exit_code;
    steps = cJSON_GetObjectItemCaseSensitive(json, "steps");
    if (cJSON_GetArraySize(steps) > 0)
        exit_code = print_steps(steps);
    else
        printf("nothing changes\n");
    cJSON_Delete(json);
    return exit_code;
}
