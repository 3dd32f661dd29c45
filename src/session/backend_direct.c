/* SPDX-License-Identifier: Apache-2.0 */
/* backend_direct.c - acts on the processes of a session while it has no supervisor. */
#include "core/error.h"
#include "session/config.h"
#include "session/launch.h"
#include "session/parents.h"
#include "session/process.h"
#include "session/verb_internal.h"

/* Whom it waits for is not started for it: that is what a supervisor is for. */
static int check_parents(const struct colony_session *session,
                         const struct colony_session_process *process, struct colony_error *err)
{
    struct colony_session_config config = {0};
    struct colony_session_list list = {0};
    int rc = colony_session_config_read_good(&config, session->workspace, session->problem,
                                             session->data, err);

    if (rc == 0)
        rc = colony_session_list_read(&list, session->workspace, NULL, NULL, err);
    if (rc == 0)
        rc = colony_session_parents_check(session->workspace, &config, &list, process, err);
    colony_session_list_clear(&list);
    colony_session_config_clear(&config);
    return rc;
}

static int start(const struct colony_session *session, struct colony_session_process *process,
                 struct colony_error *err)
{
    int rc = check_parents(session, process, err);

    return rc < 0 ? rc : colony_session_launch(session->workspace, process, err);
}

static int stop(const struct colony_session *session, const struct colony_session_chosen *chosen,
                struct colony_session_stopped *out, struct colony_error *err)
{
    struct colony_session_config config;
    int rc = colony_session_config_read_good(&config, session->workspace, NULL, NULL, err);

    if (rc < 0)
        return rc;
    rc = colony_session_stop_chosen(session->workspace, chosen, &config, out, err);
    colony_session_config_clear(&config);
    return rc;
}

/* Nobody watches anything. */
static int reload(const struct colony_session *session, struct colony_error *err)
{
    (void)session;
    (void)err;
    return 0;
}

static int end(const struct colony_session *session, struct colony_error *err)
{
    (void)session;
    (void)err;
    return 0;
}

const struct colony__backend colony__backend_direct = {start, stop, reload, end};
