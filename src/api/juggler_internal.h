/* SPDX-License-Identifier: Apache-2.0 */
/* juggler_internal.h - what is reported of a template. */
#ifndef COLONY_API_JUGGLER_INTERNAL_H
#define COLONY_API_JUGGLER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/juggler.h"

struct colony_slot_info;

enum {
    JUGGLER_TEXT_MAX = 256,
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

#endif
