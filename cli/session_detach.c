/* SPDX-License-Identifier: Apache-2.0 */
/* session_detach.c - `colony session detach`: forgets a process and leaves it running. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_internal.h"

static bool is_it(const char *word, const struct colony_session_process *process)
{
    return strcmp(word, process->name) == 0 ||
           (process->alias && strcmp(word, process->alias) == 0);
}

/* Nobody waits for it any more, nor it for anybody. Returns how many there were, or a negative
 * errno. */
static int drop_dependences(struct session *session, const struct colony_session_process *process,
                            struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_session_config rest;
    int rc = colony_session_config_read(&config, session->workspace, err);
    size_t kept = 0;

    if (rc < 0)
        return rc;
    rest = config;
    rest.dependences = calloc(config.dependence_count + 1, sizeof *rest.dependences);
    for (size_t i = 0; rest.dependences && i < config.dependence_count; i++)
        if (!is_it(config.dependences[i].child, process) &&
            !is_it(config.dependences[i].parent, process))
            rest.dependences[kept++] = config.dependences[i]; /* its strings are borrowed */
    rest.dependence_count = kept;
    if (!rest.dependences)
        rc =
            colony_fail_os(err, -ENOMEM, "cannot detach %s", colony_session_process_title(process));
    else if (kept < config.dependence_count)
        rc = colony_session_config_write_dependences(session->workspace, &rest, err);
    if (rc == 0)
        rc = (int)(config.dependence_count - kept);
    free(rest.dependences);
    colony_session_config_clear(&config);
    return rc;
}

static int detach(struct session *session, const char *word, struct colony_error *err)
{
    struct colony_session_process process = {0};
    int rc = colony_session_process_find(&process, session->workspace, word, err);
    int dropped;
    int pidfd;

    if (rc < 0)
        return rc;
    dropped = drop_dependences(session, &process, err);
    rc = dropped < 0 ? dropped
                     : colony_session_process_remove(session->workspace, process.name, err);
    pidfd = colony_session_process_pidfd(&process);
    if (rc == 0) {
        printf("detached %s", colony_session_process_title(&process));
        if (pidfd >= 0)
            printf(", which runs on as pid %d", (int)process.pid);
        if (dropped > 0)
            printf("; %d dependence%s gone with it", dropped, dropped == 1 ? " is" : "s are");
        printf("\n");
    }
    if (pidfd >= 0)
        (void)close(pidfd);
    colony_session_process_clear(&process);
    return rc;
}

int session_detach(struct session *session, int argc, char **argv)
{
    struct colony_error err = {0};
    int rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err);
    int told;

    if (rc < 0)
        return session_fail_error(&err);
    for (int i = 1; i < argc && rc == 0; i++)
        rc = detach(session, argv[i], &err);
    told = rc < 0 ? session_fail_error(&err) : EXIT_OK;
    rc = session_backend(session)->reload(session, &err);
    colony_workspace_unlock(session->workspace);
    if (rc < 0 && told == EXIT_OK)
        return session_fail_error(&err);
    return told;
}
