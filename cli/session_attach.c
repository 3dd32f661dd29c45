/* SPDX-License-Identifier: Apache-2.0 */
/* session_attach.c - `colony session attach`: takes a running process, and gives states names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "core/error.h"
#include "session/config.h"
#include "session/consumption.h"
#include "session/names.h"
#include "session/observe.h"
#include "session/origin.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_attach_options[] = {
    SESSION_PLACE,
    {"pid", 0, "PID", "the process; it may be anybody's child", OPTION_NUMBER, SESSION_AT(pid), NULL},
    SESSION_ALIAS,
    SESSION_RESTART,
    SESSION_SHUTDOWN,
    {"state", 0, "STATE", "call the state it is in now STATE: it is known again by what it has open", OPTION_TEXT, SESSION_AT(state), NULL},
    SESSION_END,
};
/* clang-format on */

/* --- which process of the session it is --------------------------------------------------------
 */

static bool is_alive(const struct colony_session_process *process)
{
    int pidfd = colony_session_process_pidfd(process);

    if (pidfd >= 0)
        (void)close(pidfd);
    return pidfd >= 0;
}

static bool has_same_cmdline(const struct colony_session_process *left,
                             const struct colony_session_process *right)
{
    size_t i = 0;

    if (!left->cmdline || !right->cmdline)
        return false;
    while (left->cmdline[i] && right->cmdline[i] &&
           strcmp(left->cmdline[i], right->cmdline[i]) == 0)
        i++;
    return !left->cmdline[i] && !right->cmdline[i];
}

static int check_is_new(const struct colony_session_list *list,
                        const struct colony_session_process *fresh, struct colony_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct colony_session_process *known = &list->items[i];
        const char *title = colony_session_process_title(known);

        if (known->pid == fresh->pid && known->start_ticks == fresh->start_ticks && is_alive(known))
            return colony_fail(err, -EEXIST,
                               "cannot attach process %d: it is %s of this session already; to "
                               "name its state: attach --alias %s --state STATE",
                               (int)fresh->pid, title, title);
    }
    return 0;
}

/* The one with @alias is meant, if it is down and was the same program; there may be none. */
static int find_alias(const struct colony_session_list *list, const char *alias,
                      const struct colony_session_process *fresh,
                      struct colony_session_process **out, struct colony_error *err)
{
    struct colony_session_process *known = colony_session_list_find(list, alias);

    *out = known;
    if (!known)
        return 0;
    if (is_alive(known))
        return colony_fail(err, -EEXIST, "cannot attach process %d as %s: that runs as pid %d",
                           (int)fresh->pid, alias, (int)known->pid);
    if (!has_same_cmdline(known, fresh) && (!known->uri || strcmp(known->uri, fresh->uri) != 0))
        return colony_fail(err, -EEXIST,
                           "cannot attach process %d as %s: that is %s, which runs something else; "
                           "choose another alias, or detach that one",
                           (int)fresh->pid, alias, known->name);
    return 0;
}

/* One that was attached, is down, and was started again by hand. */
static struct colony_session_process *find_uri(const struct colony_session_list *list,
                                               const char *uri)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].uri && strcmp(list->items[i].uri, uri) == 0 &&
            !is_alive(&list->items[i]))
            return &list->items[i];
    return NULL;
}

static bool is_of_another(const char *name, void *data)
{
    return colony_session_list_find(data, name) != NULL;
}

/* One that ran as root may be somebody else's by now: it is started again as what it is. */
static void move_owner(struct colony_session_process *to, struct colony_session_process *from)
{
    char *uid = to->uid;
    char *gid = to->gid;
    char **groups = to->groups;

    to->uid = from->uid;
    to->gid = from->gid;
    to->groups = from->groups;
    from->uid = uid;
    from->gid = gid;
    from->groups = groups;
}

/* What the session knows of it stays, but for its life and as whom it runs. */
static int take_over(struct colony_session_process *out, struct colony_session_process *fresh,
                     const struct colony_session_process *known)
{
    struct colony_session_process process = {0};

    if (colony_session_process_copy(&process, known) < 0)
        return -ENOMEM;
    free(process.boot);
    process.boot = fresh->boot;
    fresh->boot = NULL;
    process.pid = fresh->pid;
    move_owner(&process, fresh);
    process.start_ticks = fresh->start_ticks;
    *out = process;
    return 0;
}

static int make_new(struct colony_session_process *out, struct colony_session_process *fresh,
                    const struct colony_session_list *list)
{
    char name[COLONY_WORDS_MAX];

    colony_session_name(name, fresh->uri, is_of_another, (void *)list);
    fresh->name = strdup(name);
    if (!fresh->name)
        return -ENOMEM;
    *out = *fresh;
    *fresh = (struct colony_session_process){0};
    return 0;
}

/* @fresh is what runs, *out what the session is to know. */
static int settle(struct colony_session_process *out, struct session *session,
                  struct colony_session_process *fresh, bool *is_new, struct colony_error *err)
{
    struct colony_session_list list = {0};
    struct colony_session_process *known = NULL;
    int rc = colony_session_list_read(&list, session->workspace, session_warn, NULL, err);

    if (rc < 0)
        return rc;
    rc = check_is_new(&list, fresh, err);
    if (rc == 0 && session->alias)
        rc = find_alias(&list, session->alias, fresh, &known, err);
    if (rc == 0 && !known)
        known = find_uri(&list, fresh->uri);
    if (rc == 0) {
        *is_new = !known;
        rc = known ? take_over(out, fresh, known) : make_new(out, fresh, &list);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot attach process %d", (int)fresh->pid);
    }
    colony_session_list_clear(&list);
    return rc;
}

