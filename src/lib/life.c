/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c - an engine from its start to its end, and those that take its place.
 *
 * In a program it ends, too, when its keeper does, or when it could not keep what it was told: then
 * it is closed, and another one goes on with the table of processes, beside another keeper if need
 * be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/extras.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "lib/controllers_internal.h"
#include "lib/keeper_internal.h"
#include "lib/life_internal.h"

enum {
    SETTLE_MS = 10, /* for the end of a keeper to be seen on all its sockets */
    RETRY_FIRST_MS = 50,
    RETRY_MAX_MS = 10000,
    SERVE_AGAIN_MS = 1000,
};

static void begin_again(uv_timer_t *timer);

/* The end. */

/* As it was before it started. */
static void rest(struct colony *colony)
{
    (void)uv_timer_stop(&colony->retry);
    colony__patience_end(colony);
    colony__controllers_drop_files(colony->controllers);
    colony_extras_clear(colony->extras);
    colony__connect_close(colony);
    colony__connect_release(colony);
    colony__place_close(colony);
    colony->phase = PHASE_IDLE;
    colony->was_ready = false;
    colony->has_failed = false;
    colony->retry_ms = 0;
    (void)pthread_mutex_lock(&colony->lock);
    colony->stops = 0; /* what was asked before is done with this run */
    (void)pthread_mutex_unlock(&colony->lock);
    colony__calls_go_on(colony->calls); /* they are told that it does not run */
}

static void finish(struct colony *colony)
{
    bool is_told = colony->has_failed; /* by colony_engine_start() */

    rest(colony);
    if (colony->is_freed)
        colony__finish_free(colony);
    else if (colony->callbacks.stopped && !is_told) /* last: it may free it, or start it again */
        colony->callbacks.stopped(colony, &colony->why, colony->callbacks.data);
}

void colony__life_keeper_ended(struct colony *colony)
{
    if (colony->phase == PHASE_ENDS && !colony->engine)
        finish(colony);
    else if (colony->phase == PHASE_RENEWS && uv_is_active((uv_handle_t *)&colony->retry))
        (void)uv_timer_start(&colony->retry, begin_again, 0, 0);
}

int colony__exit_code_of(int rc)
{
    if (rc == -EINVAL || rc == -EBADMSG) /* what is wrong here was wrong in the settings */
        return EXIT_BAD_CONFIG;
    return (int)colony_error_info(rc)->exit_code;
}

int colony__exit_code(const struct colony *colony)
{
    return colony->why.code ? colony__exit_code_of(colony->why.code) : colony->exit_code;
}

static void on_engine_closed(void *data)
{
    struct colony *colony = data;

    colony->engine = NULL;
    colony->is_closing = false;
    colony__listeners_drained(colony->listeners);
    colony_settings_free(colony->settings);
    colony->settings = NULL;
    if (colony->phase == PHASE_ENDS && !colony->keeper)
        finish(colony);
    else if (colony->phase == PHASE_ENDS)
        colony__patience_begin(colony);
    else if (colony->phase == PHASE_RENEWS)
        (void)uv_timer_start(&colony->retry, begin_again, colony->retry_ms, 0);
}

static void on_controllers_closed(void *data)
{
    struct colony *colony = data;

    colony__listeners_detach(colony->listeners);
    colony_engine_close(colony->engine, colony__exit_code(colony), on_engine_closed, colony);
}

/* Controllers first, so that nobody asks for anything any more; then the engine. */
static void close_engine(struct colony *colony)
{
    if (colony->is_closing)
        return;
    colony->is_closing = true;
    colony->is_welcomed = false;
    (void)uv_timer_stop(&colony->serve_again);
    colony__controllers_close(colony->controllers, colony->phase == PHASE_ENDS,
                              on_controllers_closed, colony);
}

/* What any thread may ask for. */

static unsigned count_stops(struct colony *colony, char why[COLONY__WHY_SIZE])
{
    unsigned stops;

    (void)pthread_mutex_lock(&colony->lock);
    memcpy(why, colony->stop_why, COLONY__WHY_SIZE);
    stops = colony->stops;
    (void)pthread_mutex_unlock(&colony->lock);
    return stops;
}

