/* SPDX-License-Identifier: Apache-2.0 */
/* session_start.c - `colony session start`: by an uri, or again by name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"
#include "core/error.h"
#include "session/view.h"
#include "session_internal.h"

enum {
    NOTE_MAX = 512,
};

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

static void print_title(const char *what, const struct colony_session_process *process)
{
    printf("%s %s", what, colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
}

/* It has no pid: it waits for others, or it has ended by now. */
static void tell_idle(const struct session *session, const struct colony_session_process *process)
{
    const struct colony_sight *sight;
    struct colony_view view = {0};
    char note[NOTE_MAX];

    sight = session_look(session, &view, NULL) == 0 ? colony_view_find(&view, process->name) : NULL;
    print_title(sight && sight->is_waiting ? "will start" : "started", process);
    if (sight && sight->is_waiting) {
        printf(": it waits for others (colony session show)\n");
    } else if (sight && sight->is_alive) { /* once more */
        printf(": pid %d\n", (int)sight->process->pid);
    } else {
        (void)colony_columns_clean(note, sizeof note, sight && sight->note ? sight->note : "", 0);
        printf(": it runs no more%s%s (colony session log)\n", *note != '\0' ? ": " : "", note);
    }
    colony_view_clear(&view);
}

static void tell(const struct session *session, const struct colony_session_process *process)
{
    if (process->pid <= 0) {
        tell_idle(session, process);
        return;
    }
    print_title("started", process);
    printf(": pid %d\n", (int)process->pid);
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
        tell(session, &process);
    else
        exit_code = fail(session, &process, rc, &err);
    colony_session_process_clear(&process);
    return exit_code;
}
