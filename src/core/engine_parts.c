/* SPDX-License-Identifier: Apache-2.0 */
/* engine_parts.c - what front-ends have of their own: things a reload makes anew, figures, and
 * what the next engine gets. */
#include <assert.h>
#include <stddef.h>

#include "core/engine_internal.h"

void colony_engine_remove_reload_part(struct colony_engine *engine,
                                      const struct colony_reload_part *part)
{
    for (size_t i = 0; i < RELOAD_PARTS_MAX; i++)
        if (engine->reload_parts[i].part == part)
            engine->reload_parts[i].part = NULL;
}

void colony_engine_add_reload_part(struct colony_engine *engine,
                                   const struct colony_reload_part *part, void *data)
{
    size_t i = 0;

    colony_engine_remove_reload_part(engine, part);
    while (i < RELOAD_PARTS_MAX && engine->reload_parts[i].part)
        i++;
    assert(i < RELOAD_PARTS_MAX); /* there are as many places as front-ends */
    engine->reload_parts[i].part = part;
    engine->reload_parts[i].data = data;
}

void colony_engine_remove_meters(struct colony_engine *engine, struct colony_meters *meters)
{
    struct colony_meters **place = &engine->meters;

    while (*place && *place != meters)
        place = &(*place)->next;
    if (*place)
        *place = meters->next;
}

void colony_engine_add_meters(struct colony_engine *engine, struct colony_meters *meters)
{
    colony_engine_remove_meters(engine, meters);
    meters->next = engine->meters;
    engine->meters = meters;
}

void colony_engine_remove_leaver(struct colony_engine *engine, struct colony_leaver *leaver)
{
    struct colony_leaver **place = &engine->leavers;

    while (*place && *place != leaver)
        place = &(*place)->next;
    if (*place)
        *place = leaver->next;
}

void colony_engine_add_leaver(struct colony_engine *engine, struct colony_leaver *leaver)
{
    colony_engine_remove_leaver(engine, leaver);
    leaver->next = engine->leavers;
    engine->leavers = leaver;
}

const struct colony_meters *colony_engine_meters(const struct colony_engine *engine)
{
    return engine->meters;
}
