/* SPDX-License-Identifier: Apache-2.0 */
/* serve_session.c - what the command line says of the workspace of `session:`. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"
#include "serve_internal.h"
#include "session/session.h"
#include "session/workspace.h"

static char own_state[PATH_MAX]; /* with nothing but the workspace given */

int serve_settle_session(struct serve *serve, struct colony_error *err)
{
    struct colony_workspace *workspace = NULL;
    int rc;

    if (!serve->session || serve->config || serve->state)
        return 0;
    rc = colony_workspace_open(&workspace, serve->session, err);
    if (rc < 0)
        return rc;
    (void)snprintf(own_state, sizeof own_state, "%s", colony_workspace_state_dir(workspace));
    serve->state = own_state;
    colony_workspace_close(workspace);
    return 0;
}

int serve_apply_session(struct colony_settings *settings, const struct serve *serve,
                        struct colony_error *err)
{
    char *copy = serve->session ? strdup(serve->session) : NULL;

    if (serve->session && !copy)
        return colony_fail_os(err, -ENOMEM, "cannot start");
    if (copy) {
        free(settings->session.dir);
        settings->session.dir = copy;
    }
    return colony_session_prepare(&settings->session, err);
}
