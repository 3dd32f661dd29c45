/* SPDX-License-Identifier: Apache-2.0 */
/* engine_output.c - what one process writes, as it passes, until it has ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"

enum {
    OUTPUTS_MAX = 2, /* stdout and stderr */
};

struct tapped {
    struct colony_output *output;
    struct colony_log_tap *tap; /* NULL: it has ended */
    char label[COLONY_LABEL_MAX + 1];
};

struct colony_output {
    struct colony_engine *engine;
    struct colony_subscription *subscription;
    uint64_t id;
    struct tapped taps[OUTPUTS_MAX];
    size_t count;
    colony_output_cb cb;
    void *data;
};

static bool has_tap(const struct colony_output *output)
{
    for (size_t i = 0; i < output->count; i++)
        if (output->taps[i].tap)
            return true;
    return false;
}

/* Nothing of it is touched after its callback, which may end it. */
static void on_output(const char *bytes, size_t size, void *data)
{
    struct tapped *tapped = data;
    struct colony_output *output = tapped->output;
    struct colony_output_part part = {.label = tapped->label, .bytes = bytes, .size = size};

    part.lost = colony_log_tap_lost(tapped->tap);
    if (size == 0) {
        tapped->tap = NULL;
        if (!has_tap(output))
            part.label = NULL;
    }
    output->cb(&part, output->data);
}

/* What it has written is told first. */
static void on_event(const struct colony_event *event, void *data)
{
    struct colony_output *output = data;

    if (event->type != EVENT_EXIT || event->id != output->id)
        return;
    for (size_t i = 0; i < output->count; i++)
        if (output->taps[i].tap)
            colony_log_end_tap(output->taps[i].tap);
}

static int add_tap(struct colony_output *output, struct colony_log *log, const char *label)
{
    struct tapped *tapped = &output->taps[output->count];
    int rc;

    if (!log)
        return 0; /* its pipe was lost */
    tapped->output = output;
    (void)snprintf(tapped->label, sizeof tapped->label, "%s", label);
    rc = colony_log_tap(log, on_output, tapped, &tapped->tap);
    output->count += rc == 0;
    return rc;
}

/* The outputs of @slot that @label names (NULL: the first). -EINVAL: none. */
static int add_taps(struct colony_output *output, struct slot *slot, const char *label)
{
    const struct colony_template *template = slot->entry->template;
    bool has_error_log = engine_has_error_log(template);
    bool is_all = label && strcmp(label, ".") == 0;
    bool is_known = is_all || !label;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < OUTPUTS_MAX && template->redirect_output[i]; i++) {
        const char *its = template->redirect_output[i];

        if (label ? !is_all && strcmp(label, its) != 0 : i > 0)
            continue;
        is_known = true;
        if (i == 0 || has_error_log)
            rc = add_tap(output, i == 0 ? slot->log : slot->error_log, its);
    }
    if (rc == 0 && !is_known)
        return -EINVAL;
    return rc == 0 && output->count == 0 ? -ENOTSUP : rc;
}

int colony_engine_follow_output(struct colony_engine *engine, const struct colony_output_wish *wish,
                                struct colony_output **out)
{
    struct slot *slot = engine_find_living(engine, wish->id);
    struct colony_output *output;
    char pattern[sizeof "proc." + COLONY_NAME_MAX];
    int rc;

    if (!slot)
        return -ENOENT;
    if (!slot->entry->template->redirect_output || !slot->entry->template->redirect_output[0])
        return -ENOTSUP;
    output = calloc(1, sizeof *output);
    if (!output)
        return -ENOMEM;
    output->engine = engine;
    output->id = wish->id;
    output->cb = wish->cb;
    output->data = wish->data;
    (void)snprintf(pattern, sizeof pattern, "proc.%s", slot->entry->template->name);
    rc = colony_events_subscribe(engine->events, pattern, on_event, output, &output->subscription);
    if (rc == 0)
        rc = add_taps(output, slot, wish->label);
    if (rc < 0) {
        colony_engine_unfollow_output(output);
        return rc;
    }
    *out = output;
    return 0;
}

void colony_engine_unfollow_output(struct colony_output *output)
{
    if (!output)
        return;
    colony_events_unsubscribe(output->engine->events, output->subscription);
    for (size_t i = 0; i < output->count; i++)
        colony_log_untap(output->taps[i].tap);
    free(output);
}
