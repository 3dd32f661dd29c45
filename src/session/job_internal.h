/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_internal.h - what the supervisor of a session does on a thread: looks at the workspace, looks
 * at the states of what lives, and writes down what has become of it.
 *
 * While a job is queued all that it holds is the thread's.
 */
#ifndef COLONY_SESSION_JOB_INTERNAL_H
#define COLONY_SESSION_JOB_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/error.h"
#include "session/look_internal.h"

struct watched; /* job_states.c: what is remembered of a living process */

enum session_step {
    STEP_LOOK,
    STEP_STATES,
    STEP_WRITE,
};

/* What a job is told of one process, and tells of it. */
struct session_life {
    char *name;
    char *state;          /* as it is known; after STEP_STATES: as it was found. Owned */
    pid_t pid;            /* 0: none lives */
    uint64_t start_ticks; /* of it; 0: not known yet, and read */
    bool is_settled;      /* it is more than starting, by whoever looked at it before */
    bool is_gone;         /* after STEP_STATES: it has ended meanwhile */
};

struct session_job {
    uv_work_t work;
    void *owner; /* NULL: nobody waits for it any more */
    enum session_step step;
    bool finds; /* STEP_LOOK: what runs is looked for */
    char *dir;
    char boot[COLONY_SESSION_BOOT_SIZE];
    struct colony_workspace *workspace; /* opened at the first job */
    int rc;
    struct colony_error err;
    struct session_look *look; /* of STEP_LOOK, with rc 0 */
    struct session_life *lives;
    size_t life_count;
    char *held; /* STEP_WRITE: who is held from now on; NULL: as before */
    uint64_t period_ms;
    uint64_t due_ms; /* after STEP_STATES: a starting process may be running then; UINT64_MAX */
    struct watched *watched; /* uthash by name */
    int64_t saved_at_ns;     /* when what is saved of states last changed */
};

/* -ENOMEM. */
int session_job_new(struct session_job **out, const char *dir, struct colony_error *err);
/* NULL is fine. */
void session_job_free(struct session_job *job);
/* Makes room for @count lives, all empty. -ENOMEM. */
int session_job_begin_lives(struct session_job *job, size_t count);
void session_job_clear_lives(struct session_job *job);

/* On a thread of libuv's. */
void session_job_run(uv_work_t *work);

/* job_states.c */
void session_job_look_at_states(struct session_job *job);
void session_job_forget_states(struct session_job *job);
void session_job_forget_others(struct session_job *job, const struct colony_session_list *list);

#endif
