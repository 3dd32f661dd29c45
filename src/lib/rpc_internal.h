/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_internal.h - the parts of a daemon of RPC in a program.
 *
 * Its loop has a thread of its own, which owns all but what is marked as the lock's.
 */
#ifndef COLONY_LIB_RPC_INTERNAL_H
#define COLONY_LIB_RPC_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <colony.h>
#include <uv.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/template.h"
#include "rpc/curve.h"
#include "rpc/listen.h"
#include "rpc/object.h"
#include "rpc/registry.h"

struct colony_rpc_server;
struct rpc_attributes;

enum {
    COLONY__RPCD_MEMBERS_MAX = 1000,
    COLONY__RPCD_WORKERS = 4,
    COLONY__RPCD_WORKERS_MAX = 256,
    COLONY__RPCD_WAITING_MAX = 1024,
    COLONY__RPCD_SIGNALS_MAX = 8,
};

/* A method or an attribute of the program's. */
struct colony__rpcd_member {
    struct colony__rpcd_member *next;
    char *name;
    char *params; /* NULL: it looks at what came itself */
    char *doc;
    bool is_method;
    bool is_saved; /* `pst…` */
    bool is_read_only;
    unsigned flags;
    struct colony_rpc_method method;       /* its functions, when it is one, */
    struct colony_rpc_attribute attribute; /* or these */
    void *data;
    char *value;      /* the lock's; NULL: it has functions */
    bool has_changed; /* the lock's: @value is not noted as saved yet */
};

enum colony__rpcd_job_kind { RPCD_CALL, RPCD_GET, RPCD_SET };

/* One call of a function of the program's. */
struct colony__rpcd_job {
    struct colony__rpcd_job *next;
    enum colony__rpcd_job_kind kind;
    struct colony__rpcd_member *member;
    struct colony_rpc_call *call; /* that it answers; NULL: the daemon itself wants to know */
    char *given;                  /* params or value as JSON; NULL: none */
    char *result;                 /* as JSON */
    int rc;
    struct colony_rpc_error error;
    /* On the loop; the job is freed after it. */
    void (*done)(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job);
};

struct colony__rpcd_queue {
    struct colony__rpcd_job *first;
    struct colony__rpcd_job *last;
    size_t count;
};

struct colony__rpcd_workers {
    pthread_t *threads;
    unsigned wanted;
    unsigned count; /* that were started */
    unsigned waiting_max;
    size_t under_way;                /* jobs that are not done */
    pthread_cond_t has_jobs;         /* the lock's, and so is the rest */
    struct colony__rpcd_queue queue; /* that wait for a worker */
    struct colony__rpcd_queue done;  /* that wait for the loop */
    unsigned busy;
    bool is_ending;
};

struct colony__rpcd_run {
    struct colony__rpcd_run *next;
    struct colony_rpc_daemon *daemon;
    void (*run)(struct colony_rpc_daemon *daemon, void *data);
    void *data;
    pthread_t thread;
    bool is_started;
    bool has_returned; /* the lock's */
};

enum colony__rpcd_state {
    RPCD_LOADING, /* what was saved is read */
    RPCD_SETTING, /* functions of the program's are given it */
    RPCD_SERVING,
    RPCD_ENDING,  /* run functions return, calls that were begun are finished */
    RPCD_LOOKING, /* at attributes to be saved, for the last time */
    RPCD_CLOSING,
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): by who owns what */
struct colony_rpc_daemon {
    char name[COLONY_NAME_MAX + 1];
    struct colony_settings *settings; /* of which `rpc` counts */
    char *doc;
    struct colony__rpcd_member *members; /* in their order */
    size_t member_count;
    struct colony_rpc_persister persister; /* load NULL: as the settings say */
    int signals[COLONY__RPCD_SIGNALS_MAX];
    size_t signal_count;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* it is to stop, serves, or has ended */
    atomic_bool is_stopping;
    atomic_bool has_loop;                       /* @async may be sent */
    bool has_served;                            /* the lock's */
    bool has_ended;                             /* the lock's */
    bool has_changes;                           /* the lock's: in values that are saved */
    const struct colony_rpc_counters *counters; /* the lock's; NULL: there is no server */
    struct colony_error failure; /* the lock's: why it ends; code 0: it is asked to */

