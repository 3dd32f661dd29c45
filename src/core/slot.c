/* SPDX-License-Identifier: Apache-2.0 */
#include "core/slot.h"

#include <stddef.h>

/* clang-format off */
static const enum colony_slot_state next_state[SLOT_STATE_COUNT][SLOT_EVENT_COUNT] = {
    [SLOT_STOPPED]   = {[SLOT_EVENT_START]    = SLOT_STARTING,
                        [SLOT_EVENT_WAIT]     = SLOT_WAITING,
                        [SLOT_EVENT_DELAY]    = SLOT_BACKOFF, /* stopped because another one flaps */
                        [SLOT_EVENT_GIVE_UP]  = SLOT_FAILED,
                        /* the rest is taken over from an engine before this one */
                        [SLOT_EVENT_SPAWNED]  = SLOT_RUNNING,
                        [SLOT_EVENT_COMPLETE] = SLOT_COMPLETED},
    [SLOT_WAITING]   = {[SLOT_EVENT_START]    = SLOT_STARTING,
                        [SLOT_EVENT_DELAY]    = SLOT_BACKOFF, /* because another one flaps */
                        [SLOT_EVENT_GIVE_UP]  = SLOT_FAILED,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING}, /* what it left behind */
    [SLOT_STARTING]  = {[SLOT_EVENT_SPAWNED]  = SLOT_RUNNING,
                        [SLOT_EVENT_FAIL]     = SLOT_EXITED,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING,
                        [SLOT_EVENT_COMPLETE] = SLOT_COMPLETED}, /* detached */
    [SLOT_RUNNING]   = {[SLOT_EVENT_READY]    = SLOT_READY,
                        [SLOT_EVENT_EXIT]     = SLOT_EXITED,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING},
    [SLOT_READY]     = {[SLOT_EVENT_EXIT]     = SLOT_EXITED,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING},
    [SLOT_STOPPING]  = {[SLOT_EVENT_GONE]     = SLOT_STOPPED},
    [SLOT_EXITED]    = {[SLOT_EVENT_START]    = SLOT_STARTING,
                        [SLOT_EVENT_WAIT]     = SLOT_WAITING,
                        [SLOT_EVENT_DELAY]    = SLOT_BACKOFF,
                        [SLOT_EVENT_COMPLETE] = SLOT_COMPLETED,
                        [SLOT_EVENT_GIVE_UP]  = SLOT_FAILED,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING},
    [SLOT_BACKOFF]   = {[SLOT_EVENT_START]    = SLOT_STARTING,
                        [SLOT_EVENT_WAIT]     = SLOT_WAITING,
                        [SLOT_EVENT_GIVE_UP]  = SLOT_FAILED,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING},
    [SLOT_FAILED]    = {[SLOT_EVENT_START]    = SLOT_STARTING,
                        [SLOT_EVENT_WAIT]     = SLOT_WAITING,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING},
    [SLOT_COMPLETED] = {[SLOT_EVENT_START]    = SLOT_STARTING,
                        [SLOT_EVENT_WAIT]     = SLOT_WAITING,
                        [SLOT_EVENT_STOP]     = SLOT_STOPPING},
};
/* clang-format on */

static const char *const state_names[SLOT_STATE_COUNT] = {
    [SLOT_NONE] = "none",         [SLOT_STOPPED] = "stopped",     [SLOT_WAITING] = "waiting",
    [SLOT_STARTING] = "starting", [SLOT_RUNNING] = "running",     [SLOT_READY] = "ready",
    [SLOT_STOPPING] = "stopping", [SLOT_EXITED] = "exited",       [SLOT_BACKOFF] = "backoff",
    [SLOT_FAILED] = "failed",     [SLOT_COMPLETED] = "completed",
};

enum colony_slot_state colony_slot_next(enum colony_slot_state state, enum colony_slot_event event)
{
    return next_state[state][event];
}

const char *colony_slot_state_name(enum colony_slot_state state)
{
    return (size_t)state < SLOT_STATE_COUNT ? state_names[state] : state_names[SLOT_NONE];
}
