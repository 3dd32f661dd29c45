/* SPDX-License-Identifier: Apache-2.0 */
/* juggler_verdict.c - OK, WARN or CRIT: the worst of a template's slots. */
#include <stdio.h>
#include <string.h>

#include "api/juggler_internal.h"
#include "core/engine.h"

/* What should run is down or unwell; or on its way; or all is as it is meant to be. */
static enum colony_juggler_status judge(const struct colony_slot_info *slot, bool has_ready)
{
    switch (slot->state) {
    case SLOT_RUNNING:
        return has_ready ? JUGGLER_WARN : JUGGLER_OK;
    case SLOT_READY:
        return slot->health && strcmp(slot->health, "unhealthy") == 0 ? JUGGLER_CRIT : JUGGLER_OK;
    case SLOT_BACKOFF:
    case SLOT_FAILED:
        return JUGGLER_CRIT;
    case SLOT_WAITING:
        return slot->has_next ? JUGGLER_OK : JUGGLER_WARN;
    case SLOT_COMPLETED:
        return JUGGLER_OK;
    case SLOT_NONE:
    case SLOT_STATE_COUNT:
    case SLOT_STOPPED:
    case SLOT_STARTING:
    case SLOT_STOPPING:
    case SLOT_EXITED:
        break;
    }
    return slot->is_wanted ? JUGGLER_WARN : JUGGLER_OK; /* who stopped it knows */
}

static bool is_well(const struct colony_slot_info *slot, enum colony_juggler_status status)
{
    return status == JUGGLER_OK && (slot->state == SLOT_RUNNING || slot->state == SLOT_READY);
}

void colony__juggler_judge(struct colony__juggler_verdict *verdict,
                           const struct colony_slot_info *slot, bool has_ready)
{
    enum colony_juggler_status status = judge(slot, has_ready);
    bool is_unhealthy = status == JUGGLER_CRIT && slot->state == SLOT_READY;
    const char *why = is_unhealthy && slot->health_note ? slot->health_note : slot->cause;

    if (slot->is_leaving)
        return;
    verdict->wanted += slot->is_wanted;
    verdict->well += is_well(slot, status);
    if (status <= verdict->status && verdict->worst[0] != '\0')
        return;
    if (status > verdict->status || !is_well(slot, status))
        (void)snprintf(verdict->worst, sizeof verdict->worst, "%.100s.%u is %s%s%s", slot->name,
                       slot->slot, is_unhealthy ? "unhealthy" : colony_slot_state_name(slot->state),
                       why && why[0] != '\0' ? ": " : "", why ? why : "");
    if (status > verdict->status)
        verdict->status = status;
}

void colony__juggler_describe(const struct colony__juggler_verdict *verdict, char *text,
                              size_t size)
{
    (void)snprintf(text, size, "%u of %u run%s%s", verdict->well, verdict->wanted,
                   verdict->worst[0] != '\0' ? "; " : "", verdict->worst);
}
