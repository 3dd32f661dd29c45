/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_internal.h - a struct colony_daemon, for its own files.
 *
 * The loop's thread owns everything but what stands below `lock`. Other threads change that and
 * wake the loop, which looks at all of it (colony__daemon_look): there is one way in.
 */
#ifndef COLONY_LIB_DAEMON_INTERNAL_H
#define COLONY_LIB_DAEMON_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <uv.h>

#include <colony.h>

#include "api/juggler.h"
#include "core/state_dir.h"

struct colony_hosted;
struct colony_settings;
struct colony_store;

enum {
    COLONY__DAEMON_NAME_MAX = 64,
    COLONY__DAEMON_LABEL_SIZE = COLONY__DAEMON_NAME_MAX + 16, /* NAME-ID */
    COLONY__PING_TEXT_SIZE = 1024,
};

struct colony_daemon_ping {
    int status;
    char text[COLONY__PING_TEXT_SIZE];
};

/* A thread that runs something of the program's once: `run`, or a slave. */
struct colony__slave {
    LIST_ENTRY(colony__slave) place;
    struct colony_daemon *daemon;
    struct colony_daemon_slave own; /* its name is @name */
    char name[COLONY__DAEMON_NAME_MAX + 1];
    char label[COLONY__DAEMON_LABEL_SIZE]; /* of its thread, in logs */
    uint32_t number;                       /* among those of its name, from 1; 0: it is `run` */
    uint64_t started_us;                   /* wall clock */
    pthread_t thread;
    bool is_asked; /* its status callback is being called */
    bool is_woken;
    bool has_returned; /* nobody sees it any more */
    bool is_over;      /* to be joined */
};
LIST_HEAD(colony__slaves, colony__slave);

enum colony__work_state { WORK_NONE, WORK_ASKED, WORK_DONE };

/* A thread that does one thing of the program's whenever the loop asks for it. */
struct colony__worker {
    struct colony_daemon *daemon;
    const char *label;
    void (*work)(struct colony__worker *worker); /* on the thread: changes @task */
    void (*done)(struct colony__worker *worker); /* on the loop: takes over @task */
    void *task;                                  /* whose turn it is */
    enum colony__work_state state;               /* under the lock */
    bool is_started;
    pthread_t thread;
};

enum colony__worker_name {
    WORKER_EVENTS,
    WORKER_STATUS,
    WORKER_PING,
    WORKER_COUNT,
};

/* An event on its way to Juggler. */
struct colony__report {
    STAILQ_ENTRY(colony__report) place;
    enum colony_juggler_status status;
    char *host; /* NULL: this machine; all three are in `texts` */
    char *service;
    char *description;
    char texts[];
};

enum colony__daemon_phase {
    DAEMON_NEW,
    DAEMON_RUNNING,
    DAEMON_ENDING, /* all slaves are back */
    DAEMON_OVER,
};

struct colony_daemon {
    struct colony_daemon_callbacks callbacks;
    struct colony_settings *settings; /* NULL: none yet */
    struct cJSON *config;
    struct cJSON *master_config;
    char *state_path; /* NULL: it has none */
    struct colony_store *store;
    struct colony_hosted *hosted;
    struct colony_juggler_sender *sender; /* NULL: there is no Juggler */
    struct colony__worker workers[WORKER_COUNT];
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t flush;
    uv_signal_t signals[2];
    struct colony_state_dir state;
    int log_fd; /* -1: nothing is logged */
    enum colony_daemon_level log_least;
    enum colony__daemon_phase phase; /* changed under the lock */
    _Atomic unsigned port;
    _Atomic bool is_stopping;
    bool stops_on_signals;
    bool is_event_lost; /* the inbox waits no more for the one that is processed */

    bool is_ending; /* workers are to end; under the lock, as all below */
    pthread_mutex_t lock;
    pthread_cond_t turn; /* of anybody: on the monotonic clock */
    struct colony__slaves slaves;
    size_t slave_count;
    size_t report_count;
    STAILQ_HEAD(colony__reports_waiting, colony__report) reports;

    char name[COLONY__DAEMON_NAME_MAX + 1];
};

/* --- daemon.c --------------------------------------------------------------------------------- */

/* Any thread. */
void colony__daemon_wake_loop(struct colony_daemon *daemon);
void colony__daemon_lock(struct colony_daemon *daemon);
void colony__daemon_unlock(struct colony_daemon *daemon);

/* Of a daemon or a slave: it stands in logs and in /status. */
bool colony__daemon_is_name(const char *name);

/* --- daemon_settings.c ------------------------------------------------------------------------ */

/* Takes over @settings, also when it fails. */
int colony__daemon_take_settings(struct colony_daemon *daemon, struct colony_settings *settings,
                                 struct colony_error *err);

/* --- daemon_log.c ----------------------------------------------------------------------------- */

/* What the calling thread is called in logs from now on; borrowed. */
void colony__daemon_label_thread(const char *label);
/* Takes what colony itself logs on the calling thread. */
void colony__daemon_take_log(struct colony_daemon *daemon);

/* --- daemon_slaves.c -------------------------------------------------------------------------- */

int colony__slaves_run_main(struct colony_daemon *daemon, struct colony_error *err);
/* Joins those that are over: how many are not. */
size_t colony__slaves_reap(struct colony_daemon *daemon);
/* Adds them to the list "slaves" of @status, and asks them. On the thread for that. */
void colony__slaves_add_status(struct colony_daemon *daemon, struct cJSON *status);

/* --- daemon_worker.c -------------------------------------------------------------------------- */

/* Hands @task to it, which must have nothing to do. Starts its thread if need be: -EAGAIN, -ENOMEM.
 */
int colony__worker_ask(struct colony__worker *worker, void *task, struct colony_error *err);
/* Calls `done` if it has done something. */
void colony__worker_look(struct colony__worker *worker);
/* Joins its thread, which may be inside of something still. */
void colony__worker_end(struct colony__worker *worker);

/* --- daemon_callbacks.c ----------------------------------------------------------------------- */

struct colony_hosted_callbacks;
void colony__daemon_open_workers(struct colony_daemon *daemon);
/* What the endpoint asks of it. */
struct colony_hosted_callbacks colony__daemon_hosted_callbacks(struct colony_daemon *daemon);

/* --- daemon_juggler.c ------------------------------------------------------------------------- */

int colony__daemon_open_juggler(struct colony_daemon *daemon, struct colony_error *err);
/* Sends what waits: how many these are. */
size_t colony__daemon_look_at_reports(struct colony_daemon *daemon);
void colony__daemon_clear_reports(struct colony_daemon *daemon);

#endif
