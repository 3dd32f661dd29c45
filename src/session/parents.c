/* SPDX-License-Identifier: Apache-2.0 */
#include "session/parents.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/table.h"
#include "session/config.h"
#include "session/dependences.h"
#include "session/fingerprint.h"
#include "session/process.h"
#include "session/state.h"

enum {
    MS_PER_SECOND = 1000,
    NS_PER_MS = 1000000,
};

static uint64_t age_ms(const struct colony_session_process *process)
{
    struct colony_boot boot;
    uint64_t now_ms = colony_boot_now_ns() / NS_PER_MS;
    uint64_t start_ms;

    if (colony_boot_read(&boot, NULL) < 0)
        return 0;
    start_ms = process->start_ticks * MS_PER_SECOND / boot.ticks_per_second;
    return now_ms > start_ms ? now_ms - start_ms : 0;
}

/* Of a living one, into @state. *problem: of a saved state that cannot be used, to be freed. */
/* NOLINTNEXTLINE(readability-function-size): what is read, and of what */
static int read_state(char state[COLONY_STATE_NAME_MAX + 1], struct colony_workspace *workspace,
                      const struct colony_session_process *process, uint64_t period_ms,
                      char **problem, struct colony_error *err)
{
    struct colony_saved_states saved = {0};
    struct colony_fingerprint live = {0};
    const char *found = NULL;
    int rc = colony_fingerprint_take(&live, process->pid, NULL, err);

    if (rc == 0)
        rc = colony_saved_states_load(&saved, workspace, process->name, err);
    if (rc == 0)
        found = colony_saved_states_match(&saved, &live, NULL);
    if (rc == 0 && !found)
        found = age_ms(process) < period_ms ? COLONY_STATE_STARTING : COLONY_STATE_RUNNING;
    if (found)
        (void)snprintf(state, COLONY_STATE_NAME_MAX + 1, "%s", found);
    colony_fingerprint_clear(&live);
    *problem = saved.problem;
    saved.problem = NULL;
    colony_saved_states_clear(&saved);
    return rc;
}

static bool is_met(const struct colony_dependence *dependence, const char *state)
{
    if (dependence->state)
        return strcmp(dependence->state, state) == 0;
    return strcmp(state, COLONY_STATE_STOPPED) != 0 && strcmp(state, COLONY_STATE_STARTING) != 0;
}

static int check(struct colony_workspace *workspace, const struct colony_dependence *dependence,
                 const struct colony_session_process *parent, uint64_t period_ms,
                 struct colony_error *err)
{
    char state[COLONY_STATE_NAME_MAX + 1] = COLONY_STATE_STOPPED;
    char *problem = NULL;
    int rc = colony_session_process_is_alive(parent)
                 ? read_state(state, workspace, parent, period_ms, &problem, err)
                 : 0;

    if ((rc < 0 && rc != -ESRCH) || /* it has ended meanwhile */
        (rc == 0 && is_met(dependence, state))) {
        free(problem);
        return rc;
    }
    rc = colony_fail(err, -EBUSY,
                     "cannot start %s: it waits for %s%s%s, which is %s (start that first, or "
                     "activate the session, which has all of it started in order)%s%s",
                     dependence->child, dependence->parent, dependence->state ? ":" : "",
                     dependence->state ? dependence->state : "", state, problem ? "; " : "",
                     problem ? problem : "");
    free(problem);
    return rc;
}

int colony_session_parents_check(struct colony_workspace *workspace,
                                 const struct colony_session_config *config,
                                 const struct colony_session_list *list,
                                 const struct colony_session_process *process,
                                 struct colony_error *err)
{
    for (size_t i = 0; i < config->dependence_count; i++) {
        const struct colony_dependence *dependence = &config->dependences[i];
        const struct colony_session_process *child =
            colony_session_list_find(list, dependence->child);
        const struct colony_session_process *parent =
            colony_session_list_find(list, dependence->parent);
        struct colony_error circle;
        int rc;

        if (!child || strcmp(child->name, process->name) != 0)
            continue;
        if (!parent)
            return colony_fail(err, -ENOENT,
                               "cannot start %s: it waits for %s, which is no process of this "
                               "session (see `dependences:` in etc/session.yaml)",
                               dependence->child, dependence->parent);
        rc = check(workspace, dependence, parent, config->period_ms, err);
        if (rc == -EBUSY && colony_dependences_check_one(config, list, process->name, &circle) < 0)
            return colony_fail(err, -EILSEQ,
                               "cannot start %s: %s (mend `dependences:` in etc/session.yaml)",
                               dependence->child, circle.message);
        if (rc < 0)
            return rc;
    }
    return 0;
}
