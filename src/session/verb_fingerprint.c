/* SPDX-License-Identifier: Apache-2.0 */
/* verb_fingerprint.c - what a process of a session has open, and what was saved of it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

static int look(struct colony_verb_fingerprint *view, struct colony_error *err)
{
    int pidfd = colony_session_process_pidfd(&view->process);
    int rc;

    view->state = COLONY_STATE_STOPPED;
    if (pidfd < 0)
        return 0;
    rc = colony_observer_look(&view->observer, view->process.pid, NULL, &view->state, err);
    (void)close(pidfd);
    if (rc == -ESRCH)
        return 0;
    view->is_alive = rc == 0;
    return rc;
}

int colony_verb_fingerprint(const struct colony_session *session, const char *word,
                            struct colony_verb_fingerprint *out, struct colony_error *err)
{
    struct colony_workspace *workspace = session->workspace;
    struct colony_session_config config;
    int rc;

    *out = (struct colony_verb_fingerprint){0};
    rc = colony_session_process_find(&out->process, workspace, word, err);
    if (rc < 0)
        return rc;
    rc = colony_session_config_read_good(&config, workspace, session->problem, session->data, err);
    if (rc < 0)
        return rc;
    rc = colony_observer_init(&out->observer, workspace, &out->process, config.period_ms, err);
    colony_session_config_clear(&config);
    if (rc == 0 && out->observer.saved.problem)
        colony__verb_tell(session, out->observer.saved.problem);
    return rc < 0 ? rc : look(out, err);
}

void colony_verb_fingerprint_clear(struct colony_verb_fingerprint *of)
{
    colony_observer_clear(&of->observer);
    colony_session_process_clear(&of->process);
}

struct colony_saved_state *colony_verb_fingerprint_state(const struct colony_verb_fingerprint *of,
                                                         const char *state)
{
    for (size_t i = 0; i < of->observer.saved.count; i++)
        if (strcmp(of->observer.saved.items[i].state, state) == 0)
            return &of->observer.saved.items[i];
    return NULL;
}

int colony_verb_fingerprint_save(const struct colony_session *session,
                                 struct colony_verb_fingerprint *of, const char *state,
                                 struct colony_error *err)
{
    int rc = state ? colony_session_state_check(state, err) : 0;

    if (rc == 0)
        rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);
    if (rc < 0)
        return rc;
    rc = colony_observer_note(&of->observer, session->workspace, &of->process,
                              state ? state : of->state, err);
    if (rc == 0 && state)
        rc = colony_fingerprint_save(&of->observer.live.last, session->workspace, of->process.name,
                                     state, err);
    if (rc == 0)
        rc = colony__backend_of(session)->reload(session, err);
    colony_workspace_unlock(session->workspace);
    return rc;
}
