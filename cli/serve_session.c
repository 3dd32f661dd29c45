/* SPDX-License-Identifier: Apache-2.0 */
/* serve_session.c - what the command line says of the workspace of `session:`. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static bool is_same_folder(const char *left, const char *right)
{
    struct stat a;
    struct stat b;

    return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* In the workspace and nowhere else: by its lock everybody knows whether there is a supervisor. */
static int place_state(struct colony_settings *settings, struct colony_error *err)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof path, "%s/.colony", settings->session.dir) >= sizeof path)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot keep the session %s",
                              settings->session.dir);
    if (!settings->state_dir)
        settings->state_dir = strdup(path);
    if (!settings->state_dir)
        return colony_fail_os(err, -ENOMEM, "cannot start");
    if (is_same_folder(settings->state_dir, path))
        return 0;
    return colony_fail(err, -EINVAL,
                       "cannot keep the session %s with the state in %s: that belongs into %s "
                       "(leave it out)",
                       settings->session.dir, settings->state_dir, path);
}

int serve_apply_session(struct colony_settings *settings, const struct serve *serve,
                        struct colony_error *err)
{
    char *copy = serve->session ? strdup(serve->session) : NULL;
    int rc;

    if (serve->session && !copy)
        return colony_fail_os(err, -ENOMEM, "cannot start");
    if (copy) {
        free(settings->session.dir);
        settings->session.dir = copy;
    }
    if (!settings->session.dir)
        return 0;
    rc = colony_session_prepare(&settings->session, err);
    return rc < 0 ? rc : place_state(settings, err);
}
