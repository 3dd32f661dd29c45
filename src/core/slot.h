/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot.h - the states of a slot and the one table of legal moves (DESIGN §4).
 *
 * A template has N slots; each runs one process at a time. colony_slot_next is pure; engine.c is
 * the only place that assigns a state.
 */
#ifndef COLONY_CORE_SLOT_H
#define COLONY_CORE_SLOT_H

enum colony_slot_state {
    SLOT_NONE, /* as a result of colony_slot_next: the event is ignored in that state */
    SLOT_STOPPED,
    SLOT_WAITING,  /* wanted; its dependencies are not as it needs them */
    SLOT_STARTING, /* the keeper was asked to spawn */
    SLOT_RUNNING,
    SLOT_READY,     /* only with `ready:` */
    SLOT_STOPPING,  /* told to stop, until nothing of it is left */
    SLOT_EXITED,    /* ended by itself; the policy decides at once what comes next */
    SLOT_BACKOFF,   /* waits before the next start */
    SLOT_FAILED,    /* given up */
    SLOT_COMPLETED, /* ended and not to be started again */
    SLOT_STATE_COUNT,
};

enum colony_slot_event {
    SLOT_EVENT_START, /* wanted: by the settings, a user or a restart */
    SLOT_EVENT_WAIT,  /* wanted, but its gate is closed */
    SLOT_EVENT_SPAWNED,
    SLOT_EVENT_READY,
    SLOT_EVENT_FAIL, /* the spawn failed */
    SLOT_EVENT_EXIT,
    SLOT_EVENT_STOP,
    SLOT_EVENT_GONE,     /* nothing of it is left after a stop */
    SLOT_EVENT_DELAY,    /* policy: start again later */
    SLOT_EVENT_COMPLETE, /* policy: done */
    SLOT_EVENT_GIVE_UP,  /* policy: dies too often */
    SLOT_EVENT_COUNT,
};

/* The state that @event leads to from @state, or SLOT_NONE when it is ignored there. */
enum colony_slot_state colony_slot_next(enum colony_slot_state state, enum colony_slot_event event);

/* "running", … for people, JSON and events. */
const char *colony_slot_state_name(enum colony_slot_state state);

#endif
