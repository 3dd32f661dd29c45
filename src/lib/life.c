/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c - an engine in this program from its start to its end, and those that take its place.
 *
 * The engine ends, too, when its keeper does, or when it could not keep what it was told: then it
 * is closed, and another one goes on with the table of processes, beside another keeper if need be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "lib/keeper_internal.h"
#include "lib/life_internal.h"

enum {
    SETTLE_MS = 10, /* for the end of a keeper to be seen on all its sockets */
    RETRY_FIRST_MS = 50,
    RETRY_MAX_MS = 10000,
};

static void begin_again(uv_timer_t *timer);

/* The end. */

static void rest(struct colony *colony)
{
    if (colony->keeper)
        colony__keeper_close(colony->keeper);
    colony->keeper = NULL;
    colony__place_close(colony);
    colony->phase = PHASE_IDLE;
    colony->was_ready = false;
}

static void finish(struct colony *colony)
{
    rest(colony);
    if (colony->callbacks.stopped)
        colony->callbacks.stopped(colony, &colony->why, colony->callbacks.data);
    if (colony->is_freed)
        colony__finish_free(colony);
}

/* Nothing is to be started, also when it was to be renewed. */
static void give_up(struct colony *colony)
{
    colony->phase = PHASE_ENDS;
    (void)uv_timer_stop(&colony->retry);
    finish(colony);
}

/* Its keeper. */

static void on_keeper_ended(void *data)
{
    struct colony *colony = data;

    colony__keeper_close(colony->keeper);
    colony->keeper = NULL;
    if (colony->phase == PHASE_ENDS && !colony->engine)
        finish(colony);
    else if (colony->phase == PHASE_RENEWS && uv_is_active((uv_handle_t *)&colony->retry))
        (void)uv_timer_start(&colony->retry, begin_again, 0, 0);
}

struct fds {
    int *items;
    size_t count;
    size_t capacity;
};

static void add_fd(int fd, void *data)
{
    struct fds *fds = data;
    int *items = colony_array_room(fds->items, fds->count, &fds->capacity, sizeof *fds->items);

    if (!items)
        return; /* what it holds is lost, what runs is not */
    fds->items = items;
    fds->items[fds->count++] = fd;
}

static int start_keeper(struct colony *colony, struct colony_error *err)
{
    struct fds fds = {0};
    struct colony__keeper_plan plan = {
        .options = &colony->options,
        .ended = on_keeper_ended,
        .data = colony,
    };
    int rc;

    if (colony->engine)
        colony_engine_each_fd(colony->engine, add_fd, &fds);
    plan.pipes = fds.items;
    plan.pipe_count = fds.count;
    rc = colony__keeper_new(&colony->keeper, colony->loop, &plan, err);
    free(fds.items);
    return rc;
}

