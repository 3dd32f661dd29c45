/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - what the processes of a session are doing, by one look at /proc. */
#include "session/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/table.h"
#include "session/dependences.h"
#include "session/fingerprint.h"
#include "session/saved_states.h"
#include "session/supervisor.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

enum {
    SETTLED_PERIODS = 2, /* a single look cannot see that nothing changes: so long it is believed */
};

struct looking {
    struct colony_view *view;
    const struct colony_session *session;
    struct colony_socket_table *sockets;
    struct colony_saved_states *saved; /* of each of the list */
    bool is_supervised;
};

static double uptime_of(const struct colony_session_process *process)
{
    double seconds = (double)colony_boot_now_ns() / 1e9 -
                     (double)process->start_ticks / (double)sysconf(_SC_CLK_TCK);

    return seconds > 0 ? seconds : 0;
}

/* It looks like none of its saved states. The supervisor, which looks each period, has the last
 * word on whether it still starts. */
static const char *state_without_match(const struct looking *looking,
                                       const struct colony_sight *sight)
{
    const char *noted = sight->process->state;

    if (noted && strcmp(noted, COLONY_STATE_STARTING) == 0 &&
        (looking->is_supervised || sight->uptime_seconds * 1000 <
                                       (double)(looking->view->config.period_ms * SETTLED_PERIODS)))
        return COLONY_STATE_STARTING;
    return COLONY_STATE_RUNNING;
}

/* What of another user we may not look into is as it was noted. */
static int look_inside(struct looking *looking, struct colony_sight *sight,
                       struct colony_error *err)
{
    const struct colony_session_process *process = sight->process;
    const struct colony_saved_states *saved = &looking->saved[sight - looking->view->sights];
    struct colony_fingerprint now = {0};
    const char *state;
    int rc;

    if (!looking->sockets && colony_socket_table_read(&looking->sockets, process->pid, NULL) < 0)
        looking->sockets = NULL;
    rc = colony_fingerprint_take(&now, process->pid, looking->sockets, err);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0) {
        sight->state = strdup(process->state ? process->state : COLONY_STATE_RUNNING);
        return 0;
    }
    sight->has_score = saved->count > 0;
    state = colony_saved_states_match(saved, &now, &sight->score);
    sight->state = strdup(state ? state : state_without_match(looking, sight));
    colony_fingerprint_clear(&now);
    return 0;
}

static int look_at(struct looking *looking, struct colony_sight *sight, struct colony_error *err)
{
    int pidfd = colony_session_process_pidfd(sight->process);
    int rc = 0;

    sight->is_alive = pidfd >= 0;
    if (sight->is_alive) {
        sight->uptime_seconds = uptime_of(sight->process);
        rc = look_inside(looking, sight, err);
        (void)close(pidfd);
    } else {
        sight->state = strdup(COLONY_STATE_STOPPED);
    }
    if (rc == 0 && !sight->state)
        rc = colony_fail(err, -ENOMEM, "cannot look at the processes: out of memory");
    return rc;
}

static int look_at_all(struct looking *looking, struct colony_error *err)
{
    struct colony_view *view = looking->view;
    struct colony_workspace *workspace = looking->session->workspace;
    int rc;

    looking->saved = calloc(view->list.count + 1, sizeof *looking->saved);
    if (!looking->saved)
        return colony_fail(err, -ENOMEM, "cannot look at the processes: out of memory");
    rc = colony_saved_states_load_all(looking->saved, workspace, &view->list,
                                      looking->session->problem, looking->session->data, err);
    looking->is_supervised = colony_supervisor_pid(workspace) > 0;
    for (size_t i = 0; i < view->list.count && rc == 0; i++) {
        view->sights[i].process = &view->list.items[i];
        rc = look_at(looking, &view->sights[i], err);
    }
    for (size_t i = 0; i < view->list.count; i++)
        colony_saved_states_clear(&looking->saved[i]);
    free(looking->saved);
    colony_socket_table_free(looking->sockets);
    return rc;
}

static size_t index_of(const struct colony_view *view, const char *word)
{
    const struct colony_session_process *found = colony_session_list_find(&view->list, word);

    return found ? (size_t)(found - view->list.items) : view->list.count;
}

static int find_edges(struct colony_view *view)
{
    view->edges = calloc(view->config.dependence_count + 1, sizeof *view->edges);
    for (size_t i = 0; view->edges && i < view->config.dependence_count; i++) {
        view->edges[i].child = index_of(view, view->config.dependences[i].child);
        view->edges[i].parent = index_of(view, view->config.dependences[i].parent);
    }
    return view->edges ? 0 : -ENOMEM;
}

static int put_in_order(struct colony_view *view, const struct colony_session *session,
                        struct colony_error *err)
{
    struct colony_error circle;
    int rc;

    view->levels = calloc(view->list.count + 1, sizeof *view->levels);
    if (!view->levels)
        return colony_fail(err, -ENOMEM, "cannot look at the processes: out of memory");
    rc = colony_dependences_order(&view->config, &view->list, view->levels, &circle, err);
    if (rc == 0 && circle.code != 0)
        colony__verb_tell(session, circle.message);
    return rc;
}

int colony_view_take(struct colony_view *view, const struct colony_session *session,
                     struct colony_error *err)
{
    struct looking looking = {.view = view, .session = session};
    int rc;

    *view = (struct colony_view){0};
    rc = colony_session_config_read_good(&view->config, session->workspace, session->problem,
                                         session->data, err);
    if (rc == -EILSEQ) { /* what runs can be shown without it */
        colony__verb_tell(session, err->message);
        rc = 0;
    }
    if (rc == 0)
        rc = colony_session_list_read(&view->list, session->workspace, session->problem,
                                      session->data, err);
    if (rc == 0) {
        view->sights = calloc(view->list.count + 1, sizeof *view->sights);
        if (!view->sights || find_edges(view) < 0)
            rc = colony_fail(err, -ENOMEM, "cannot look at the processes: out of memory");
    }
    if (rc == 0)
        rc = put_in_order(view, session, err);
    if (rc == 0)
        rc = look_at_all(&looking, err);
    if (rc < 0)
        colony_view_clear(view);
    return rc;
}

void colony_view_clear(struct colony_view *view)
{
    for (size_t i = 0; view->sights && i < view->list.count; i++) {
        free(view->sights[i].state);
        free(view->sights[i].note);
    }
    free(view->sights);
    free(view->edges);
    free(view->levels);
    colony_session_config_clear(&view->config);
    colony_session_list_clear(&view->list);
    *view = (struct colony_view){0};
}

const struct colony_sight *colony_view_find(const struct colony_view *view, const char *word)
{
    const struct colony_session_process *found = colony_session_list_find(&view->list, word);

    return found ? &view->sights[found - view->list.items] : NULL;
}

const struct colony_dependence *colony_view_next(const struct colony_view *view, size_t child,
                                                 size_t *at)
{
    while (*at < view->config.dependence_count) {
        size_t index = (*at)++;

        if (view->edges[index].child == child)
            return &view->config.dependences[index];
    }
    return NULL;
}

bool colony_view_is_met(const struct colony_view *view, const struct colony_dependence *dependence)
{
    const struct colony_sight *parent = colony_view_find(view, dependence->parent);

    if (!parent || !parent->is_alive)
        return false;
    return dependence->state ? strcmp(parent->state, dependence->state) == 0
                             : strcmp(parent->state, COLONY_STATE_STARTING) != 0;
}
