/* SPDX-License-Identifier: Apache-2.0 */
/* engine_health_internal.h - what engine_health.c and engine_heart.c share. */
#ifndef COLONY_CORE_ENGINE_HEALTH_INTERNAL_H
#define COLONY_CORE_ENGINE_HEALTH_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine_internal.h"
#include "core/heartbeat.h"
#include "core/template.h"

struct colony_ready;
struct look;

enum health_state {
    HEALTH_UNKNOWN, /* it has not been checked yet */
    HEALTH_GOOD,
    HEALTH_BAD,
};

struct slot_health {
    struct colony_engine *engine;
    struct slot *slot; /* not once it is closing */
    enum health_state state;
    bool has_begun; /* ready, and in its grace or beyond */
    bool is_checking;
    uint64_t due_boot_ms;   /* the next check; 0: one is under way, or it has not begun */
    uint64_t begun_boot_ms; /* the last one */
    uint32_t bad;           /* failures in a row */
    char note[CAUSE_SIZE];  /* how the last check failed, or "" */

    /* a heart's */
    struct colony_heartbeat heart;
    struct look *look; /* under way */
    bool is_waiting;   /* for its turn */
    struct slot_health *prev;
    struct slot_health *next;

    /* of all others */
    struct colony_ready *probe;
    struct colony_ready_settings settings;
    struct colony_template template; /* that has nothing but those */
};

static inline const struct colony_health_settings *
engine_health_settings(const struct slot_health *health)
{
    return health->slot->entry->template->health;
}

/* A check has ended; @why says how it failed. The slot may be moved on by it, and @health gone. */
void engine_health_conclude(struct slot_health *health, bool is_good, const char *why);

/* A file of the slot's own for its next process, if `heartbeat: true` asks for it. */
int engine_heart_make(const struct slot *slot, struct colony_error *err);
/* Looks at it, in its turn, and concludes. */
void engine_heart_begin(struct slot_health *health);
/* What is under way is not told any more. */
void engine_heart_end(struct slot_health *health);

#endif