bool colony__life_is_asked_to_stop(struct colony *colony)
{
    char why[COLONY__WHY_SIZE];

    return count_stops(colony, why) > 0;
}

/*
 * It ends because of @reason. A keeper that lives sees that nobody listens, and stops what runs; of
 * one that has ended the last words are still heard, and nobody is left who could stop that. What
 * has never run is not there.
 */
static void give_up(struct colony *colony, const struct colony_error *reason, bool keeper_lives)
{
    colony->phase = PHASE_ENDS;
    if (keeper_lives)
        colony__connect_close(colony);
    if (colony->was_ready && !colony->options.leaves && !keeper_lives)
        (void)colony_fail(&colony->why, reason->code,
                          "cannot stop what runs, which lives on: %.400s", reason->message);
    else
        colony->why = *reason;
}

void colony__life_stop(struct colony *colony)
{
    char why[COLONY__WHY_SIZE];
    unsigned stops = count_stops(colony, why);

    /* One that is to come is told when it knows what there is to stop. */
    while (colony->phase == PHASE_RUNS && colony->is_welcomed && colony->stops_done < stops) {
        colony->stops_done++;
        colony_engine_shutdown(colony->engine, why);
        if (colony->stops_done == 2)
            colony__patience_begin(colony);
    }
    if (colony->phase == PHASE_RUNS && !colony->is_welcomed && stops > 1) {
        give_up(colony, &(const struct colony_error){0}, true); /* it says nothing */
        close_engine(colony);
    } else if (colony->phase == PHASE_RUNS && !colony->is_welcomed && colony->is_freed) {
        colony__patience_begin(colony);
    }
    if (colony->phase == PHASE_RENEWS && stops > 0) {
        colony->retry_ms = 0; /* now, or never */
        if (!colony->is_closing)
            (void)uv_timer_start(&colony->retry, begin_again, 0, 0);
    }
}

void colony__life_lose_patience(struct colony *colony)
{
    const char *program = colony->options.program;
    struct colony_error err = {0};

    if (colony->phase == PHASE_ENDS) {
        if (colony->why.code == 0)
            (void)colony_fail(&colony->why, -ETIMEDOUT, "cannot wait for the end of %s as keeper",
                              program);
        colony__connect_close(colony);
        finish(colony);
        return;
    }
    if (colony->is_welcomed)
        (void)colony_fail(&err, -ETIMEDOUT, "cannot wait for what %s as keeper has to stop",
                          program);
    else
        (void)colony_fail(&err, -EPROTO, "cannot work with %s as keeper: it says nothing", program);
    colony_engine_forsake(colony->engine);
    give_up(colony, &err, true);
    close_engine(colony);
}

/* Serving. */

static void serve_again(uv_timer_t *timer)
{
    struct colony *colony = timer->data;

    if (colony__controllers_start(colony->controllers, NULL) < 0)
        return;
    (void)uv_timer_stop(timer);
    colony_log(SEVERITY_INFO, "serves at last");
}

/*
 * A controller that cannot start keeps a new colony from starting; where processes were taken over
 * they matter more, and it is tried again.
 */
static bool serve(struct colony *colony)
{
    struct colony_error err = {0};

    if (colony__controllers_start(colony->controllers, &err) == 0)
        return true;
    if (colony->was_ready || colony_engine_has_history(colony->engine)) {
        colony_log(SEVERITY_ERROR, "%s; it is tried again each second", err.message);
        (void)uv_timer_start(&colony->serve_again, serve_again, SERVE_AGAIN_MS, SERVE_AGAIN_MS);
        return true;
    }
    colony_log(SEVERITY_ERROR, "%s", err.message);
    colony->why = err;
    colony_engine_shutdown(colony->engine, "a front-end that cannot start");
    return false;
}

