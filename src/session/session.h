/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - a session supervised: the processes of a workspace in an engine (docs/sessions.md).
 *
 * What the workspace says becomes templates of the origin "session"; what runs already is taken
 * over as it is, what is to be restarted is started in the order of its dependences, and what
 * becomes of each process is written back to the workspace.
 */
#ifndef COLONY_SESSION_SESSION_H
#define COLONY_SESSION_SESSION_H

struct colony_front;
struct colony_error;
struct colony_session_settings;

/* Does nothing where settings have no workspace. */
extern const struct colony_front colony_session_front;

/* That the workspace of @session, if it has one, can be used. */
int colony_session_check(const struct colony_session_settings *session, struct colony_error *err);
/* Requires the workspace of @session, if it has one, and makes its path a real one. */
int colony_session_prepare(struct colony_session_settings *session, struct colony_error *err);

#endif
