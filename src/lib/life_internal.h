/* SPDX-License-Identifier: Apache-2.0 */
/* life_internal.h - what is in a struct colony, for those who bring it to life. */
#ifndef COLONY_LIB_LIFE_INTERNAL_H
#define COLONY_LIB_LIFE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include <uv.h>

#include "core/keeper_options.h"
#include "core/state_dir.h"
#include "lib/colony_internal.h"

struct colony__controllers;
struct colony__keeper;
struct colony_extras;
struct colony_settings;

enum colony__phase {
    PHASE_IDLE,
    PHASE_RUNS,   /* there is an engine */
    PHASE_RENEWS, /* it is closed, then another one begins */
    PHASE_ENDS,   /* it is closed, then the keeper is waited for */
};

enum {
    COLONY__WHY_SIZE = 128,
};

struct colony__held {
    int *fds;
    size_t count;
    size_t capacity;
};

struct colony {
    struct colony_callbacks callbacks;
    uv_loop_t *loop;
    bool owns_loop;
    struct colony__calls *calls;
    struct colony__listeners *listeners;
    struct colony__controllers *controllers;
    struct colony_extras *extras;      /* routes of the program's */
    const struct colony__child *child; /* NULL: the engine is in a program */

    /* what is said before it starts (colony.c) */
    char *state;   /* NULL: one of its own */
    char *program; /* NULL: the installed one */
    char *name;    /* NULL: as the settings have it, which is @given_name */
    char *given_name;
    char *config; /* the file that they were read from; NULL: none */
    bool leaves;
    struct colony_settings *given; /* NULL: nothing was loaded */

    /* its life (life.c) */
    enum colony__phase phase;
    struct colony_settings *settings; /* the engine's */
    struct colony_engine *engine;
    bool is_welcomed; /* the engine: it knows all that lives */
    bool is_closing;  /* the engine */
    bool was_ready;
    struct colony_error why; /* it ends */
    int exit_code;           /* of the engine */
    uv_timer_t retry;        /* a beginning that failed, or is to wait */
    uv_timer_t serve_again;  /* controllers that could not start */
    uv_timer_t patience;     /* while a keeper is waited for (patience.c) */
    unsigned ticks;          /* of that */
    bool has_failed;         /* its start, while what there was of it is closed */
    uint64_t retry_ms;
    struct colony__keeper *keeper; /* NULL: it has ended */
    struct colony__held held;      /* while one engine takes the place of another */
    struct colony_keeper_options options;
    struct colony_state_dir place;

    /* asked for by any thread */
    uv_async_t asked;
    pthread_mutex_t lock;
    unsigned stops; /* under the lock */
    char stop_why[COLONY__WHY_SIZE];
    unsigned stops_done; /* the loop's */

    /* colony_engine_free() */
    bool is_freed;
    bool is_gone;
    bool is_running; /* its loop, by colony_engine_run() or colony_engine_free() */
    int handle_count;
    void (*freed_cb)(void *data);
    void *freed_data;
};

/* life.c */
int colony__life_start(struct colony *colony, struct colony_error *err);
void colony__life_stop(struct colony *colony);
bool colony__life_is_asked_to_stop(struct colony *colony);
void colony__life_init(struct colony *colony);
void colony__life_keeper_ended(struct colony *colony);
/* Lets go of a keeper that does not do what it is waited for. */
void colony__life_lose_patience(struct colony *colony);

/* patience.c: the keeper is waited for, from now on, but not for ever. */
void colony__patience_begin(struct colony *colony);
void colony__patience_end(struct colony *colony);

/* connect.c: the keeper, and colony->options.link_fd to it, which is the engine's to close. */
int colony__connect(struct colony *colony, struct colony_error *err);
/* Keeps the pipes of an engine that is going to be closed for keepers to come, until released. */
void colony__connect_hold(struct colony *colony);
void colony__connect_release(struct colony *colony);
void colony__connect_close(struct colony *colony);
/* It ended before it said a word. -EPROTO. */
int colony__connect_fail(const struct colony *colony, struct colony_error *err);

/*
 * The engine of `colony serve`, whose keeper has started it: the same life, but for what is done
 * where its keeper is gone (@lost), or it cannot go on (@fatal): neither comes back.
 */
struct colony__child {
    const struct colony_keeper_options *options;
    void (*lost)(struct colony_engine *engine);
    void (*fatal)(void);
    void (*stuck)(void); /* the process must end without waiting for threads; this comes back */
};
/* Both are kept. */
int colony__child_open(struct colony **out, const struct colony__child *child,
                       const struct colony_callbacks *callbacks, struct colony_error *err);
/* Of the process: why it could not begin, else what the engine ended with. */
int colony__exit_code(const struct colony *colony);
int colony__exit_code_of(int rc);

/* colony.c: nothing of it runs any more, after the last callback. */
void colony__finish_free(struct colony *colony);

/* place.c: the state folder, and what the keeper is started with. */
int colony__place_open(struct colony *colony, struct colony_error *err);
void colony__place_close(struct colony *colony);

/* Logs how many templates there are, of which file, and where colony is asked. */
void colony__tell_serving(struct colony *colony);

#endif
