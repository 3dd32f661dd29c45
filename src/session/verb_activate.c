/* SPDX-License-Identifier: Apache-2.0 */
/* verb_activate.c - a session is supervised from now on. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/paths.h"
#include "session/dependences.h"
#include "session/supervisor.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

/* Whoever was stopped by hand is to run again. */
static void forget_held(const struct colony_session *session)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%.4000s/held",
                   colony_workspace_state_dir(session->workspace));
    (void)unlink(path);
}

/* What would keep it from beginning is told here, and not by a log. */
static int check(const struct colony_session *session, struct colony_error *err)
{
    struct colony_session_config config = {0};
    struct colony_session_list list = {0};
    struct colony_error circle = {0};
    int rc = colony_session_list_read(&list, session->workspace, NULL, NULL, err);

    if (rc == 0)
        rc = colony_session_config_read(&config, session->workspace, err);
    if (rc == 0)
        rc = colony_dependences_order(&config, &list, NULL, &circle, err);
    if (rc == 0 && circle.code != 0)
        colony__verb_tell(session, circle.message);
    colony_session_config_clear(&config);
    colony_session_list_clear(&list);
    return rc;
}

int colony_verb_prepare(const struct colony_session *session, pid_t *pid, struct colony_error *err)
{
    cJSON *slots = NULL;
    int rc;

    *pid = colony_supervisor_pid(session->workspace);
    if (*pid > 0) { /* it may just have begun: it is active once it answers */
        rc = colony_supervisor_slots(&slots, session->workspace, NULL, err);
        cJSON_Delete(slots);
        return rc;
    }
    rc = check(session, err);
    if (rc == 0)
        forget_held(session);
    return rc;
}

/* With the lock until it answers, so that others wait who would begin one, too, or end it. 1: it
 * has begun; 0: it was there, with *pid. */
static int begin(const struct colony_session *session, pid_t *pid, struct colony_error *err)
{
    const char *program = session->program ? session->program : colony_installed_program();
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);

    if (rc < 0)
        return rc;
    rc = colony_verb_prepare(session, pid, err);
    if (rc == 0 && *pid == 0) {
        rc = colony_supervisor_begin(session->workspace, program, err);
        rc = rc < 0 ? rc : 1;
    }
    colony_workspace_unlock(session->workspace);
    return rc;
}

int colony_verb_activate(const struct colony_session *session, struct colony_verb_active *out,
                         struct colony_error *err)
{
    int rc;

    *out = (struct colony_verb_active){0};
    rc = begin(session, &out->pid, err);
    if (rc <= 0)
        return rc;
    out->pid = colony_supervisor_pid(session->workspace);
    rc = colony_supervisor_reload(session->workspace, err);
    if (rc == 0)
        colony_supervisor_wait_noted(session->workspace, NULL);
    if (rc == 0)
        rc = colony_supervisor_slots(&out->slots, session->workspace, NULL, err);
    if (rc < 0 && colony_supervisor_pid(session->workspace) == 0)
        rc = colony_fail(err, -EIO, "the session is active no more: somebody has ended it");
    return rc;
}
