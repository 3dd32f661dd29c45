/* SPDX-License-Identifier: Apache-2.0 */
/* session_detach.c - `colony session detach`: forgets a process and leaves it running. */
#include <stdio.h>

#include "core/error.h"
#include "session_internal.h"

static void tell(const struct colony_verb_detached *detached, void *data)
{
    size_t count = detached->dependences;

    (void)data;
    printf("detached %s", detached->title);
    if (detached->pid > 0)
        printf(", which runs on as pid %d", (int)detached->pid);
    if (count > 0)
        printf("; %zu dependence%s gone with it", count, count == 1 ? " is" : "s are");
    printf("\n");
}

int session_detach(struct session *session, int argc, char **argv)
{
    struct colony_error err = {0};

    (void)argc;
    if (colony_verb_detach(&session->open, argv + 1, tell, NULL, &err) < 0)
        return session_fail_error(&err);
    return EXIT_OK;
}
