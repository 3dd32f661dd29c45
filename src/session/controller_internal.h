/* SPDX-License-Identifier: Apache-2.0 */
/* controller_internal.h - the supervisor of a session as its own files see it. Loop thread only. */
#ifndef COLONY_SESSION_CONTROLLER_INTERNAL_H
#define COLONY_SESSION_CONTROLLER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>
#include <uv.h>

#include "core/engine.h"
#include "core/front.h"
#include "session/job_internal.h"

struct colony_event;
struct colony_subscription;

enum {
    CONTROLLER_SUBSCRIPTIONS = 6,
};

/* A process of the session, from when it was first seen until it is gone from the workspace. */
struct member {
    char *name;
    char *alias;          /* NULL: none */
    char *state;          /* "stopped", "starting", "running" or a tag */
    pid_t pid;            /* 0: none lives */
    uint64_t start_ticks; /* 0: the thread that writes it down reads it */
    pid_t adopting;       /* asked for; 0: none */
    char *adopted_state;  /* what the database said of it then; NULL */
    pid_t seen_pid;       /* what the database noted at the last look, which is taken over once */
    bool restart;         /* as of the last look */
    bool is_settled;      /* it was more than starting when it was taken over */
    bool is_seen;         /* at the look that is being applied */
    bool is_due;          /* its state is to be looked at */
    bool is_dirty;        /* its life is to be written down */
    bool is_template;     /* the engine has it */
    bool is_held;         /* stopped by hand, and stays down */
    bool wants_start;     /* by the look that is being applied */
    UT_hash_handle hh;    /* by name */
};

struct controller {
    struct colony_engine *engine;
    struct session_job *job; /* NULL: none of this is wanted, or it is left to its thread */
    uv_timer_t timer;        /* the next look at states, or the next writing */
    uv_poll_t poll;          /* of the watch */
    int watch_fd;
    bool has_poll;
    unsigned open_handles;
    struct colony_subscription *subscriptions[CONTROLLER_SUBSCRIPTIONS];
    struct member *members;
    uint64_t period_ms;
    uint64_t states_at_ms; /* on the loop's clock: when all states are looked at again */
    uint64_t write_at_ms;  /* not before */
    uint64_t look_at_ms;   /* not before: the last one failed, or not all of it was applied */
    bool is_started;
    bool is_busy;     /* the job is the thread's */
    bool is_complete; /* the first look was applied */
    bool is_short;    /* memory was, for the look that is being applied */
    bool is_stale;    /* a newer look was applied since the one under way began */
    bool wants_look;
    bool wants_again; /* with the next look at states: somebody could not be let go yet */
    bool has_due;     /* some member is due, or dirty */
    bool has_dirty;
    bool has_held; /* who is held has changed, and is to be written down */
    char **told;   /* problems of the last look; they are not told again */
    size_t told_count;
    char told_error[COLONY_ERROR_TEXT_MAX]; /* of the last job that failed; "": none has */
    bool is_closing;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

/* controller.c: the last thing there is. */
void controller_close_handles(struct controller *controller);

/* The first look was applied. */
void controller_complete(struct controller *controller);

/* controller_work.c. While nothing is under way: what comes next. */
void controller_go_on(struct controller *controller);
/* Something has changed: the same, unless something is under way. */
void controller_look_soon(struct controller *controller);
/* The look could not be taken, or not all of it applied: another one, in a moment. */
void controller_look_again(struct controller *controller);

/* controller_apply.c: what the workspace says becomes what runs. Owns @look. */
void controller_apply(struct controller *controller, struct session_look *look);
void controller_tell_error(struct controller *controller, const char *text);
void controller_free_told(struct controller *controller);

/* controller_members.c */
struct member *controller_find(struct controller *controller, const char *name);
/* NULL: no memory. */
struct member *controller_add(struct controller *controller, const char *name);
void controller_remove(struct controller *controller, struct member *member);
void controller_remove_all(struct controller *controller);
/* Its life is to be written down. */
void controller_mark_dirty(struct controller *controller, struct member *member);
/* It is in @state now: the engine is told, the bus, and later the workspace. */
void controller_set_state(struct controller *controller, struct member *member, const char *state);
void controller_on_spawn(const struct colony_event *event, void *data);
void controller_on_exit(const struct colony_event *event, void *data);
void controller_on_fail(const struct colony_event *event, void *data);
/* Somebody has asked for a start, a restart or a stop. */
void controller_on_wish(const struct colony_event *event, void *data);
/* Names of those that are held, a line each; the caller frees it. NULL: no memory. */
char *controller_list_held(const struct controller *controller);
/* A process of it lives, which the controller has not seen begin. */
void controller_take_over(struct controller *controller, struct member *member, pid_t pid,
                          const char *state);

#endif
