/* SPDX-License-Identifier: Apache-2.0 */
/* session_processes.c - sessions of the library: processes come, are changed, and go. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session_internal.h"

static const enum colony_switch wishes[] = {
    [COLONY_AS_IT_IS] = SWITCH_AS_IT_IS,
    [COLONY_NO] = SWITCH_OFF,
    [COLONY_YES] = SWITCH_ON,
};

/* NULL: nothing is to be otherwise. */
static int translate(struct colony_verb_change *out, const struct colony_session_change *change,
                     struct colony_error *err)
{
    static const struct colony_session_change none = {0};

    change = change ? change : &none;
    if ((unsigned)change->restart > COLONY_YES || (unsigned)change->shutdown > COLONY_YES)
        return colony_fail(err, -EINVAL,
                           "cannot change the process: restart and shutdown are a colony_choice");
    *out = (struct colony_verb_change){
        .state = change->state,
        .alias = change->alias,
        .restart = wishes[change->restart],
        .shutdown = wishes[change->shutdown],
        .cmdline = change->cmdline,
        .cwd = change->cwd,
        .env = change->env,
    };
    return 0;
}

static void describe(struct colony_session_started *out,
                     const struct colony_session_process *process)
{
    if (!out)
        return;
    *out = (struct colony_session_started){.pid = process->pid};
    (void)snprintf(out->name, sizeof out->name, "%s", process->name);
}

/* No name has a colon, and no uri none. */
int colony_session_start(struct colony_session *session, const char *what,
                         const struct colony_session_change *change,
                         struct colony_session_started *started, struct colony_error *err)
{
    struct colony_verb_change wish = {0};
    struct colony_session_process process = {0};
    struct colony_error told = {0};
    int rc = translate(&wish, change, err);

    if (rc < 0)
        return rc;
    if (wish.state)
        return colony_fail(err, -EINVAL,
                           "cannot name the state of what has yet to be started: update does");
    wish.uri = strchr(what, ':') ? what : NULL;
    rc = colony_verb_start(session, what, &wish, &process, &told);
    if (rc == 0)
        describe(started, &process);
    colony_session_process_clear(&process);
    return colony__session_end(rc, &told, err);
}

int colony_session_attach(struct colony_session *session, pid_t pid,
                          const struct colony_session_change *change,
                          struct colony_session_started *taken, struct colony_error *err)
{
    struct colony_verb_change wish = {0};
    struct colony_verb_attached attached = {0};
    struct colony_error told = {0};
    int rc = translate(&wish, change, &told);

    if (rc == 0)
        rc = colony_verb_attach(session, pid, &wish, &attached, &told);
    if (rc == 0)
        describe(taken, &attached.process);
    colony_session_process_clear(&attached.process);
    return colony__session_end(rc, &told, err);
}

int colony_session_update(struct colony_session *session, const char *who,
                          const struct colony_session_change *change, struct colony_error *err)
{
    struct colony_verb_change wish = {0};
    struct colony_session_process process = {0};
    struct colony_error told = {0};
    int rc = translate(&wish, change, &told);

    if (rc == 0)
        rc = colony_verb_update(session, who, &wish, &process, &told);
    colony_session_process_clear(&process);
    return colony__session_end(rc, &told, err);
}

int colony_session_detach(struct colony_session *session, const char *who, struct colony_error *err)
{
    char *const words[] = {(char *)who, NULL};
    struct colony_error told = {0};

    return colony__session_end(colony_verb_detach(session, words, NULL, NULL, &told), &told, err);
}

static void count(struct colony_session_ended *out, const struct colony_verb_stopped *stopped)
{
    if (out)
        *out = (struct colony_session_ended){stopped->those.stopped, stopped->those.killed,
                                             stopped->left};
}

int colony_session_stop(struct colony_session *session, const char *who,
                        struct colony_session_ended *ended, struct colony_error *err)
{
    char *const words[] = {(char *)who, NULL};
    struct colony_verb_stopped stopped;
    struct colony_error told = {0};
    int rc = colony_verb_stop(session, who ? words : NULL, &stopped, &told);

    count(ended, &stopped);
    return colony__session_end(rc, &told, err);
}

int colony_session_deactivate(struct colony_session *session, struct colony_session_ended *ended,
                              struct colony_error *err)
{
    struct colony_verb_stopped stopped;
    struct colony_error told = {0};
    int rc = colony_verb_deactivate(session, &stopped, &told);

    count(ended, &stopped);
    return colony__session_end(rc, &told, err);
}
