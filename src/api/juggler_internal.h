/* SPDX-License-Identifier: Apache-2.0 */
/*
 * juggler_internal.h - the parts of the front-end that reports to Juggler: juggler_verdict.c says
 * what a template is, juggler_reports.c what has changed of all of them, juggler.c tells it.
 */
#ifndef COLONY_API_JUGGLER_INTERNAL_H
#define COLONY_API_JUGGLER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/juggler.h"
#include "core/template.h"

struct colony_engine;
struct colony_juggler_settings;
struct colony_slot_info;
struct colony__report;

enum {
    JUGGLER_TEXT_MAX = 256,
};

/* One event under way. */
struct colony__told {
    char name[COLONY_NAME_MAX + 1];
    char description[JUGGLER_TEXT_MAX + 64];
    enum colony_juggler_status status;
};

/* What was told of each template, and what is to be told next. A plain value of its owner. */
struct colony__reports {
    struct colony_engine *engine;
    const struct colony_juggler_settings *settings;
    struct colony__report *all; /* uthash by name */
    struct colony__told *batch; /* room for settings->batch_max */
    size_t batch_count;
};

/* What is to be said of a template, from its slots. A plain value; all-zero is that of none. */
struct colony__juggler_verdict {
    enum colony_juggler_status status;
    uint32_t well;                /* slots that run as they should */
    uint32_t wanted;              /* slots that should run */
    char worst[JUGGLER_TEXT_MAX]; /* what is said of the worst one */
};

/* Adds a slot of it; @has_ready: that runs is not all there is to it. */
void colony__juggler_judge(struct colony__juggler_verdict *verdict,
                           const struct colony_slot_info *slot, bool has_ready);
/* "2 of 3 run; web.2 is backoff: ended with status 1" */
void colony__juggler_describe(const struct colony__juggler_verdict *verdict, char *text,
                              size_t size);

/* Looks at all templates: what is not as it was told, or is due, is the batch then. */
void colony__reports_look(struct colony__reports *reports);
/* That was told: as it was then, and not again before it changes or is due. */
void colony__reports_note(struct colony__reports *reports, const struct colony__told *told);
/* All is to be told again, whatever it is. */
void colony__reports_make_due(struct colony__reports *reports);
void colony__reports_clear(struct colony__reports *reports);

#endif
