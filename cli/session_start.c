/* SPDX-License-Identifier: Apache-2.0 */
/* session_start.c - `colony session start`: by an uri, or again by name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "session_internal.h"

static int read_switch(const char *value, enum colony_switch *out, const char *name,
                       struct colony_error *err)
{
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return colony_fail(err, -EINVAL, "--%s: 0 (no) or 1 (yes), not %s", name, value);
    *out = *value == '1' ? SWITCH_ON : SWITCH_OFF;
    return 0;
}

int session_read_restart(void *target, const char *value, struct colony_error *err)
{
    struct session *session = target;

    return read_switch(value, &session->change.restart, "restart", err);
}

int session_read_shutdown(void *target, const char *value, struct colony_error *err)
{
    struct session *session = target;

    return read_switch(value, &session->change.shutdown, "shutdown", err);
}

/* clang-format off */
const struct colony_option session_start_options[] = {
    SESSION_PLACE,
    {"uri",      0, "URI",  "what to run: exec:///PROGRAM?KEY=VALUE, or of a scheme of etc/session.yaml", OPTION_TEXT, SESSION_AT(change.uri), NULL},
    SESSION_ALIAS,
    SESSION_RESTART,
    SESSION_SHUTDOWN,
    SESSION_END,
};
/* clang-format on */

static void tell(const struct colony_session_process *process)
{
    printf("%s %s", process->pid > 0 ? "started" : "will start",
           colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
    if (process->pid > 0)
        printf(": pid %d\n", (int)process->pid);
    else
        printf(": it waits for others (colony session show)\n");
}

/* What runs and was to have other flags is changed by another command. */
static int fail(const struct session *session, const struct colony_session_process *process, int rc,
                const struct colony_error *err)
{
    if (rc != -EBUSY || process->pid <= 0 ||
        (!session->change.restart && !session->change.shutdown))
        return session_fail_error(err);
    return session_fail(EXIT_CONFLICT, "%s: attach --alias %s --restart 0|1 --shutdown 0|1",
                        err->message, colony_session_process_title(process));
}

int session_start(struct session *session, int argc, char **argv)
{
    struct colony_session_process process = {0};
    struct colony_error err = {0};
    int exit_code = EXIT_OK;
    int rc;

    if (!session->change.uri == (argc < 2))
        return session_fail(EXIT_USAGE, "start: give either --uri URI or the name of a PROCESS");
    rc = colony_verb_start(&session->open, argc > 1 ? argv[1] : "", &session->change, &process,
                           &err);
    if (rc == 0)
        tell(&process);
    else
        exit_code = fail(session, &process, rc, &err);
    colony_session_process_clear(&process);
    return exit_code;
}
