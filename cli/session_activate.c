/* SPDX-License-Identifier: Apache-2.0 */
/* session_activate.c - `colony session activate`: the supervisor begins, and what it took over. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "commands.h"
#include "core/error.h"
#include "core/table.h"
#include "core/template.h"
#include "serve_internal.h"
#include "session/config.h"
#include "session/dependences.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_internal.h"
#include "session_supervisor.h"

/* clang-format off */
const struct colony_option session_activate_options[] = {
    SESSION_PLACE,
    {"foreground", 0, NULL, "stay in the foreground, and log to stderr", OPTION_FLAG, SESSION_AT(in_foreground), NULL},
    SESSION_END,
};
/* clang-format on */

/* Ticks since boot, as processes have them for their start. */
static uint64_t now_ticks(void)
{
    struct colony_boot boot;

    if (colony_boot_read(&boot, NULL) < 0)
        return 0;
    return colony_boot_now_ns() / (UINT64_C(1000000000) / boot.ticks_per_second);
}

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

static void tell_slot(const cJSON *slot, const struct colony_session_list *list, const char *title,
                      uint64_t began_ticks)
{
    const cJSON *pid = cJSON_GetObjectItemCaseSensitive(slot, "os_pid");
    const char *state = text_of(slot, "state");

    if (cJSON_IsNumber(pid))
        printf("  %s %s (pid %d)\n",
               colony_proc_start_ticks((pid_t)pid->valueint) < began_ticks ? "runs already:"
                                                                           : "started:",
               title, pid->valueint);
    if (cJSON_IsNumber(pid) || strcmp(state, "stopped") == 0)
        return;
    printf("  %s: %s", state, title);
    tell_cause(list, text_of(slot, "cause"));
}

static int tell(struct session *session, uint64_t began_ticks)
{
    pid_t pid = session_supervisor_pid(session->workspace);
    struct colony_session_list list = {0};
    struct colony_error err = {0};
    cJSON *slots = NULL;
    const cJSON *slot;
    int rc = session_supervisor_reload(session->workspace, &err);

    if (rc == 0)
        session_wait_noted(session, NULL);
    if (rc == 0)
        rc = session_supervisor_slots(&slots, session->workspace, NULL, &err);
    if (rc == 0)
        rc = colony_session_list_read(&list, session->workspace, session_warn, NULL, &err);
    if (rc == 0)
        printf("the session is active: its supervisor has the pid %d\n", (int)pid);
    cJSON_ArrayForEach(slot, slots)
    {
        const struct colony_session_process *process =
            colony_session_list_find(&list, text_of(slot, "name"));

        if (rc == 0 && process && strcmp(text_of(slot, "origin"), "session") == 0)
            tell_slot(slot, &list, colony_session_process_title(process), began_ticks);
    }
    colony_session_list_clear(&list);
    cJSON_Delete(slots);
    if (rc < 0 && session_supervisor_pid(session->workspace) == 0)
        return session_fail(EXIT_FAILED, "the session is active no more: somebody has ended it");
    return rc < 0 ? session_fail_error(&err) : EXIT_OK;
}

/* Whoever was stopped by hand is to run again. */
static void forget_held(const struct session *session)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%.4000s/held",
                   colony_workspace_state_dir(session->workspace));
    (void)unlink(path);
}

/* What would keep it from beginning is told here, and not by a log. */
static int check(struct session *session)
{
    struct colony_session_config config = {0};
    struct colony_error err = {0};
    struct colony_session_list list = {0};
    struct colony_error circle = {0};
    int rc = colony_session_list_read(&list, session->workspace, NULL, NULL, &err);

    if (rc == 0)
        rc = colony_session_config_read(&config, session->workspace, &err);
    if (rc == 0)
        rc = colony_dependences_order(&config, &list, NULL, &circle, &err);
    if (rc == 0 && circle.code != 0)
        session_warn(circle.message, NULL);
    colony_session_config_clear(&config);
    colony_session_list_clear(&list);
    if (rc < 0)
        return session_fail_error(&err);
    return EXIT_OK;
}

/* Somebody else's may just have begun: it is active once it answers. */
static int tell_other(struct session *session, pid_t pid)
{
    struct colony_error err = {0};
    cJSON *slots = NULL;
    int rc = session_supervisor_slots(&slots, session->workspace, NULL, &err);

    cJSON_Delete(slots);
    if (rc < 0)
        return session_fail_error(&err);
    printf("the session is active already: its supervisor has the pid %d\n", (int)pid);
    return EXIT_OK;
}

/* In the foreground it comes back only to say why it did not begin. */
static int begin(struct session *session)
{
    static struct serve serve; /* too large for the stack */
    int exit_code = check(session);

    if (exit_code != EXIT_OK)
        return exit_code;
    forget_held(session);
    serve_init(&serve);
    serve.session = colony_workspace_path(session->workspace);
    serve.daemon = !session->in_foreground;
    return serve_run(&serve, &colony_session_usage);
}

/* With the lock of the workspace until it answers, so that others wait who would begin one, too, or
 * end it; exec gives it up. */
int session_activate(struct session *session, int argc, char **argv)
{
    uint64_t began_ticks = now_ticks();
    struct colony_error err = {0};
    int exit_code;
    pid_t pid;

    (void)argc;
    (void)argv;
    if (colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err) < 0)
        return session_fail_error(&err);
    pid = session_supervisor_pid(session->workspace);
    exit_code = pid > 0 ? tell_other(session, pid) : begin(session);
    colony_workspace_unlock(session->workspace);
    if (exit_code != EXIT_OK || pid > 0)
        return exit_code;
    return tell(session, began_ticks);
}