static void on_welcome(void *data)
{
    struct colony *colony = data;

    colony__patience_end(colony);
    colony->retry_ms = 0;
    colony->is_welcomed = true;
    if (colony_engine_ending_with(colony->engine) >= 0)
        colony->stops_done = 1; /* it goes on with that one: another would take the grace away */
    colony__connect_release(colony);
    colony__listeners_resume(colony->listeners);
    colony__calls_go_on(colony->calls);
    if (!serve(colony))
        return;
    colony_engine_ready(colony->engine);
    colony__tell_serving(colony);
    if (!colony->was_ready && !colony->is_freed && colony->callbacks.ready)
        colony->callbacks.ready(colony, colony->callbacks.data);
    colony->was_ready = true;
    colony__life_stop(colony);
}

static void on_reloaded(int rc, const struct colony_error *err,
                        const struct colony_reload_step *steps, size_t count, void *data)
{
    (void)data;
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "keeps the settings it has: %s", err->message);
    for (size_t i = 0; rc == 0 && i < count; i++)
        colony_log(SEVERITY_INFO, "%s %s: %s", colony_reload_action_name(steps[i].action),
                   steps[i].name, steps[i].text);
}

static void on_reload(void *data)
{
    struct colony *colony = data;
    struct colony_error err;

    if (colony_engine_reload_settings(colony->engine, false, "SIGHUP", on_reloaded, NULL, &err) ==
        0)
        return;
    colony_log(SEVERITY_ERROR, "%s", err.message);
    colony_engine_tell_reloaded(colony->engine, err.message);
}

/* All that it had to stop is stopped. */
static void on_stopped(void *data)
{
    struct colony *colony = data;

    colony->phase = PHASE_ENDS;
    colony->exit_code = colony_engine_exit_code(colony->engine);
    close_engine(colony);
}

/* Before the next beginning. */
static void wait_longer(struct colony *colony)
{
    colony->retry_ms = colony->retry_ms == 0 ? RETRY_FIRST_MS : colony->retry_ms * 2;
    if (colony->retry_ms > RETRY_MAX_MS)
        colony->retry_ms = RETRY_MAX_MS;
}

static void renew(struct colony *colony)
{
    colony->phase = PHASE_RENEWS;
    colony->options.ending_with = colony_engine_ending_with(colony->engine); /* another keeper's */
    (void)uv_timer_start(&colony->retry, begin_again, SETTLE_MS, 0);
}

static void on_lost(void *data)
{
    struct colony *colony = data;
    struct colony_error err;
    bool keeper_lives;

    if (colony->child)
        colony->child->lost(colony->engine);
    if (colony->phase != PHASE_RUNS)
        return;
    err = *colony_engine_why_lost(colony->engine);
    if (colony->was_ready && (colony->is_welcomed || !colony__life_is_asked_to_stop(colony))) {
        colony_log(SEVERITY_ERROR, "%s: another one takes its place, processes go on",
                   err.code < 0 ? err.message : "the keeper is gone");
        if (!colony->is_welcomed)
            wait_longer(colony);
        renew(colony);
        return;
    }
    keeper_lives = err.code < 0;
    if (!keeper_lives)
        (void)colony__connect_fail(colony, &err);
    give_up(colony, &err, keeper_lives);
    close_engine(colony);
}

static void on_fatal(void *data)
{
    struct colony *colony = data;

    if (colony->child)
        colony->child->fatal();
    if (colony->phase == PHASE_RUNS)
        renew(colony);
}

static void on_stuck(void *data)
{
    struct colony *colony = data;

    if (colony->child)
        colony->child->stuck();
}

/* The beginning. */

/* What was applied last; should that be damaged, the file it came from is better than no engine. */
static int load_settings(struct colony *colony, struct colony_error *err)
{
    const char *state = colony->options.state_dir;
    const char *file = colony->options.config;
    int rc = colony_state_dir_load_settings(state, &colony->settings, err);

    if (rc == 0 || rc == -ENOMEM || !file[0])
        return rc;
    colony_log(SEVERITY_ERROR, "cannot go on with %s/settings.json: %s: reads %s again", state,
               err->message, file);
    return colony_settings_load(&colony->settings, file, err);
}

