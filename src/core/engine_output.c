/* SPDX-License-Identifier: Apache-2.0 */
/* engine_output.c - what one process writes, as it passes, until it has ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"

enum {
    OUTPUTS_MAX = 2, /* stdout and stderr */
    TAPS_MAX = OUTPUTS_MAX + COLONY_STREAMS_CUSTOM,
};

struct tapped {
    struct colony_output *output;
    struct colony_log_tap *tap; /* NULL: it has ended, or is a custom stream */
    struct custom_tap *custom;  /* NULL: it has ended, or is none */
    char label[COLONY_LABEL_MAX + 1];
};

struct colony_output {
    struct colony_engine *engine; /* NULL: it is being closed */
    struct colony_subscription *subscription;
    uint64_t id;
    struct tapped taps[TAPS_MAX];
    size_t count;
    colony_output_cb cb;
    void *data;
};

static bool has_tap(const struct colony_output *output)
{
    for (size_t i = 0; i < output->count; i++)
        if (output->taps[i].tap || output->taps[i].custom)
            return true;
    return false;
}

/* Nothing of it is touched after its callback, which may end it. */
static void tell(struct tapped *tapped, const char *bytes, size_t size, uint64_t lost)
{
    struct colony_output *output = tapped->output;
    struct colony_output_part part = {
        .label = tapped->label, .bytes = bytes, .size = size, .lost = lost};

    if (size == 0) {
        tapped->tap = NULL;
        tapped->custom = NULL;
        if (!has_tap(output))
            part.label = NULL;
    }
    output->cb(&part, output->data);
}

static void on_output(const char *bytes, size_t size, void *data)
{
    struct tapped *tapped = data;

    tell(tapped, bytes, size, colony_log_tap_lost(tapped->tap));
}

static void on_custom(const char *bytes, size_t size, void *data)
{
    tell(data, bytes, size, 0);
}

/* What it has written is told first. */
static void end_taps(const struct colony_output *output)
{
    if (output->count == 0) {
        output->cb(&(struct colony_output_part){0}, output->data);
        return;
    }
    for (size_t i = 0; i < output->count; i++)
        if (output->taps[i].tap)
            colony_log_end_tap(output->taps[i].tap);
}

static void on_event(const struct colony_event *event, void *data)
{
    const struct colony_output *output = data;

    if (event->type == EVENT_EXIT && event->id == output->id)
        end_taps(output);
}

/* The next one, of that label. */
static struct tapped *begin_tap(struct colony_output *output, const char *label)
{
    struct tapped *tapped = &output->taps[output->count];

    tapped->output = output;
    (void)snprintf(tapped->label, sizeof tapped->label, "%s", label);
    return tapped;
}

static int add_tap(struct colony_output *output, struct colony_log *log, const char *label)
{
    struct tapped *tapped = begin_tap(output, label);
    int rc;

    if (!log)
        return 0; /* its pipe was lost */
    rc = colony_log_tap(log, on_output, tapped, &tapped->tap);
    output->count += rc == 0;
    return rc;
}

static int add_custom(struct colony_output *output, struct slot *slot, const char *label)
{
    struct tapped *tapped = begin_tap(output, label);
    int rc = engine_custom_follow(slot, label, &(struct engine_custom_wish){on_custom, tapped},
                                  &tapped->custom);

    output->count += rc == 0;
    return rc;
}

/* All that are still open. */
static int add_customs(struct colony_output *output, struct slot *slot)
{
    char *const *labels = slot->entry->template->custom_streams;
    int rc = 0;

    for (size_t i = 0; labels && labels[i] && rc == 0; i++) {
        rc = add_custom(output, slot, labels[i]);
        if (rc == -ESRCH || rc == -EINVAL)
            rc = 0;
    }
    return rc;
}

/* stdout, stderr or both, as @label says. -EINVAL: it names neither. */
static int add_outputs(struct colony_output *output, struct slot *slot, const char *label)
{
    const struct colony_template *template = slot->entry->template;
    char *const *labels = template->redirect_output;
    struct colony_log *const logs[OUTPUTS_MAX] = {
        slot->log, engine_has_error_log(template) ? slot->error_log : NULL};
    bool is_all = label && strcmp(label, ".") == 0;
    int rc = is_all || !label ? 0 : -EINVAL;

    for (size_t i = 0; i < OUTPUTS_MAX && labels && labels[i]; i++) {
        const char *its = labels[i];

        if (label ? !is_all && strcmp(label, its) != 0 : i > 0)
            continue;
        rc = add_tap(output, logs[i], its);
        if (rc < 0)
            break;
    }
    return rc;
}

/* What of @slot @label names (NULL: the first output). -EINVAL: nothing. */
static int add_taps(struct colony_output *output, struct slot *slot, const char *label)
{
    int rc;

    if (label && engine_custom_has(slot, label))
        return add_custom(output, slot, label);
    rc = add_outputs(output, slot, label);
    if (rc == 0 && label && strcmp(label, ".") == 0)
        rc = add_customs(output, slot);
    return rc == 0 && output->count == 0 ? -ENOTSUP : rc;
}

static bool has_outputs(char *const *labels)
{
    return labels && labels[0];
}

int colony_engine_follow_output(struct colony_engine *engine, const struct colony_output_wish *wish,
                                struct colony_output **out)
{
    struct slot *slot = engine_find_living(engine, wish->id);
    const struct colony_template *template;
    bool is_silent;
    struct colony_output *output;
    char pattern[sizeof "proc." + COLONY_NAME_MAX];
    int rc;

    if (!slot)
        return -ENOENT;
    template = slot->entry->template;
    is_silent = wish->may_be_silent && !wish->label && !has_outputs(template->redirect_output);
    if (!is_silent && !has_outputs(template->redirect_output) &&
        !has_outputs(template->custom_streams))
        return -ENOTSUP;
    output = calloc(1, sizeof *output);
    if (!output)
        return -ENOMEM;
    output->engine = engine;
    output->id = wish->id;
    output->cb = wish->cb;
    output->data = wish->data;
    (void)snprintf(pattern, sizeof pattern, "proc.%s", template->name);
    rc = colony_events_subscribe(engine->events, pattern, on_event, output, &output->subscription);
    if (rc == 0 && !is_silent)
        rc = add_taps(output, slot, wish->label);
    if (rc < 0) {
        colony_engine_unfollow_output(output);
        return rc;
    }
    *out = output;
    return 0;
}

static void unfollow(struct tapped *tapped)
{
    colony_log_untap(tapped->tap);
    engine_custom_unfollow(tapped->custom);
}

void colony_engine_drain_output(struct colony_output *output)
{
    colony_events_unsubscribe(output->engine->events, output->subscription);
    output->engine = NULL;
    for (size_t i = 0; i < output->count; i++) {
        engine_custom_unfollow(output->taps[i].custom); /* it waits in the socket */
        output->taps[i].custom = NULL;
    }
}

void colony_engine_unfollow_output(struct colony_output *output)
{
    if (!output)
        return;
    if (output->engine)
        colony_events_unsubscribe(output->engine->events, output->subscription);
    for (size_t i = 0; i < output->count; i++)
        unfollow(&output->taps[i]);
    free(output);
}
