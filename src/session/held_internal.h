/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held_internal.h - who was stopped by hand and stays down, although it is to be restarted: a file
 * in the supervisor's state folder, a name a line. An engine that takes over goes by it; `activate`
 * begins without.
 */
#ifndef COLONY_SESSION_HELD_INTERNAL_H
#define COLONY_SESSION_HELD_INTERNAL_H

#include <stdbool.h>

struct colony_error;
struct colony_workspace;

/* The file as it is, "" when there is none; the caller frees it. A shortage or -EIO: there may be
 * one. */
int session_held_read(char **out, const struct colony_workspace *workspace,
                      struct colony_error *err);
bool session_held_has(const char *held, const char *name);
/* Replaces it by @held. */
int session_held_write(const struct colony_workspace *workspace, const char *held,
                       struct colony_error *err);

#endif
