/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.h - one living process of a workspace as a command sees it, with or without a supervisor:
 * what it has open, and the state that this is.
 *
 * What was seen last stands in fp/NAME.yaml, so that two commands a period apart know a process
 * that has settled. Any thread; blocks as long as files and /proc do.
 */
#ifndef COLONY_SESSION_OBSERVE_H
#define COLONY_SESSION_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "session/fingerprint.h"
#include "session/state.h"

struct colony_error;
struct colony_session_process;
struct colony_workspace;

/* All-zero is the empty one. live.last is the fingerprint of the last look, live.score its score.
 */
struct colony_observer {
    struct colony_live_state live;
    struct colony_saved_states saved;
    uint64_t period_ms;
    bool has_news; /* it is not what stands in fp/NAME.yaml */
};

/*
 * Reads the saved states of @process and what was seen of it last; @period_ms is that of the
 * session's configuration. What a look since told of (the row's state) is no longer starting.
 * A saved state that cannot be used is left out, and told by saved.problem. -EIO, -ENOMEM.
 */
int colony_observer_init(struct colony_observer *observer, struct colony_workspace *workspace,
                         const struct colony_session_process *process, uint64_t period_ms,
                         struct colony_error *err);
void colony_observer_clear(struct colony_observer *observer);

/*
 * Looks at @pid, which is the process's. *state is borrowed until the observer is cleared.
 * @sockets: see fingerprint.h. -ESRCH: it has ended; -EACCES.
 */
int colony_observer_look(struct colony_observer *observer, pid_t pid,
                         const struct colony_socket_table *sockets, const char **state,
                         struct colony_error *err);

/* Writes what was seen to fp/NAME.yaml, if that is news, and @state (may be NULL: as it is) to the
 * row of @process. With the lock held. */
int colony_observer_note(struct colony_observer *observer, struct colony_workspace *workspace,
                         struct colony_session_process *process, const char *state,
                         struct colony_error *err);

#endif
