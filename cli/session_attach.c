/* SPDX-License-Identifier: Apache-2.0 */
/* session_attach.c - `colony session attach`: takes a running process, changes one, names states.
 */
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_attach_options[] = {
    SESSION_PLACE,
    {"pid", 0, "PID", "the process; it may be anybody's child", OPTION_NUMBER, SESSION_AT(pid), NULL},
    SESSION_ALIAS,
    SESSION_RESTART,
    SESSION_SHUTDOWN,
    {"state", 0, "STATE", "call the state it is in now STATE: it is known again by what it has open", OPTION_TEXT, SESSION_AT(change.state), NULL},
    SESSION_END,
};
/* clang-format on */

static bool changes(const struct colony_verb_change *change)
{
    return change->state || change->restart || change->shutdown;
}

static void tell(const char *verb, const struct colony_session_process *process)
{
    printf("%s %s", verb, colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
    if (colony_session_process_is_alive(process))
        printf(": pid %d, %s\n", (int)process->pid, process->state);
    else
        printf(": %s\n", COLONY_STATE_STOPPED);
}

static int attach(struct session *session, struct colony_error *err)
{
    const struct colony_verb_change *change = &session->change;
    struct colony_verb_attached attached = {0};
    int rc = colony_verb_attach(&session->open, (pid_t)session->pid, change, &attached, err);

    if (rc == 0)
        tell(attached.before != ATTACHED_ALREADY ? "attached"
             : change->alias || changes(change)  ? "changed"
                                                 : "attached already:",
             &attached.process);
    colony_session_process_clear(&attached.process);
    return rc;
}

/* What is known by its alias: its flags, and the name of its state. */
static int change(struct session *session, struct colony_error *err)
{
    struct colony_verb_change change = session->change;
    struct colony_session_process process = {0};
    int rc;

    change.alias = NULL; /* it has it */
    rc = colony_verb_update(&session->open, session->change.alias, &change, &process, err);
    if (rc == 0)
        tell(change.state ? "named the state of" : "changed", &process);
    colony_session_process_clear(&process);
    return rc;
}

int session_attach(struct session *session, int argc, char **argv)
{
    struct colony_error err = {0};
    int rc;

    (void)argc;
    (void)argv;
    if (session->pid == 0 && (!session->change.alias || !changes(&session->change)))
        return session_fail(EXIT_USAGE,
                            "attach: give --pid PID, or --alias ALIAS and what is to change: "
                            "--state STATE (names the one it is in), --restart or --shutdown");
    if (session->pid > INT32_MAX)
        return session_fail(EXIT_USAGE, "attach: --pid: no process has so high a number");
    rc = (session->pid > 0 ? attach : change)(session, &err);
    return rc < 0 ? session_fail_error(&err) : EXIT_OK;
}
