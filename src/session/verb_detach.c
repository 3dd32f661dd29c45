/* SPDX-License-Identifier: Apache-2.0 */
/* verb_detach.c - a session forgets a process and leaves it running. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

static bool is_it(const char *word, const struct colony_session_process *process)
{
    return strcmp(word, process->name) == 0 ||
           (process->alias && strcmp(word, process->alias) == 0);
}

/* Nobody waits for it any more, nor it for anybody. Returns how many there were, or a negative
 * errno. */
static int drop_dependences(const struct colony_session *session,
                            const struct colony_session_process *process, struct colony_error *err)
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

/* What came of it is handed on while it is still known what it was called. */
static int detach(const struct colony_session *session, const char *word,
                  colony_verb_detached_cb tell, void *data, struct colony_error *err)
{
    struct colony_session_process process = {0};
    int rc = colony_session_process_find(&process, session->workspace, word, err);
    int dropped;

    if (rc < 0)
        return rc;
    dropped = drop_dependences(session, &process, err);
    rc = dropped < 0 ? dropped
                     : colony_session_process_remove(session->workspace, process.name, err);
    if (rc == 0 && tell) {
        const struct colony_verb_detached detached = {
            .title = colony_session_process_title(&process),
            .pid = colony_session_process_is_alive(&process) ? process.pid : 0,
            .dependences = (size_t)dropped,
        };

        tell(&detached, data);
    }
    colony_session_process_clear(&process);
    return rc;
}

int colony_verb_detach(const struct colony_session *session, char *const *words,
                       colony_verb_detached_cb tell, void *data, struct colony_error *err)
{
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);
    int reloaded;

    if (rc < 0)
        return rc;
    for (; *words && rc == 0; words++)
        rc = detach(session, *words, tell, data, err);
    reloaded = colony__backend_of(session)->reload(session, rc < 0 ? NULL : err);
    colony_workspace_unlock(session->workspace);
    return rc < 0 ? rc : reloaded;
}
