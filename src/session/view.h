/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - the processes of a session as they are now: what database and files say, and
 * what /proc shows.
 *
 * Looks, and changes nothing but what colony_session_list_read() settles.
 */
#ifndef COLONY_SESSION_VIEW_H
#define COLONY_SESSION_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "session/config.h"
#include "session/process.h"

struct cJSON;
struct colony_error;
struct colony_session;
struct colony_workspace;

struct colony_sight {
    const struct colony_session_process *process;
    bool is_alive;
    char *state;           /* now */
    bool has_score;        /* it lives, and states of it are saved */
    double score;          /* of the best of them */
    double uptime_seconds; /* while it lives */
    char *note;            /* NULL, or of colony_view_explain(): why it does not run */
    bool is_waiting;       /* the same: for others, and the supervisor will start it */
};

struct colony_view {
    struct colony_session_list list;
    struct colony_session_config config;
    size_t *levels;              /* of each of the list: dependences.h */
    struct colony_sight *sights; /* one for each of the list */
    struct colony_view_edge {    /* one for each dependence: indexes of the list, */
        size_t child;            /* or its count where there is no such process */
        size_t parent;
    } * edges;
};

/* Problems of files are told on the way. */
int colony_view_take(struct colony_view *view, const struct colony_session *session,
                     struct colony_error *err);
void colony_view_clear(struct colony_view *view);

/*
 * Asks the supervisor, if there is one and anything is down, why that is; one that does not answer
 * at once is done without. Not on the supervisor's own loop. -ENOMEM.
 */
int colony_view_explain(struct colony_view *view, const struct colony_workspace *workspace,
                        struct colony_error *err);

/* NULL: there is no such process. */
const struct colony_sight *colony_view_find(const struct colony_view *view, const char *word);

/* The next dependence of the @child-th process after *at, which begins at 0; NULL: no more. */
const struct colony_dependence *colony_view_next(const struct colony_view *view, size_t child,
                                                 size_t *at);

/* Its parent is in the state that it asks for. */
bool colony_view_is_met(const struct colony_view *view, const struct colony_dependence *dependence);

/* One process, as `colony session show --json` has it, with secrets hidden. NULL: out of memory. */
struct cJSON *colony_view_json(const struct colony_view *view, const struct colony_sight *sight);

#endif
