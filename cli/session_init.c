/* SPDX-License-Identifier: Apache-2.0 */
/* session_init.c - `colony session init`: a folder becomes a workspace. */
#include <stdio.h>

#include "core/error.h"
#include "session/workspace.h"
#include "session_internal.h"

int session_init(struct session *session, int argc, char **argv)
{
    struct colony_error err = {0};
    size_t added = 0;

    (void)argc;
    (void)argv;
    if (colony_verb_init(&session->open, session->folder, &added, &err) < 0)
        return session_fail_error(&err);
    if (added == 0)
        printf("%s is a workspace already, and nothing is missing\n",
               colony_workspace_path(session->open.workspace));
    else
        printf("made %s a workspace: %zu folders and files\n",
               colony_workspace_path(session->open.workspace), added);
    return EXIT_OK;
}