/* --- what is noted ------------------------------------------------------------------------------
 */

static int apply_options(struct colony_session_process *process, const struct session *session,
                         struct colony_error *err)
{
    char *alias;

    if (session->sets_restart)
        process->restart = session->restart;
    if (session->sets_shutdown)
        process->shutdown = session->shutdown;
    if (!session->alias || (process->name && strcmp(session->alias, process->name) == 0))
        return 0;
    alias = strdup(session->alias);
    if (!alias)
        return colony_fail_os(err, -ENOMEM, "cannot attach the process");
    free(process->alias);
    process->alias = alias;
    return 0;
}

static int set_state(struct colony_session_process *process, const char *state,
                     struct colony_error *err)
{
    char *copy = strdup(state);

    if (!copy)
        return colony_fail_os(err, -ENOMEM, "cannot attach the process");
    free(process->state);
    process->state = copy;
    return 0;
}

/* One that has run for a period was not launched just now, whoever launched it. */
static void settle_old(struct colony_observer *observer,
                       const struct colony_session_process *process)
{
    struct colony_consumption_meter meter = {0};
    struct colony_consumption used;

    if (colony_consumption_read(&used, &meter, process->pid, process->start_ticks) == 0 &&
        used.uptime_seconds * 1000 >= (double)observer->period_ms)
        colony_live_state_settle(&observer->live);
}

/* Its fingerprint, and its state by that or by what it is to be called. */
static int look(struct session *session, struct colony_session_process *process,
                struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_observer observer;
    const char *state = NULL;
    int rc = colony_session_config_read(&config, session->workspace, err);

    if (rc < 0)
        return rc;
    rc = colony_observer_init(&observer, session->workspace, process, config.period_ms, err);
    colony_session_config_clear(&config);
    if (rc < 0)
        return rc;
    settle_old(&observer, process);
    rc = colony_observer_look(&observer, process->pid, NULL, &state, err);
    if (rc == 0)
        rc = colony_observer_note(&observer, session->workspace, process, NULL, err);
    if (rc == 0 && session->state)
        rc = colony_fingerprint_save(&observer.live.last, session->workspace, process->name,
                                     session->state, err);
    if (rc == 0)
        rc = set_state(process, session->state ? session->state : state, err);
    colony_observer_clear(&observer);
    return rc;
}

/* Row and file, what it looks like, and its life, in this order: a kill in between leaves a process
 * that is down, not one that is gone. */
static int note(struct session *session, struct colony_session_process *process,
                struct colony_error *err)
{
    int rc = colony_session_process_put(session->workspace, process, err);

    if (rc == 0)
        rc = look(session, process, err);
    if (rc == 0)
        rc = colony_session_process_put_life(session->workspace, process, 1, err);
    return rc;
}

static void tell(const char *verb, const struct colony_session_process *process)
{
    printf("%s %s", verb, colony_session_process_title(process));
    if (process->alias)
        printf(" (%s)", process->name);
    printf(": pid %d, %s\n", (int)process->pid, process->state);
}

/* --- the two ways to say it --------------------------------------------------------------------
 */

static int attach(struct session *session, struct colony_session_process *process,
                  struct colony_error *err)
{
    struct colony_session_process fresh = {0};
    size_t left_out = 0;
    bool is_new = false;
    int rc = colony_origin_read(&fresh, (pid_t)session->pid, &left_out, err);

    if (rc == 0)
        rc = settle(process, session, &fresh, &is_new, err);
    colony_session_process_clear(&fresh);
    if (rc == 0)
        rc = apply_options(process, session, err);
    if (rc == 0)
        rc = note(session, process, err);
    if (rc < 0 && is_new && process->name)
        (void)colony_session_process_remove(session->workspace, process->name, NULL);
    if (rc < 0)
        return rc;
    if (left_out > 0)
        colony_options_complain(
            &colony_session_usage,
            "%s: %zu variables of its environment are not UTF-8 and are left out",
            colony_session_process_title(process), left_out);
    rc = session_backend(session)->reload(session, err);
    if (rc == 0)
        tell("attached", process);
    return rc;
}

static int tag(struct session *session, struct colony_session_process *process,
               struct colony_error *err)
{
    int rc = colony_session_process_find(process, session->workspace, session->alias, err);

    if (rc < 0)
        return rc;
    if (!is_alive(process))
        return colony_fail(err, -ESRCH, "cannot name the state of %s: it is not running",
                           session->alias);
    session->alias = NULL; /* it has it */
    rc = apply_options(process, session, err);
    if (rc == 0)
        rc = note(session, process, err);
    if (rc == 0)
        rc = session_backend(session)->reload(session, err);
    if (rc == 0)
        tell("named the state of", process);
    return rc;
}

int session_attach(struct session *session, int argc, char **argv)
{
    struct colony_session_process process = {0};
    struct colony_error err = {0};
    int rc;

    (void)argc;
    (void)argv;
    if (session->pid == 0 && (!session->alias || !session->state))
        return session_fail(EXIT_USAGE, "attach: give --pid PID, or --alias ALIAS --state STATE to "
                                        "name the state that ALIAS is in");
    if (session->pid > INT32_MAX)
        return session_fail(EXIT_USAGE, "attach: --pid: no process has so high a number");
    if (session->state && colony_session_state_check(session->state, &err) < 0)
        return session_fail_error(&err);
    rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err);
    if (rc < 0)
        return session_fail_error(&err);
    rc = (session->pid > 0 ? attach : tag)(session, &process, &err);
    colony_workspace_unlock(session->workspace);
    colony_session_process_clear(&process);
    if (rc < 0) {
        err.code = rc;
        return session_fail_error(&err);
    }
    return EXIT_OK;
}
