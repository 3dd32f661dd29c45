/* SPDX-License-Identifier: Apache-2.0 */
/* session_activate.c - `colony session activate`: the supervisor begins, and what it took over. */
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "commands.h"
#include "core/error.h"
#include "core/table.h"
#include "core/template.h"
#include "serve_internal.h"
#include "session/workspace.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_activate_options[] = {
    SESSION_PLACE,
    {"foreground", 0, NULL, "stay in the foreground, and log to stderr", OPTION_FLAG, SESSION_AT(in_foreground), NULL},
    SESSION_END,
};
/* clang-format on */

static const char *text_of(const cJSON *slot, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(slot, key));

    return text ? text : "";
}

#define WAITS "waits for "

/* The engine knows names: aliases are what people gave. */
static void tell_cause(const struct colony_session_list *list, const char *cause)
{
    size_t length = strlen(WAITS);
    char name[COLONY_NAME_MAX + 1];
    const struct colony_session_process *parent = NULL;

    if (strncmp(cause, WAITS, length) == 0) {
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(cause + length, " ,"),
                       cause + length);
        parent = colony_session_list_find(list, name);
    }
    if (parent)
        printf(": " WAITS "%s%s\n", colony_session_process_title(parent),
               cause + length + strlen(name));
    else
        printf("%s%s\n", *cause ? ": " : "", cause);
}

/* What the supervisor has started is its child, whatever the clock says of who was first. */
static void tell_slot(const cJSON *slot, const struct colony_session_list *list, const char *title,
                      pid_t supervisor)
{
    const cJSON *pid = cJSON_GetObjectItemCaseSensitive(slot, "os_pid");
    const char *state = text_of(slot, "state");

    if (cJSON_IsNumber(pid))
        printf("  %s %s (pid %d)\n",
               colony_proc_parent((pid_t)pid->valueint) == supervisor ? "started:"
                                                                      : "runs already:",
               title, pid->valueint);
    if (cJSON_IsNumber(pid) || strcmp(state, "stopped") == 0)
        return;
    printf("  %s: %s", state, title);
    tell_cause(list, text_of(slot, "cause"));
}

static int tell_begun(const struct session *session, const struct colony_verb_active *active)
{
    const struct colony_session *open = &session->open;
    struct colony_session_list list = {0};
    struct colony_error err = {0};
    const cJSON *slot;

    if (colony_session_list_read(&list, open->workspace, open->problem, open->data, &err) < 0)
        return session_fail_error(&err);
    printf("the session is active: its supervisor has the pid %d\n", (int)active->pid);
    cJSON_ArrayForEach(slot, active->slots)
    {
        const struct colony_session_process *process =
            colony_session_list_find(&list, text_of(slot, "name"));

        if (process && strcmp(text_of(slot, "origin"), "session") == 0)
            tell_slot(slot, &list, colony_session_process_title(process), active->pid);
    }
    colony_session_list_clear(&list);
    return EXIT_OK;
}

static int tell_other(pid_t pid)
{
    printf("the session is active already: its supervisor has the pid %d\n", (int)pid);
    return EXIT_OK;
}

/* Becomes the supervisor: exec gives up the lock. Comes back only to say why it did not begin. */
static int begin_here(struct session *session)
{
    static struct serve serve; /* too large for the stack */
    struct colony_error err = {0};
    pid_t pid = 0;
    int exit_code;

    if (colony_workspace_lock(session->open.workspace, COLONY_VERB_LOCK_MS, &err) < 0)
        return session_fail_error(&err);
    if (colony_verb_prepare(&session->open, &pid, &err) < 0) {
        exit_code = session_fail_error(&err);
    } else if (pid > 0) {
        exit_code = tell_other(pid);
    } else {
        serve_init(&serve);
        serve.session = colony_workspace_path(session->open.workspace);
        exit_code = serve_run(&serve, &colony_session_usage);
    }
    colony_workspace_unlock(session->open.workspace);
    return exit_code;
}

int session_activate(struct session *session, int argc, char **argv)
{
    struct colony_verb_active active;
    struct colony_error err = {0};
    int exit_code;

    (void)argc;
    (void)argv;
    if (session->in_foreground)
        return begin_here(session);
    if (colony_verb_activate(&session->open, &active, &err) < 0)
        return session_fail_error(&err);
    exit_code = active.slots ? tell_begun(session, &active) : tell_other(active.pid);
    cJSON_Delete(active.slots);
    return exit_code;
}
