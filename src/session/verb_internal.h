/* SPDX-License-Identifier: Apache-2.0 */
/* verb_internal.h - what the verbs of a session share: who acts for it, and changes of a process.
 */
#ifndef COLONY_SESSION_VERB_INTERNAL_H
#define COLONY_SESSION_VERB_INTERNAL_H

#include <stddef.h>

#include "session/verbs.h"

/* --- who acts: backend_direct.c, or the session's supervisor while there is one ------------------
 */

/*
 * What the verbs do once database and files say what is wanted. All are called with the lock held
 * and may give it up; the caller looks at nothing of the workspace after. 0, or a negative errno
 * with its reason.
 */
struct colony__backend {
    /* Runs @process, whose row and file are there; its pid is in it afterwards. -EBUSY: it runs. */
    int (*start)(const struct colony_session *session, struct colony_session_process *process,
                 struct colony_error *err);
    /* Stops all of them at once, and waits until they are gone. */
    int (*stop)(const struct colony_session *session, const struct colony_session_chosen *chosen,
                struct colony_session_stopped *out, struct colony_error *err);
    /* Rows or files have changed: what nobody runs any more is let go, not stopped. */
    int (*reload)(const struct colony_session *session, struct colony_error *err);
    /* After the processes with shutdown=1 were stopped: ends the supervisor, if there is one. */
    int (*end)(const struct colony_session *session, struct colony_error *err);
};

extern const struct colony__backend colony__backend_direct;
extern const struct colony__backend colony__backend_supervised;
/* The one that acts for this workspace now. */
const struct colony__backend *colony__backend_of(const struct colony_session *session);

/* --- verb_change.c ------------------------------------------------------------------------------
 */

/* A line for whoever has the session. */
void colony__verb_tell(const struct colony_session *session, const char *line);

/* Puts @process into the workspace, with all of @change but uri and state; dependences that speak
 * of an old alias speak of the new one. With the lock held. -EINVAL, -EEXIST, -EILSEQ. */
int colony__verb_put(const struct colony_session *session, struct colony_session_process *process,
                     const struct colony_verb_change *change, struct colony_error *err);

/* Makes all that a change can have set what it is of @before, and so puts @process back. */
void colony__verb_put_back(const struct colony_session *session,
                           struct colony_session_process *process,
                           struct colony_session_process *before);

/* --- verb_attach_find.c -------------------------------------------------------------------------
 */

/* @fresh is what runs, *out what the session is to know, made of it or of what is known. @alias is
 * what it is to be called, or NULL. -EEXIST: that is another's. */
int colony__verb_acquaint(const struct colony_session *session,
                          struct colony_session_process *fresh, const char *alias,
                          struct colony_verb_attached *out, struct colony_error *err);

#endif