    pthread_t thread;
    bool was_started; /* the program's: there is a loop */
    bool has_thread;  /* the program's */
    sigset_t mask;    /* of signals, as the program's thread had it that started this */
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t look_timer; /* runs where functions tell attributes that are saved */
    uv_signal_t signal_handles[COLONY__RPCD_SIGNALS_MAX];
    size_t handle_count; /* of those two that are open */
    enum colony__rpcd_state state;
    uint64_t started_ms;
    struct colony_rpc_object object;
    struct colony_rpc_server *server;
    struct rpc_attributes *attributes;
    struct colony_rpc_curve *curve; /* NULL: there are no keys */
    struct colony_rpc_listening listening;
    struct colony_rpc_entry entry;
    bool is_registered;
    size_t looks; /* functions that are asked for what is to be saved */
    int lock_fd;  /* of where attributes are saved; -1: none */
    struct colony__rpcd_workers workers;
    struct colony__rpcd_run *runs;
    size_t runs_left;
};

/* --- rpc_daemon.c: its life, as the program sees it --------------------------------------------
 */

/* -EBUSY when it has been started. */
int colony__rpcd_check_idle(const struct colony_rpc_daemon *daemon, struct colony_error *err);

/* --- rpc_serve.c: what its loop does ------------------------------------------------------------
 */

/* The thread's; @arg is the daemon. */
void *colony__rpcd_serve(void *arg);
void colony__rpcd_on_async(uv_async_t *async);
/* It cannot go on: @err is why it ends. */
void colony__rpcd_fail(struct colony_rpc_daemon *daemon, const struct colony_error *err);

/* --- rpc_members.c ------------------------------------------------------------------------------
 */

/* What it looks like to its server; its data is the daemon. */
extern const struct colony_rpc_object colony__rpcd_object;
struct colony__rpcd_member *colony__rpcd_find(const struct colony_rpc_daemon *daemon,
                                              const char *name);
void colony__rpcd_free_members(struct colony_rpc_daemon *daemon);

/* --- rpc_workers.c ------------------------------------------------------------------------------
 */

int colony__rpcd_begin_workers(struct colony_rpc_daemon *daemon, struct colony_error *err);
/* When no job is under way. */
void colony__rpcd_end_workers(struct colony_rpc_daemon *daemon);
/* @given (may be NULL) is copied. NULL: no memory. */
struct colony__rpcd_job *colony__rpcd_make_job(enum colony__rpcd_job_kind kind,
                                               struct colony__rpcd_member *member,
                                               const char *given);
/*
 * Has @job carried out, here and now or by a worker, and then done; it is the workers' from here.
 * False: too many wait, and it is still the caller's. What is the daemon's own always may.
 */
bool colony__rpcd_submit(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job);
/* Calls `done` of all that the workers have finished. */
void colony__rpcd_take_done(struct colony_rpc_daemon *daemon);
void colony__rpcd_free_job(struct colony__rpcd_job *job);

/* --- rpc_saved.c: attributes that outlive the program -------------------------------------------
 */

/* Where they are kept; nowhere when there are none. */
int colony__rpcd_make_saved(struct colony_rpc_daemon *daemon, struct colony_error *err);
/* Gives members what was read; those with functions are jobs. */
void colony__rpcd_set_saved(struct colony_rpc_daemon *daemon);
/* Notes values that have changed. */
void colony__rpcd_take_changes(struct colony_rpc_daemon *daemon);
/* Asks members with functions. */
void colony__rpcd_look(struct colony_rpc_daemon *daemon);
void colony__rpcd_look_at(struct colony_rpc_daemon *daemon, struct colony__rpcd_member *member);
/* How often that is due; 0: never. */
uint64_t colony__rpcd_look_ms(const struct colony_rpc_daemon *daemon);

/* --- rpc_runs.c ---------------------------------------------------------------------------------
 */

int colony__rpcd_begin_runs(struct colony_rpc_daemon *daemon, struct colony_error *err);
/* Joins those that have returned; the last of them ends the daemon. */
void colony__rpcd_join_runs(struct colony_rpc_daemon *daemon);
void colony__rpcd_free_runs(struct colony_rpc_daemon *daemon);

#endif
