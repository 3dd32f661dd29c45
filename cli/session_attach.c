/* SPDX-License-Identifier: Apache-2.0 */
/* session_attach.c - `colony session attach`: takes a running process, changes one, names states.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "session/config.h"
#include "session/consumption.h"
#include "session/observe.h"
#include "session/origin.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_attach_internal.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_attach_options[] = {
    SESSION_PLACE,
    {"pid", 0, "PID", "the process; it may be anybody's child", OPTION_NUMBER, SESSION_AT(pid), NULL},
    SESSION_ALIAS,
    SESSION_RESTART,
    SESSION_SHUTDOWN,
    {"state", 0, "STATE", "call the state it is in now STATE: it is known again by what it has open", OPTION_TEXT, SESSION_AT(state), NULL},
    SESSION_END,
};
/* clang-format on */

/* --- what is noted ------------------------------------------------------------------------------
 */

/* Dependences speak of aliases: they speak of the new one then. */
static int rename_dependences(const struct session *session, const char *old,
                              struct colony_error *err)
{
    struct colony_session_config config;
    int rc = colony_session_config_read(&config, session->workspace, err);

    if (rc < 0)
        return rc;
    rc = colony_session_config_rename(&config, old, session->alias);
    if (rc < 0)
        (void)colony_fail_os(err, rc, "cannot attach the process");
    if (rc > 0)
        rc = colony_session_config_write_dependences(session->workspace, &config, err);
    colony_session_config_clear(&config);
    return rc;
}

static int apply_options(struct colony_session_process *process, const struct session *session,
                         struct colony_error *err)
{
    char *alias;
    int rc = 0;

    if (session->sets_restart)
        process->restart = session->restart;
    if (session->sets_shutdown)
        process->shutdown = session->shutdown;
    if (!session->alias || (process->name && strcmp(session->alias, process->name) == 0))
        return 0;
    alias = strdup(session->alias);
    if (!alias)
        return colony_fail_os(err, -ENOMEM, "cannot attach the process");
    if (process->alias && strcmp(process->alias, alias) != 0)
        rc = rename_dependences(session, process->alias, err);
    free(process->alias);
    process->alias = alias;
    return rc;
}

static int set_state(struct colony_session_process *process, const char *state,
                     struct colony_error *err)
{
    char *copy = strdup(state);

    if (!copy)
        return colony_fail_os(err, -ENOMEM, "cannot attach the process");
    free(process->state);
    process->state = copy;
    return 0;
}

/* One that has run for a period was not launched just now, whoever launched it. */
static void settle_old(struct colony_observer *observer,
                       const struct colony_session_process *process)
{
    struct colony_consumption_meter meter = {0};
    struct colony_consumption used;

    if (colony_consumption_read(&used, &meter, process->pid, process->start_ticks) == 0 &&
        used.uptime_seconds * 1000 >= (double)observer->period_ms)
        colony_live_state_settle(&observer->live);
}

/* Its fingerprint, and its state by that or by what it is to be called. */
static int look(struct session *session, struct colony_session_process *process,
                struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_observer observer;
    const char *state = NULL;
    int rc = colony_session_config_read_good(&config, session->workspace, session_warn, NULL, err);

    if (rc < 0)
        return rc;
    rc = colony_observer_init(&observer, session->workspace, process, config.period_ms, err);
    colony_session_config_clear(&config);
    if (rc < 0)
        return rc;
    if (observer.saved.problem)
        session_warn(observer.saved.problem, NULL);
    settle_old(&observer, process);
    rc = colony_observer_look(&observer, process->pid, NULL, &state, err);
    if (rc == 0)
        rc = colony_observer_note(&observer, session->workspace, process, NULL, err);
    if (rc == 0 && session->state)
        rc = colony_fingerprint_save(&observer.live.last, session->workspace, process->name,
                                     session->state, err);
    if (rc == 0)
        rc = set_state(process, session->state ? session->state : state, err);
    colony_observer_clear(&observer);
    return rc;
}

