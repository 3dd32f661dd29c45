/* SPDX-License-Identifier: Apache-2.0 */
/* verb_attach.c - a session takes a running process, changes one, names states. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/consumption.h"
#include "session/origin.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

/* --- what is noted ------------------------------------------------------------------------------
 */

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

/* Its fingerprint, and its state by that, or @name. */
static int look(const struct colony_session *session, struct colony_session_process *process,
                const char *name, struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_observer observer;
    const char *state = NULL;
    int rc = colony_session_config_read_good(&config, session->workspace, session->problem,
                                             session->data, err);

    if (rc < 0)
        return rc;
    rc = colony_observer_init(&observer, session->workspace, process, config.period_ms, err);
    colony_session_config_clear(&config);
    if (rc < 0)
        return rc;
    if (observer.saved.problem)
        colony__verb_tell(session, observer.saved.problem);
    settle_old(&observer, process);
    rc = colony_observer_look(&observer, process->pid, NULL, &state, err);
    if (rc == 0)
        rc = colony_observer_note(&observer, session->workspace, process, NULL, err);
    if (rc == 0 && name)
        rc = colony_fingerprint_save(&observer.live.last, session->workspace, process->name, name,
                                     err);
    if (rc == 0)
        rc = set_state(process, name ? name : state, err);
    colony_observer_clear(&observer);
    return rc;
}

/* Row and file, what it looks like, and its life, in this order: a kill in between leaves a process
 * that is down, not one that is gone. */
static int note(const struct colony_session *session, struct colony_session_process *process,
                const struct colony_verb_change *change, struct colony_error *err)
{
    int rc = colony__verb_put(session, process, change, err);

    if (rc < 0 || !colony_session_process_is_alive(process))
        return rc;
    rc = look(session, process, change->state, err);
    if (rc == 0)
        rc = colony_session_process_put_life(session->workspace, process, 1, err);
    return rc;
}

static void tell_left_out(const struct colony_session *session,
                          const struct colony_session_process *process, size_t left_out)
{
    struct colony_error line;

    (void)colony_fail(&line, 0,
                      "%s: %zu variables of its environment are not UTF-8 and are left out",
                      colony_session_process_title(process), left_out);
    colony__verb_tell(session, line.message);
}

/* --- the two ways to say it --------------------------------------------------------------------
 */

static int attach(const struct colony_session *session, pid_t pid,
                  const struct colony_verb_change *change, struct colony_verb_attached *out,
                  struct colony_error *err)
{
    struct colony_session_process fresh = {0};
    size_t left_out = 0;
    int rc = colony_origin_read(&fresh, pid, &left_out, err);

    if (rc == 0)
        rc = colony__verb_acquaint(session, &fresh, change->alias, out, err);
    colony_session_process_clear(&fresh);
    if (rc == 0)
        rc = note(session, &out->process, change, err);
    if (rc < 0 && out->before == ATTACHED_NEW && out->process.name)
        (void)colony_session_process_remove(session->workspace, out->process.name, NULL);
    if (rc < 0)
        return rc;
    if (left_out > 0 && out->before != ATTACHED_ALREADY)
        tell_left_out(session, &out->process, left_out);
    return colony__backend_of(session)->reload(session, err);
}

static int update(const struct colony_session *session, const char *word,
                  const struct colony_verb_change *change, struct colony_session_process *out,
                  struct colony_error *err)
{
    int rc = colony_session_process_find(out, session->workspace, word, err);

    if (rc < 0)
        return rc;
    if (change->state && !colony_session_process_is_alive(out))
        return colony_fail(err, -ESRCH, "cannot name the state of %s: it is not running", word);
    rc = note(session, out, change, err);
    return rc < 0 ? rc : colony__backend_of(session)->reload(session, err);
}

/* With the lock held after it succeeds. */
static int begin(const struct colony_session *session, const struct colony_verb_change *change,
                 struct colony_error *err)
{
    int rc = change->state ? colony_session_state_check(change->state, err) : 0;

    return rc < 0 ? rc : colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);
}

int colony_verb_attach(const struct colony_session *session, pid_t pid,
                       const struct colony_verb_change *change, struct colony_verb_attached *out,
                       struct colony_error *err)
{
    int rc = begin(session, change, err);

    if (rc < 0)
        return rc;
    out->before = ATTACHED_ALREADY;
    rc = attach(session, pid, change, out, err);
    colony_workspace_unlock(session->workspace);
    return rc;
}

int colony_verb_update(const struct colony_session *session, const char *word,
                       const struct colony_verb_change *change, struct colony_session_process *out,
                       struct colony_error *err)
{
    int rc = begin(session, change, err);

    if (rc < 0)
        return rc;
    rc = update(session, word, change, out, err);
    colony_workspace_unlock(session->workspace);
    return rc;
}
