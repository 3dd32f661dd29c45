/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_stop.c - processes of a session are stopped: who waits for others goes first, level by
 * level; all of one level at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/dependences.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

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

static int rank(struct stopping *stopping, const struct colony_session *session,
                struct colony_error *err)
{
    struct colony_session_config config;
    struct colony_error circle;
    int rc = colony_session_config_read_good(&config, session->workspace, session->problem,
                                             session->data, err);

    if (rc < 0)
        return rc;
    rc = colony_dependences_order(&config, &stopping->list, stopping->levels, &circle, err);
    if (rc == 0 && circle.code != 0)
        colony__verb_tell(session, circle.message);
    colony_session_config_clear(&config);
    return rc;
}

static int read_all(struct stopping *stopping, const struct colony_session *session,
                    struct colony_error *err)
{
    int rc = colony_session_list_read(&stopping->list, session->workspace, session->problem,
                                      session->data, err);

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

static int choose_named(struct stopping *stopping, char *const *words, struct colony_error *err)
{
    for (; *words; words++) {
        struct colony_session_process *process = colony_session_list_find(&stopping->list, *words);

        if (!process)
            return colony_session_list_complain(&stopping->list, *words, err);
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
static int stop_level(struct stopping *stopping, const struct colony_session *session, size_t level,
                      struct colony_session_stopped *out, struct colony_error *err)
{
    struct colony_session_process **those =
        calloc(stopping->count + 1, sizeof(struct colony_session_process *));
    struct colony_session_chosen chosen = {.items = those};
    struct colony_session_stopped some = {0};
    int rc = 0;

    if (!those)
        return colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    for (size_t i = 0; i < stopping->count; i++)
        if (level_of(stopping, stopping->chosen[i]) == level)
            those[chosen.count++] = stopping->chosen[i];
    if (chosen.count > 0)
        rc = colony__backend_of(session)->stop(session, &chosen, &some, err);
    out->stopped += some.stopped;
    out->killed += some.killed;
    free(those);
    return rc;
}

static int stop_chosen(struct stopping *stopping, const struct colony_session *session,
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

static size_t count_left(const struct stopping *stopping)
{
    size_t count = 0;

    for (size_t i = 0; i < stopping->list.count; i++)
        count += colony_session_process_is_alive(&stopping->list.items[i]);
    return count;
}

int colony_verb_stop(const struct colony_session *session, char *const *words,
                     struct colony_verb_stopped *out, struct colony_error *err)
{
    struct stopping stopping = {0};
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);

    *out = (struct colony_verb_stopped){0};
    if (rc < 0)
        return rc;
    rc = read_all(&stopping, session, err);
    if (rc == 0 && !words)
        choose_all(&stopping, false);
    else if (rc == 0)
        rc = choose_named(&stopping, words, err);
    out->has_begun = rc == 0;
    if (rc == 0)
        rc = stop_chosen(&stopping, session, &out->those, err);
    colony_workspace_unlock(session->workspace);
    clear(&stopping);
    return rc;
}

int colony_verb_deactivate(const struct colony_session *session, struct colony_verb_stopped *out,
                           struct colony_error *err)
{
    struct stopping stopping = {0};
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);

    *out = (struct colony_verb_stopped){0};
    if (rc < 0)
        return rc;
    rc = read_all(&stopping, session, err);
    out->has_begun = rc == 0;
    if (rc == 0) {
        choose_all(&stopping, true);
        rc = stop_chosen(&stopping, session, &out->those, err);
    }
    if (rc == 0)
        rc = colony__backend_of(session)->end(session, err);
    out->left = rc == 0 ? count_left(&stopping) : 0;
    colony_workspace_unlock(session->workspace);
    clear(&stopping);
    return rc;
}