/* Row and file, what it looks like, and its life, in this order: a kill in between leaves a process
 * that is down, not one that is gone. */
static int note(struct session *session, struct colony_session_process *process,
                struct colony_error *err)
{
    int rc = colony_session_process_put(session->workspace, process, err);

    if (rc < 0 || !session__attach_is_alive(process))
        return rc;
    rc = look(session, process, err);
    if (rc == 0)
        rc = colony_session_process_put_life(session->workspace, process, 1, err);
    return rc;
}

static bool changes(const struct session *session)
{
    return session->state || session->sets_restart || session->sets_shutdown;
}

static void tell(const char *verb, const struct colony_session_process *process)
{
    printf("%s %s", verb, colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
    if (session__attach_is_alive(process))
        printf(": pid %d, %s\n", (int)process->pid, process->state);
    else
        printf(": %s\n", COLONY_STATE_STOPPED);
}

/* --- the two ways to say it --------------------------------------------------------------------
 */

static int attach(struct session *session, struct colony_session_process *process,
                  struct colony_error *err)
{
    struct colony_session_process fresh = {0};
    enum session_acquaintance before = ATTACHED_ALREADY;
    size_t left_out = 0;
    int rc = colony_origin_read(&fresh, (pid_t)session->pid, &left_out, err);

    if (rc == 0)
        rc = session__attach_settle(process, session, &fresh, &before, err);
    colony_session_process_clear(&fresh);
    if (rc == 0)
        rc = apply_options(process, session, err);
    if (rc == 0)
        rc = note(session, process, err);
    if (rc < 0 && before == ATTACHED_NEW && process->name)
        (void)colony_session_process_remove(session->workspace, process->name, NULL);
    if (rc < 0)
        return rc;
    if (left_out > 0 && before != ATTACHED_ALREADY)
        colony_options_complain(
            &colony_session_usage,
            "%s: %zu variables of its environment are not UTF-8 and are left out",
            colony_session_process_title(process), left_out);
    rc = session_backend(session)->reload(session, err);
    if (rc == 0)
        tell(before != ATTACHED_ALREADY           ? "attached"
             : session->alias || changes(session) ? "changed"
                                                  : "attached already:",
             process);
    return rc;
}

/* What is known by its alias: its flags, and what it is to be called. */
static int change(struct session *session, struct colony_session_process *process,
                  struct colony_error *err)
{
    int rc = colony_session_process_find(process, session->workspace, session->alias, err);

    if (rc < 0)
        return rc;
    if (session->state && !session__attach_is_alive(process))
        return colony_fail(err, -ESRCH, "cannot name the state of %s: it is not running",
                           session->alias);
    session->alias = NULL; /* it has it */
    rc = apply_options(process, session, err);
    if (rc == 0)
        rc = note(session, process, err);
    if (rc == 0)
        rc = session_backend(session)->reload(session, err);
    if (rc == 0)
        tell(session->state ? "named the state of" : "changed", process);
    return rc;
}

int session_attach(struct session *session, int argc, char **argv)
{
    struct colony_session_process process = {0};
    struct colony_error err = {0};
    int rc;

    (void)argc;
    (void)argv;
    if (session->pid == 0 && (!session->alias || !changes(session)))
        return session_fail(EXIT_USAGE,
                            "attach: give --pid PID, or --alias ALIAS and what is to change: "
                            "--state STATE (names the one it is in), --restart or --shutdown");
    if (session->pid > INT32_MAX)
        return session_fail(EXIT_USAGE, "attach: --pid: no process has so high a number");
    if (session->state && colony_session_state_check(session->state, &err) < 0)
        return session_fail_error(&err);
    rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err);
    if (rc < 0)
        return session_fail_error(&err);
    rc = (session->pid > 0 ? attach : change)(session, &process, &err);
    colony_workspace_unlock(session->workspace);
    colony_session_process_clear(&process);
    if (rc < 0) {
        err.code = rc;
        return session_fail_error(&err);
    }
    return EXIT_OK;
}
