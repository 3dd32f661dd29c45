/* SPDX-License-Identifier: Apache-2.0 */
/* session_gc.c - `colony session gc`: removes what nothing has a use for, and says so. */
#include <stdio.h>

#include "core/error.h"
#include "session/gc.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_gc_options[] = {
    SESSION_PLACE,
    {"dry-run", 'n', NULL, "only tell what would be removed", OPTION_FLAG, SESSION_AT(is_trial), NULL},
    SESSION_END,
};
/* clang-format on */

static void tell(const char *path, const char *why, void *data)
{
    const struct session *session = data;

    printf("%s %s: %s\n", session->is_trial ? "would remove" : "removed", path, why);
}

int session_gc(struct session *session, int argc, char **argv)
{
    struct colony_session_gc gc = {.is_trial = session->is_trial,
                                   .tell = tell,
                                   .problem = session->open.problem,
                                   .data = session};
    struct colony_error err = {0};

    (void)argc;
    (void)argv;
    if (colony_session_gc(session->open.workspace, &gc, &err) < 0)
        return session_fail_error(&err);
    if (gc.count == 0)
        printf("there is nothing to remove\n");
    return EXIT_OK;
}
