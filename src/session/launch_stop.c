/* SPDX-License-Identifier: Apache-2.0 */
/* launch_stop.c - stops processes of a session, and what they have left behind. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/launch.h"
#include "session/launch_internal.h"
#include "session/process.h"

enum {
    SWEEPS_MAX = 16, /* what forks while it is swept is found by the next */
};

/* One stop. */
struct stop {
    struct colony_workspace *workspace;
    const struct colony_session_chosen *chosen;
    const struct colony_session_config *config;
    struct colony__targets targets;        /* of the chosen, in their order */
    struct colony_session_process **ended; /* room for all of them */
};

static int find_strays(struct colony__targets *strays, const char *instance,
                       const struct colony_session_chosen *ended, struct colony_error *err)
{
    struct colony__stray *found = NULL;
    ssize_t count = colony__launch_find_strays(&found, instance, ended, err);
    int rc = count < 0 ? (int)count : colony__targets_init(strays, (size_t)count, err);

    for (ssize_t i = 0; i < count; i++) {
        if (rc == 0)
            colony__targets_add(strays, found[i].pid, NULL, found[i].pidfd);
        else
            (void)close(found[i].pidfd);
    }
    free(found);
    return rc;
}

/* 1: there were some, which have ended; 0: there are none. */
static int sweep(const struct colony_session_chosen *ended, const char *instance,
                 const struct colony_session_config *config, size_t *killed,
                 struct colony_error *err)
{
    struct colony__targets strays = {0};
    int rc = find_strays(&strays, instance, ended, err);

    if (rc < 0)
        return rc;
    rc = strays.left > 0;
    *killed += colony__targets_stop(&strays, config);
    if (strays.left > 0)
        rc = colony_fail(err, -ETIMEDOUT,
                         "cannot stop all: what they have left behind does not end even by SIGKILL "
                         "(it waits for a device)");
    colony__targets_clear(&strays);
    return rc;
}

static bool has_ended(const struct colony__target *target)
{
    return target->pidfd < 0 && target->fault == 0;
}

static size_t count_ended(const struct colony__targets *targets)
{
    size_t count = 0;

    for (size_t i = 0; i < targets->count; i++)
        count += has_ended(&targets->items[i]);
    return count;
}

/* What bears the marks of those that have ended goes the same way; then what came since. */
static int stop_strays(struct stop *stop, size_t *killed, struct colony_error *err)
{
    static const struct colony_session_config at_once = {0};
    struct colony_session_chosen ended = {.items = stop->ended};
    char instance[COLONY_INSTANCE_SIZE];
    int rc = colony__launch_instance(stop->workspace, instance, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < stop->chosen->count; i++)
        if (has_ended(&stop->targets.items[i]))
            stop->ended[ended.count++] = stop->chosen->items[i];
    rc = sweep(&ended, instance, stop->config, killed, err);
    for (unsigned i = 1; rc > 0 && i < SWEEPS_MAX; i++)
        rc = sweep(&ended, instance, &at_once, killed, err);
    return rc < 0 ? rc : 0;
}

/* The first fault there is, told. */
static int tell_faults(const struct colony__targets *targets, struct colony_error *err)
{
    for (size_t i = 0; i < targets->count; i++) {
        const struct colony__target *target = &targets->items[i];

        if (target->fault == -EPERM)
            return colony_fail(err, -EPERM,
                               "cannot stop %s: pid %d belongs to somebody else (stop it as that "
                               "user)",
                               target->title, (int)target->pid);
        if (target->fault < 0)
            return colony_fail_os(err, target->fault, "cannot stop %s: pid %d", target->title,
                                  (int)target->pid);
        if (target->pidfd >= 0)
            return colony_fail(err, -ETIMEDOUT,
                               "cannot stop %s: pid %d does not end even by SIGKILL (it waits for "
                               "a device)",
                               target->title, (int)target->pid);
    }
    return 0;
}

/* Those that have ended are stopped; in one transaction. */
static int note(struct stop *stop, struct colony_error *err)
{
    size_t room = stop->chosen->count + 1;
    struct colony_session_process *noted = calloc(room, sizeof *noted);
    size_t count = 0;
    int rc = 0;

    if (!noted) {
        (void)colony_fail_os(err, -ENOMEM, "cannot note the stop");
        return -ENOMEM;
    }
    for (size_t i = 0; rc == 0 && i < stop->chosen->count; i++) {
        struct colony_session_process *process = stop->chosen->items[i];

        if (!has_ended(&stop->targets.items[i]))
            continue;
        rc = colony__launch_set_life(process, COLONY_STATE_STOPPED, 0, 0, err);
        noted[count++] = *process; /* its strings are borrowed */
    }
    if (rc == 0 && count > 0)
        rc = colony_session_process_put_life(stop->workspace, noted, count, err);
    free(noted);
    return rc;
}

static int run(struct stop *stop, struct colony_session_stopped *out, struct colony_error *err)
{
    struct colony__targets *targets = &stop->targets;
    size_t before;
    int first;
    int rc;

    for (size_t i = 0; i < stop->chosen->count; i++) {
        const struct colony_session_process *process = stop->chosen->items[i];

        colony__targets_add(targets, process->pid, colony_session_process_title(process),
                            colony_session_process_pidfd(process));
    }
    before = count_ended(targets);
    out->killed = colony__targets_stop(targets, stop->config);
    out->stopped = count_ended(targets) - before;
    first = tell_faults(targets, err);
    rc = stop_strays(stop, &out->killed, first < 0 ? NULL : err);
    first = first < 0 ? first : rc;
    rc = note(stop, first < 0 ? NULL : err);
    return first < 0 ? first : rc;
}

int colony_session_stop_chosen(struct colony_workspace *workspace,
                               const struct colony_session_chosen *chosen,
                               const struct colony_session_config *config,
                               struct colony_session_stopped *out, struct colony_error *err)
{
    struct stop stop = {.workspace = workspace, .chosen = chosen, .config = config};
    int rc = colony__targets_init(&stop.targets, chosen->count, err);

    *out = (struct colony_session_stopped){0};
    if (rc < 0)
        return rc;
    stop.ended = calloc(chosen->count + 1, sizeof(struct colony_session_process *));
    if (stop.ended)
        rc = run(&stop, out, err);
    else
        rc = colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    free(stop.ended);
    colony__targets_clear(&stop.targets);
    return rc;
}
