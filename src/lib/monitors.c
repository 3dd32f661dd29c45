/* SPDX-License-Identifier: Apache-2.0 */
/* monitors.c - listeners that the engine tells of samples and of output. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/stats.h"
#include "lib/listeners_internal.h"

/* Samples: `what` is the template, or "" for the one process. */

static void on_sample(const struct colony_slot_info *slot, const struct colony_process_stats *stats,
                      void *data)
{
    cJSON *json = NULL;
    const struct colony_msg msg = {.stats = stats, .id = slot->id, .json = &json};

    if (stats) /* else it has ended, which an event tells */
        colony__listener_tell(data, "STATS", &msg);
    cJSON_Delete(json);
}

static int begin_samples(struct colony_listener *listener, struct colony_engine *engine)
{
    const struct colony_monitor_wish wish = {
        .name = listener->id ? NULL : listener->what,
        .id = listener->id,
        .every = 1,
        .cb = on_sample,
        .data = listener,
    };
    struct colony_monitor *monitor;
    int rc = colony_engine_monitor(engine, &wish, &monitor);

    if (rc == 0)
        listener->begun = monitor;
    return rc;
}

static void end_samples(struct colony_listener *listener, struct colony_engine *engine)
{
    colony_engine_unmonitor(engine, listener->begun);
}

static void lose_samples(struct colony_listener *listener)
{
    (void)listener; /* it has ended, or there is no such template any more: an event told of it */
}

static const struct colony__source samples = {
    .begin = begin_samples, .end = end_samples, .lost = lose_samples};

/* Output: `what` is the label. */

static void tell_end(struct colony_listener *listener)
{
    colony__listener_tell(listener, listener->what, &(struct colony_msg){.id = listener->id});
}

static void on_output(const struct colony_output_part *part, void *data)
{
    struct colony_listener *listener = data;
    const struct colony_msg msg = {
        .bytes = part->bytes, .size = part->size, .lost = part->lost, .id = listener->id};

    if (!part->label) {
        colony_engine_unfollow_output(listener->begun);
        listener->begun = NULL;
        if (listener->is_draining)
            return; /* another engine goes on with it */
        listener->is_over = true;
        tell_end(listener);
    } else if (part->size > 0) { /* else one of several has ended */
        colony__listener_tell(listener, part->label, &msg);
    }
}

static int begin_output(struct colony_listener *listener, struct colony_engine *engine)
{
    const struct colony_output_wish wish = {
        .id = listener->id, .label = listener->what, .cb = on_output, .data = listener};
    struct colony_output *output;
    int rc;

    listener->is_draining = false;
    rc = listener->is_over ? 0 : colony_engine_follow_output(engine, &wish, &output);

    if (rc == 0 && !listener->is_over)
        listener->begun = output;
    return rc;
}

static void end_output(struct colony_listener *listener, struct colony_engine *engine)
{
    (void)engine;
    colony_engine_unfollow_output(listener->begun);
}

static void lose_output(struct colony_listener *listener)
{
    listener->is_over = true;
    tell_end(listener);
}

static void drain_output(struct colony_listener *listener)
{
    listener->is_draining = true;
    colony_engine_drain_output(listener->begun);
}

static void resume_output(struct colony_listener *listener)
{
    colony_engine_end_output(listener->begun);
}

static const struct colony__source output = {.begin = begin_output,
                                             .end = end_output,
                                             .lost = lose_output,
                                             .resumed = resume_output,
                                             .drain = drain_output};

static const char *describe(int rc)
{
    switch (rc) {
    case -ENOENT:
        return "there is no such process";
    case -EINVAL:
        return "it has no such stream";
    case -ENOTSUP:
        return "its output is not redirected";
    case -EMFILE:
        return "as many are followed already as can be";
    case -ESHUTDOWN:
        return "the engine ends";
    default:
        return strerror(-rc);
    }
}

/* A template by its name; else a process by its id, and which of its streams. */
static int fail(const struct colony_listener *listener, int rc, struct colony_error *err)
{
    if (listener->what[0] == '\0')
        return colony_fail(err, rc, "cannot follow the process %llu: %s",
                           (unsigned long long)listener->id, describe(rc));
    if (listener->id == 0)
        return colony_fail(err, rc, "cannot follow %.100s: %s", listener->what, describe(rc));
    return colony_fail(err, rc, "cannot follow %.100s of the process %llu: %s", listener->what,
                       (unsigned long long)listener->id, describe(rc));
}

/* Takes ownership of @listener, which may be NULL. */
static int begin(struct colony_listener *listener, const struct colony__source *source,
                 struct colony_listener **out, struct colony_error *err)
{
    struct colony_engine *engine = listener ? colony__running(listener->colony, err) : NULL;
    int rc;

    if (!listener)
        return colony_fail_os(err, -ENOMEM, "cannot listen");
    listener->source = source;
    rc = engine ? source->begin(listener, engine) : -EAGAIN;
    if (rc < 0) {
        if (engine)
            (void)fail(listener, rc, err);
        free(listener);
        return rc;
    }
    colony__listener_add(listener);
    *out = listener;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_monitor(struct colony *colony, const char *name, colony_listen_cb cb, void *data,
                   struct colony_listener **out, struct colony_error *err)
{
    return begin(colony__listener_new(colony, name, cb, data), &samples, out, err);
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_monitor_process(struct colony *colony, uint64_t id, colony_listen_cb cb, void *data,
                           struct colony_listener **out, struct colony_error *err)
{
    struct colony_listener *listener = colony__listener_new(colony, "", cb, data);

    if (listener)
        listener->id = id;
    return begin(listener, &samples, out, err);
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_monitor_io(struct colony *colony, struct colony_io stream, colony_listen_cb cb,
                      void *data, struct colony_listener **out, struct colony_error *err)
{
    struct colony_listener *listener = colony__listener_new(colony, stream.label, cb, data);

    if (listener)
        listener->id = stream.id;
    return begin(listener, &output, out, err);
}
