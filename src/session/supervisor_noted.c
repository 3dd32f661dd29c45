/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor_noted.c - the supervisor writes down what begins and ends a moment later than it does.
 */
#include <poll.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "session/process.h"
#include "session/supervisor.h"

enum {
    TRIES = 100, /* 2 s: it writes ten times a second at most, and what cannot be written is told */
    PAUSE_MS = 20,
};

static bool is_noted(const cJSON *slot, const struct colony_session_list *list)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(slot, "name"));
    const cJSON *pid = cJSON_GetObjectItemCaseSensitive(slot, "os_pid");
    const struct colony_session_process *process =
        name ? colony_session_list_find(list, name) : NULL;

    return !process || strcmp(process->name, name) != 0 ||
           process->pid == (cJSON_IsNumber(pid) ? (pid_t)pid->valuedouble : 0);
}

/* Also when nobody can be asked: then there is nothing to wait for. */
static bool are_noted(struct colony_workspace *workspace, const char *name)
{
    struct colony_session_list list = {0};
    cJSON *slots = NULL;
    const cJSON *slot;
    bool is_whole = true;

    if (colony_supervisor_slots(&slots, workspace, name, NULL) == 0 &&
        colony_session_list_read(&list, workspace, NULL, NULL, NULL) == 0)
        cJSON_ArrayForEach(slot, slots)
        {
            is_whole = is_whole && is_noted(slot, &list);
        }
    colony_session_list_clear(&list);
    cJSON_Delete(slots);
    return is_whole;
}

void colony_supervisor_wait_noted(struct colony_workspace *workspace, const char *name)
{
    for (int i = 0; i < TRIES && !are_noted(workspace, name); i++)
        (void)poll(NULL, 0, PAUSE_MS);
}
