/* SPDX-License-Identifier: Apache-2.0 */
/* session_direct.c - acts on the processes of a session while it has no supervisor. */
#include "core/error.h"
#include "session/config.h"
#include "session/launch.h"
#include "session/parents.h"
#include "session/process.h"
#include "session_internal.h"

/* Whom it waits for is not started for it: that is what a supervisor is for. */
static int check_parents(struct session *session, const struct colony_session_process *process,
                         struct colony_error *err)
{
    struct colony_session_config config = {0};
    struct colony_session_list list = {0};
    int rc = colony_session_config_read_good(&config, session->workspace,
                                             session->uri ? NULL : session_warn, NULL, err);

    if (rc == 0)
        rc = colony_session_list_read(&list, session->workspace, NULL, NULL, err);
    if (rc == 0)
        rc = colony_session_parents_check(session->workspace, &config, &list, process, err);
    colony_session_list_clear(&list);
    colony_session_config_clear(&config);
    return rc;
}

static int start(struct session *session, struct colony_session_process *process,
                 struct colony_error *err)
{
    int rc = check_parents(session, process, err);

    return rc < 0 ? rc : colony_session_launch(session->workspace, process, err);
}

static int stop(struct session *session, struct colony_session_process *const *processes,
                size_t count, struct colony_session_stopped *out, struct colony_error *err)
{
    const struct colony_session_chosen chosen = {processes, count};
    struct colony_session_config config;
    int rc = colony_session_config_read_good(&config, session->workspace, NULL, NULL, err);

    if (rc < 0)
        return rc;
    rc = colony_session_stop(session->workspace, &chosen, &config, out, err);
    colony_session_config_clear(&config);
    return rc;
}

/* Nobody watches anything. */
static int reload(struct session *session, struct colony_error *err)
{
    (void)session;
    (void)err;
    return 0;
}

static int end(struct session *session, struct colony_error *err)
{
    (void)session;
    (void)err;
    return 0;
}

const struct session_backend session_direct = {start, stop, reload, end};
