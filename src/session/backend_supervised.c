/* SPDX-License-Identifier: Apache-2.0 */
/* backend_supervised.c - acts on the processes of a session through its supervisor. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "session/config.h"
#include "session/launch.h"
#include "session/process.h"
#include "session/supervisor.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

enum {
    TRIES = 250, /* 5 s: until a process that was started has its program */
    PAUSE_MS = 20,
    GRACE_MS = 10000, /* for a stop, beyond what its signals take */
};

/* How the slot of a process stands. */
struct standing {
    pid_t pid;
    bool is_up;         /* it runs, or is about to */
    bool is_on_its_way; /* to running, at once */
    char failure[200];
};

/* -ENOENT: the supervisor does not know it. */
static int look(struct standing *out, const struct colony_session *session, const char *name,
                struct colony_error *err)
{
    static const char *const quiet[] = {"stopped",   "exited",  "failed",
                                        "completed", "waiting", "backoff"};
    cJSON *slots = NULL;
    int rc = colony_supervisor_slots(&slots, session->workspace, name, err);
    const cJSON *slot = cJSON_GetArrayItem(slots, 0);
    const cJSON *pid = cJSON_GetObjectItemCaseSensitive(slot, "os_pid");
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(slot, "state"));
    const char *failure = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(slot, "failure"));

    *out = (struct standing){.pid = cJSON_IsNumber(pid) ? (pid_t)pid->valueint : 0};
    out->is_up = rc == 0 && state;
    for (size_t i = 0; state && i < sizeof quiet / sizeof quiet[0]; i++)
        if (strcmp(state, quiet[i]) == 0)
            out->is_up = false;
    out->is_on_its_way = out->is_up && out->pid == 0;
    (void)snprintf(out->failure, sizeof out->failure, "%s", failure ? failure : "");
    cJSON_Delete(slots);
    return rc;
}

/* It may have been started by then: its file in etc was seen at once. */
static int start(const struct colony_session *session, struct colony_session_process *process,
                 struct colony_error *err)
{
    struct standing now = {0};
    int rc;

    colony_workspace_unlock(session->workspace);
    rc = colony_supervisor_reload(session->workspace, err);
    if (rc == 0)
        rc = colony_supervisor_start(session->workspace, process->name, err);
    for (int i = 0; rc == 0 && i < TRIES; i++) {
        rc = look(&now, session, process->name, err);
        if (rc < 0 || !now.is_on_its_way)
            break;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    if (rc == 0 && now.pid == 0 && now.failure[0] != '\0')
        return colony_fail(err, -EIO, "cannot start %s: %s", colony_session_process_title(process),
                           now.failure);
    process->pid = now.pid; /* 0: it waits for others */
    if (rc == 0)
        colony_supervisor_wait_noted(session->workspace, process->name);
    return rc;
}

static uint64_t stop_ms(const struct colony_session *session)
{
    struct colony_session_config config;
    uint64_t ms = GRACE_MS;

    if (colony_session_config_read_good(&config, session->workspace, NULL, NULL, NULL) < 0)
        return ms;
    ms += config.stop_count * config.stop_wait_ms;
    colony_session_config_clear(&config);
    return ms;
}

/* How many of @stops run, by one question. */
static size_t count_running(const struct colony_session *session,
                            const struct colony_stopping *stops, size_t count)
{
    cJSON *slots = NULL;
    const cJSON *slot;
    size_t running = 0;

    if (colony_supervisor_slots(&slots, session->workspace, NULL, NULL) < 0)
        return 0;
    cJSON_ArrayForEach(slot, slots)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(slot, "name"));

        for (size_t i = 0; name && i < count; i++)
            if (strcmp(stops[i].name, name) == 0)
                running += cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(slot, "os_pid")) ? 1 : 0;
    }
    cJSON_Delete(slots);
    return running;
}

static int stop(const struct colony_session *session, const struct colony_session_chosen *chosen,
                struct colony_session_stopped *out, struct colony_error *err)
{
    size_t count = chosen->count;
    struct colony_stopping *stops = calloc(count + 1, sizeof *stops);
    int rc;

    if (!stops)
        return colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    colony_workspace_unlock(session->workspace);
    for (size_t i = 0; i < count; i++)
        stops[i].name = chosen->items[i]->name;
    out->stopped = count_running(session, stops, count);
    rc = colony_supervisor_stop(session->workspace, stops, count, stop_ms(session), err);
    for (size_t i = 0; i < count; i++)
        out->killed += stops[i].killed;
    free(stops);
    if (rc == 0)
        colony_supervisor_wait_noted(session->workspace,
                                     count == 1 ? chosen->items[0]->name : NULL);
    return rc;
}

static int reload(const struct colony_session *session, struct colony_error *err)
{
    colony_workspace_unlock(session->workspace);
    return colony_supervisor_reload(session->workspace, err);
}

static int end(const struct colony_session *session, struct colony_error *err)
{
    colony_workspace_unlock(session->workspace);
    return colony_supervisor_end(session->workspace, err);
}

const struct colony__backend colony__backend_supervised = {start, stop, reload, end};

const struct colony__backend *colony__backend_of(const struct colony_session *session)
{
    return colony_supervisor_pid(session->workspace) > 0 ? &colony__backend_supervised
                                                         : &colony__backend_direct;
}
