/* SPDX-License-Identifier: Apache-2.0 */
/* config_file.c - etc/session.yaml as a file: what it said when it was good stands in the database,
 * and counts while the file cannot be used. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/config.h"
#include "session/config_internal.h"
#include "session/database_internal.h"
#include "session/process_internal.h"
#include "session/process_read_internal.h"
#include "session/workspace_internal.h"

static int parse(struct colony_session_config *out, struct colony_workspace *workspace,
                 const char *text, struct colony_error *err)
{
    char full[PATH_MAX + sizeof "/" SESSION_CONFIG];

    (void)snprintf(full, sizeof full, "%s/" SESSION_CONFIG, workspace->path);
    return colony__session_config_parse(out, full, text, strlen(text), err);
}

static bool is_good(struct colony_workspace *workspace, const char *text)
{
    struct colony_session_config config;

    if (parse(&config, workspace, text, NULL) < 0)
        return false;
    colony_session_config_clear(&config);
    return true;
}

int colony__session_config_text(char **text, struct colony_workspace *workspace,
                                struct colony_error *err)
{
    size_t size = 0;
    int rc = colony__workspace_read(workspace, SESSION_CONFIG, text, &size, err);

    return rc == -ENOENT ? colony__database_kept(text, workspace, SESSION_FILE, err) : rc;
}

/* A bad file is no bad word of who calls: it has a code of its own. */
int colony_session_config_read(struct colony_session_config *out,
                               struct colony_workspace *workspace, struct colony_error *err)
{
    char *text = NULL;
    int rc = colony__session_config_text(&text, workspace, err);

    if (rc == 0 && !text)
        colony__session_config_defaults(out);
    else if (rc == 0)
        rc = parse(out, workspace, text, err);
    free(text);
    if (rc == -EINVAL && err)
        err->code = -EILSEQ;
    return rc == -EINVAL ? -EILSEQ : rc;
}

static void tell(colony_session_problem_cb problem, void *data, const struct colony_error *err)
{
    char line[COLONY_ERROR_TEXT_MAX + sizeof " (meanwhile what it said when it was good counts)"];

    if (!problem)
        return;
    (void)snprintf(line, sizeof line, "%s (meanwhile what it said when it was good counts)",
                   err->message);
    problem(line, data);
}

int colony_session_config_read_good(struct colony_session_config *out,
                                    struct colony_workspace *workspace,
                                    colony_session_problem_cb problem, void *data,
                                    struct colony_error *err)
{
    struct colony_error reason = {0};
    char *kept = NULL;
    int rc = colony_session_config_read(out, workspace, &reason);

    if (rc == 0)
        return 0;
    if (rc != -ENOMEM && colony__database_kept(&kept, workspace, SESSION_FILE, NULL) == 0 && kept &&
        parse(out, workspace, kept, NULL) == 0) {
        tell(problem, data, &reason);
        rc = 0;
    } else if (err) {
        *err = reason;
    }
    free(kept);
    return rc;
}

static void remake(struct colony__look *look, const char *kept)
{
    struct colony_error err;
    int rc;

    look->is_unsettled = true;
    if (!look->settles)
        return;
    rc = colony__workspace_write(look->workspace, SESSION_CONFIG, kept, &err);
    if (rc < 0)
        colony__look_complain(look, "%s", err.message);
    else
        colony__look_complain(look, "%s/" SESSION_CONFIG " was gone: made again from the database",
                              look->workspace->path);
}

static void keep(struct colony__look *look, const char *text)
{
    struct colony_error err;

    look->is_unsettled = true;
    if (look->settles &&
        colony__database_keep(look->workspace, SESSION_FILE, SESSION_FILE, text, &err) < 0)
        colony__look_complain(look, "%s", err.message);
}

void colony__session_config_settle(struct colony__look *look)
{
    struct colony_error err;
    char *kept = NULL;
    char *text = NULL;
    size_t size = 0;
    int rc = colony__database_kept(&kept, look->workspace, SESSION_FILE, &err);

    if (rc < 0)
        colony__look_complain(look, "%s", err.message);
    else
        rc = colony__workspace_read(look->workspace, SESSION_CONFIG, &text, &size, NULL);
    if (rc == -ENOENT && kept)
        remake(look, kept);
    if (rc == 0 && !(kept && strcmp(kept, text) == 0) && is_good(look->workspace, text))
        keep(look, text);
    free(kept);
    free(text);
}
