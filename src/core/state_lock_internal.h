/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLONY_CORE_STATE_LOCK_INTERNAL_H
#define COLONY_CORE_STATE_LOCK_INTERNAL_H

struct colony_error;
struct colony_state_dir;

/*
 * Locks @state, whose path and fd are known, in @state->lock_fd. One that is about to be free is
 * waited for, up to two seconds; then a hung engine of a dead keeper is killed. -EBUSY: another
 * colony holds it, with its pid in the message.
 */
int colony__state_lock(struct colony_state_dir *state, struct colony_error *err);

#endif