/* A link to the keeper, which is started if there is none. */
static int connect_keeper(struct colony *colony, struct colony_error *err)
{
    int *link_fd = &colony->options.link_fd;
    int rc = colony->keeper ? colony__keeper_link(colony->keeper, link_fd) : -EPIPE;

    if (rc != -EPIPE && rc != -ECONNRESET)
        return rc < 0 ? colony_fail_os(err, rc, "cannot talk to the keeper") : 0;
    if (colony->keeper)
        colony__keeper_close(colony->keeper);
    colony->keeper = NULL;
    rc = start_keeper(colony, err);
    if (rc < 0)
        return rc;
    rc = colony__keeper_link(colony->keeper, link_fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot talk to the keeper") : 0;
}

/* Its engine. */

static int begin(struct colony *colony, struct colony_error *err);

static void on_engine_closed(void *data)
{
    struct colony *colony = data;

    colony->engine = NULL;
    colony->is_closing = false;
    colony_settings_free(colony->settings);
    colony->settings = NULL;
    if (colony->phase == PHASE_ENDS && !colony->keeper)
        finish(colony);
    else if (colony->phase == PHASE_RENEWS)
        (void)uv_timer_start(&colony->retry, begin_again, colony->retry_ms, 0);
}

static void close_engine(struct colony *colony)
{
    if (colony->is_closing)
        return;
    colony->is_closing = true;
    colony->is_welcomed = false;
    colony__listeners_detach(colony->listeners);
    colony_engine_close(colony->engine, 0, on_engine_closed, colony);
}

/*
 * It has an engine whose keeper is gone or does not listen to it any more, or has none. A new
 * keeper starts while the engine still has its ends of the pipes: they go along.
 */
static void begin_again(uv_timer_t *timer)
{
    struct colony *colony = timer->data;
    struct colony_error err;
    int rc;

    if (colony->engine) {
        if (!colony->keeper)
            (void)start_keeper(colony, NULL); /* else it is tried again with the engine */
        close_engine(colony);
        return;
    }
    rc = begin(colony, &err);
    if (rc == 0)
        return;
    if (colony->stops > 0) {
        colony->why = err;
        give_up(colony);
        return;
    }
    colony->retry_ms = colony->retry_ms == 0 ? RETRY_FIRST_MS : colony->retry_ms * 2;
    if (colony->retry_ms > RETRY_MAX_MS)
        colony->retry_ms = RETRY_MAX_MS;
    colony_log(SEVERITY_ERROR, "%s: is tried again in %llu ms", err.message,
               (unsigned long long)colony->retry_ms);
    (void)uv_timer_start(&colony->retry, begin_again, colony->retry_ms, 0);
}

static void shut_down(struct colony *colony)
{
    char why[COLONY__WHY_SIZE];
    unsigned stops;

    (void)pthread_mutex_lock(&colony->lock);
    memcpy(why, colony->stop_why, sizeof why);
    stops = colony->stops;
    (void)pthread_mutex_unlock(&colony->lock);
    if (colony->phase != PHASE_RUNS)
        return;
    for (; colony->stops_done < stops && colony->phase == PHASE_RUNS; colony->stops_done++)
        colony_engine_shutdown(colony->engine, why);
}

static void on_welcome(void *data)
{
    struct colony *colony = data;

    colony->retry_ms = 0;
    colony->is_welcomed = true;
    colony__listeners_resume(colony->listeners);
    colony_engine_ready(colony->engine);
    if (colony->was_ready)
        return;
    colony->was_ready = true;
    if (colony->callbacks.ready)
        colony->callbacks.ready(colony, colony->callbacks.data);
}

/* All that it had to stop is stopped. */
static void on_stopped(void *data)
{
    struct colony *colony = data;

    colony->phase = PHASE_ENDS;
    close_engine(colony);
}

static void on_lost(void *data)
{
    struct colony *colony = data;

    if (colony->phase != PHASE_RUNS)
        return;
    if (!colony->was_ready) {
        (void)colony_fail(&colony->why, -EPROTO, "cannot work with %s as keeper: it ended at once",
                          colony->options.program);
        on_stopped(colony);
        return;
    }
    colony_log(SEVERITY_ERROR, "the keeper is gone: another one takes its place, processes go on");
    colony->phase = PHASE_RENEWS;
    (void)uv_timer_start(&colony->retry, begin_again, SETTLE_MS, 0);
}

static void on_fatal(void *data)
{
    struct colony *colony = data;

    colony->phase = PHASE_RENEWS;
    (void)uv_timer_start(&colony->retry, begin_again, SETTLE_MS, 0);
}

static int begin(struct colony *colony, struct colony_error *err)
{
    struct colony_engine_options options = {
        .keeper = &colony->options,
        .leaves = colony->leaves,
        .callbacks = {.welcome = on_welcome,
                      .stopped = on_stopped,
                      .lost = on_lost,
                      .fatal = on_fatal,
                      .data = colony},
    };
    int rc = colony_state_dir_load_settings(colony->place.path, &colony->settings, err);

    if (rc < 0)
        return rc;
    options.settings = colony->settings;
    rc = connect_keeper(colony, err);
    if (rc == 0)
        rc = colony_engine_new(&colony->engine, colony->loop, &options, err);
    if (rc < 0) {
        colony_settings_free(colony->settings);
        colony->settings = NULL;
        return rc;
    }
    colony->phase = PHASE_RUNS;
    colony->stops_done = 0;
    if (colony__listeners_attach(colony->listeners, colony->engine) < 0)
        on_fatal(colony); /* no memory: rather another engine than one that nobody hears of */
    shut_down(colony);
    return 0;
}

int colony__life_start(struct colony *colony, struct colony_error *err)
{
    int rc;

    memset(&colony->why, 0, sizeof colony->why);
    colony->stops = 0;
    rc = colony__place_open(colony, err);
    if (rc == 0)
        rc = begin(colony, err);
    if (rc < 0)
        rest(colony);
    return rc;
}

void colony__life_stop(struct colony *colony)
{
    if (colony->phase == PHASE_RENEWS && !colony->engine && colony->stops > 0)
        return; /* the next one is told */
    shut_down(colony);
}

void colony__life_init(struct colony *colony)
{
    (void)uv_timer_init(colony->loop, &colony->retry);
    colony->retry.data = colony;
}
