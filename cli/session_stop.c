/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_stop.c - `colony session stop` and `deactivate`: who waits for others goes first, level
 * by level; all of one level at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/dependences.h"
#include "session/launch.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_stop_options[] = {
    SESSION_PLACE,
    {"all", 0, NULL, "all processes of the session", OPTION_FLAG, SESSION_AT(is_all), NULL},
    SESSION_END,
};
/* clang-format on */

/* What is to be stopped of a list, and in which order. */
struct stopping {
    struct colony_session_list list;
    struct colony_session_process **chosen; /* of the list */
    size_t count;
    size_t *levels; /* of the list */
};

static void clear(struct stopping *stopping)
{
    free(stopping->chosen);
    free(stopping->levels);
    colony_session_list_clear(&stopping->list);
}

static int rank(struct stopping *stopping, struct session *session, struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_error circle;
    int rc = colony_session_config_read_good(&config, session->workspace, session_warn, NULL, err);

    if (rc < 0)
        return rc;
    rc = colony_dependences_order(&config, &stopping->list, stopping->levels, &circle, err);
    if (rc == 0 && circle.code != 0)
        session_warn(circle.message, NULL);
    colony_session_config_clear(&config);
    return rc;
}

/* Each that is to end is held by a descriptor. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* without: what does not fit is told */
}

static int read_all(struct stopping *stopping, struct session *session, struct colony_error *err)
{
    int rc;

    raise_limit();
    rc = colony_session_list_read(&stopping->list, session->workspace, session_warn, NULL, err);

    if (rc < 0)
        return rc;
    stopping->chosen = calloc(stopping->list.count + 1, sizeof(struct colony_session_process *));
    stopping->levels = calloc(stopping->list.count + 1, sizeof *stopping->levels);
    if (!stopping->chosen || !stopping->levels)
        return colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    return rank(stopping, session, err);
}

static bool is_chosen(const struct stopping *stopping, const struct colony_session_process *process)
{
    for (size_t i = 0; i < stopping->count; i++)
        if (stopping->chosen[i] == process)
            return true;
    return false;
}

static void choose(struct stopping *stopping, struct colony_session_process *process)
{
    if (!is_chosen(stopping, process))
        stopping->chosen[stopping->count++] = process;
}

static int choose_named(struct stopping *stopping, int argc, char **argv, struct colony_error *err)
{
    for (int i = 1; i < argc; i++) {
        struct colony_session_process *process = colony_session_list_find(&stopping->list, argv[i]);

        if (!process)
            return colony_session_list_complain(&stopping->list, argv[i], err);
        choose(stopping, process);
    }
    return 0;
}

static void choose_all(struct stopping *stopping, bool only_shutdown)
{
    for (size_t i = 0; i < stopping->list.count; i++)
        if (!only_shutdown || stopping->list.items[i].shutdown)
            stopping->chosen[stopping->count++] = &stopping->list.items[i];
}

static size_t level_of(const struct stopping *stopping,
                       const struct colony_session_process *process)
{
    return stopping->levels[process - stopping->list.items];
}

static size_t highest_level(const struct stopping *stopping)
{
    size_t highest = 0;

    for (size_t i = 0; i < stopping->count; i++)
        if (level_of(stopping, stopping->chosen[i]) > highest)
            highest = level_of(stopping, stopping->chosen[i]);
    return highest;
}

/* Adds to *out. A level that fails does not keep the others from being stopped. */
static int stop_level(struct stopping *stopping, struct session *session, size_t level,
                      struct colony_session_stopped *out, struct colony_error *err)
{
    struct colony_session_process **those =
        calloc(stopping->count + 1, sizeof(struct colony_session_process *));
    struct colony_session_stopped some = {0};
    size_t count = 0;
    int rc;

    if (!those)
        return colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    for (size_t i = 0; i < stopping->count; i++)
        if (level_of(stopping, stopping->chosen[i]) == level)
            those[count++] = stopping->chosen[i];
    rc = count == 0 ? 0 : session_backend(session)->stop(session, those, count, &some, err);
    out->stopped += some.stopped;
    out->killed += some.killed;
    free(those);
    return rc;
}

static int stop_chosen(struct stopping *stopping, struct session *session,
                       struct colony_session_stopped *out, struct colony_error *err)
{
    int first = 0;

    for (size_t level = highest_level(stopping) + 1; level-- > 0;) {
        int rc = stop_level(stopping, session, level, out, first < 0 ? NULL : err);

        if (first == 0)
            first = rc;
    }
    return first;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "es";
}

static void tell(const struct colony_session_stopped *stopped)
{
    if (stopped->stopped == 0)
        printf("nothing was running\n");
    else
        printf("stopped %zu process%s\n", stopped->stopped, plural(stopped->stopped));
    if (stopped->killed > 0)
        printf("%zu process%s had to be killed\n", stopped->killed, plural(stopped->killed));
}

static int finish(struct session *session, struct stopping *stopping, int rc,
                  const struct colony_error *err)
{
    colony_workspace_unlock(session->workspace);
    clear(stopping);
    return rc < 0 ? session_fail_error(err) : EXIT_OK;
}

int session_stop(struct session *session, int argc, char **argv)
{
    struct colony_session_stopped stopped = {0};
    struct stopping stopping = {0};
    struct colony_error err = {0};
    int rc;

    if (session->is_all == (argc > 1))
        return session_fail(EXIT_USAGE, "stop: give either names of processes or --all");
    rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err);
    if (rc < 0)
        return session_fail_error(&err);
    rc = read_all(&stopping, session, &err);
    if (rc == 0 && session->is_all)
        choose_all(&stopping, false);
    else if (rc == 0)
        rc = choose_named(&stopping, argc, argv, &err);
    if (rc == 0) {
        rc = stop_chosen(&stopping, session, &stopped, &err);
        tell(&stopped);
    }
    return finish(session, &stopping, rc, &err);
}

static size_t count_left(const struct stopping *stopping)
{
    size_t count = 0;

    for (size_t i = 0; i < stopping->list.count; i++) {
        int pidfd = colony_session_process_pidfd(&stopping->list.items[i]);

        count += pidfd >= 0;
        if (pidfd >= 0)
            (void)close(pidfd);
    }
    return count;
}

int session_deactivate(struct session *session, int argc, char **argv)
{
    struct colony_session_stopped stopped = {0};
    struct stopping stopping = {0};
    struct colony_error err = {0};
    size_t left;
    int rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &err);

    (void)argc;
    (void)argv;
    if (rc < 0)
        return session_fail_error(&err);
    rc = read_all(&stopping, session, &err);
    if (rc == 0) {
        choose_all(&stopping, true);
        rc = stop_chosen(&stopping, session, &stopped, &err);
        tell(&stopped);
    }
    if (rc == 0)
        rc = session_backend(session)->end(session, &err);
    left = rc == 0 ? count_left(&stopping) : 0;
    if (left > 0)
        printf("left %zu process%s running\n", left, plural(left));
    return finish(session, &stopping, rc, &err);
}