static int make_engine(struct colony *colony, struct colony_settings *settings,
                       struct colony_error *err)
{
    const struct colony_engine_options options = {
        .settings = settings,
        .keeper = &colony->options,
        .leaves = colony->options.leaves || settings->session.dir,
        .callbacks = {.welcome = on_welcome,
                      .stopped = on_stopped,
                      .reload = on_reload,
                      .lost = on_lost,
                      .fatal = on_fatal,
                      .stuck = on_stuck,
                      .data = colony},
    };
    int rc = colony->child ? 0 : colony__connect(colony, err);

    return rc < 0 ? rc : colony_engine_new(&colony->engine, colony->loop, &options, err);
}

static int begin(struct colony *colony, struct colony_error *err)
{
    int rc = load_settings(colony, err);

    if (rc < 0 || !colony->settings)
        return rc;
    rc = make_engine(colony, colony->settings, err);
    if (rc < 0 && colony->engine)
        return rc; /* what there is of it is to be closed, and needs them until then */
    if (rc < 0) {
        colony_settings_free(colony->settings);
        colony->settings = NULL;
        return rc;
    }
    colony->phase = PHASE_RUNS;
    colony->is_welcomed = false;
    colony->stops_done = 0;
    colony__patience_begin(colony);
    if (colony__listeners_attach(colony->listeners, colony->engine) < 0)
        on_fatal(colony); /* no memory: rather another engine than one that nobody hears of */
    return 0;
}

static void try_later(struct colony *colony, const struct colony_error *err)
{
    wait_longer(colony);
    colony_log(SEVERITY_ERROR, "%s: is tried again in %llu ms", err->message,
               (unsigned long long)colony->retry_ms);
    if (colony->engine)
        close_engine(colony); /* half made; then the time begins */
    else
        (void)uv_timer_start(&colony->retry, begin_again, colony->retry_ms, 0);
}

static void on_given_up(void *data)
{
    finish(data);
}

/* There is an engine whose keeper is gone or listens to it no more, or there is none. */
static void begin_again(uv_timer_t *timer)
{
    struct colony *colony = timer->data;
    struct colony_error err = {0};

    if (colony->engine) {
        colony__connect_hold(colony);
        close_engine(colony);
        return;
    }
    if (begin(colony, &err) == 0)
        return;
    if (!colony__life_is_asked_to_stop(colony)) {
        try_later(colony, &err);
        return;
    }
    give_up(colony, &err, colony->keeper && err.code != -EPROTO);
    if (colony->engine) {
        close_engine(colony);
        return;
    }
    colony__connect_close(colony);
    colony__controllers_close(colony->controllers, true, on_given_up, colony);
}

/* It was stopped before it started. */
static void end_at_once(uv_timer_t *timer)
{
    finish(timer->data);
}

static int prepare(struct colony *colony, struct colony_error *err)
{
    int rc = colony->child ? load_settings(colony, err) : colony__place_open(colony, err);

    if (rc == 0)
        rc = colony__controllers_add_files(colony->controllers,
                                           colony->child ? colony->settings : colony->given, err);
    colony_settings_free(colony->settings);
    colony->settings = NULL;
    return rc;
}

int colony__life_start(struct colony *colony, struct colony_error *err)
{
    int rc;

    memset(&colony->why, 0, sizeof colony->why);
    colony->exit_code = EXIT_OK;
    if (colony__life_is_asked_to_stop(colony) &&
        !colony->child) { /* a child has processes to stop first */
        colony->phase = PHASE_ENDS;
        (void)uv_timer_start(&colony->retry, end_at_once, 0, 0);
        return 0;
    }
    rc = prepare(colony, err);
    if (rc == 0)
        rc = begin(colony, err);
    if (rc < 0 && colony->engine) { /* a half-made engine is closed as any other */
        colony->has_failed = true;
        colony->phase = PHASE_ENDS;
        colony__connect_close(colony);
        close_engine(colony);
    } else if (rc < 0) {
        rest(colony);
    }
    return rc;
}

void colony__life_init(struct colony *colony)
{
    (void)uv_timer_init(colony->loop, &colony->retry);
    (void)uv_timer_init(colony->loop, &colony->serve_again);
    (void)uv_timer_init(colony->loop, &colony->patience);
    colony->retry.data = colony->serve_again.data = colony->patience.data = colony;
}
