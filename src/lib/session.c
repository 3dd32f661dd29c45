/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - sessions of the library: the workspace, its supervisor, and who waits for whom. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "session/supervisor.h"
#include "session/workspace.h"
#include "session_internal.h"

/* --- the workspace ------------------------------------------------------------------------------
 */

int colony_session_init(const char *folder, struct colony_error *err)
{
    struct colony_session session = {0};
    struct colony_error told = {0};
    size_t added = 0;
    int rc = colony_verb_init(&session, folder, &added, &told);

    colony_workspace_close(session.workspace);
    return colony__session_end(rc < 0 ? rc : (int)added, &told, err);
}

int colony_session_open(struct colony_session **out, const char *folder, struct colony_error *err)
{
    struct colony_session *session = calloc(1, sizeof *session);
    struct colony_error told = {0};
    int rc;

    if (!session)
        return colony_fail_os(err, -ENOMEM, "cannot open the session");
    rc = colony_workspace_open(&session->workspace, folder, &told);
    if (rc == 0)
        *out = session;
    else
        free(session);
    return colony__session_end(rc, &told, err);
}

void colony_session_close(struct colony_session *session)
{
    if (!session)
        return;
    colony_workspace_close(session->workspace);
    free(session->program);
    free(session);
}

const char *colony_session_path(const struct colony_session *session)
{
    return colony_workspace_path(session->workspace);
}

void colony_session_on_problem(struct colony_session *session,
                               void (*cb)(const char *line, void *data), void *data)
{
    session->problem = cb;
    session->data = data;
}

/* --- its supervisor -----------------------------------------------------------------------------
 */

int colony_session_set_program(struct colony_session *session, const char *program,
                               struct colony_error *err)
{
    char *copy = program ? strdup(program) : NULL;

    if (program && !copy)
        return colony_fail_os(err, -ENOMEM, "cannot use the program %s", program);
    free(session->program);
    session->program = copy;
    return 0;
}

int colony_session_activate(struct colony_session *session, struct colony_error *err)
{
    struct colony_verb_active active = {0};
    struct colony_error told = {0};
    int rc = colony_verb_activate(session, &active, &told);

    if (rc == 0)
        rc = active.slots ? 1 : 0;
    cJSON_Delete(active.slots);
    return colony__session_end(rc, &told, err);
}

pid_t colony_session_supervisor(const struct colony_session *session)
{
    return colony_supervisor_pid(session->workspace);
}

/* --- who waits for whom -------------------------------------------------------------------------
 */

static int bind(struct colony_session *session, const struct colony_verb_bonds *bonds,
                struct colony_error *err)
{
    struct colony_error told = {0};

    return colony__session_end(colony_verb_bind(session, bonds, &told), &told, err);
}

int colony_session_dependence_add(struct colony_session *session, const char *parent,
                                  const char *child, const char *on_loss, struct colony_error *err)
{
    const char *const parents[] = {parent, NULL};
    const char *const children[] = {child, NULL};
    const struct colony_verb_bonds bonds = {parents, children, on_loss, false};

    return bind(session, &bonds, err);
}

int colony_session_dependence_remove(struct colony_session *session, const char *parent,
                                     const char *child, struct colony_error *err)
{
    const char *const parents[] = {parent, NULL};
    const char *const children[] = {child, NULL};
    const struct colony_verb_bonds bonds = {parents, children, NULL, true};

    return bind(session, &bonds, err);
}

int colony_session_dependence_list(struct colony_session *session, struct cJSON **out,
                                   struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_error told = {0};
    struct cJSON *json;
    int rc = colony_verb_bonds_read(session, &config, &told);

    if (rc == 0) {
        json = colony_verb_bonds_json(&config);
        colony_session_config_clear(&config);
        if (json)
            *out = json;
        else
            rc = colony_fail_os(&told, -ENOMEM, "cannot list the dependences");
    }
    return colony__session_end(rc, &told, err);
}
