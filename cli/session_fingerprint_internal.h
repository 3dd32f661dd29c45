/* SPDX-License-Identifier: Apache-2.0 */
/* session_fingerprint_internal.h - what `colony session fingerprint` shows, in either form. */
#ifndef COLONY_CLI_SESSION_FINGERPRINT_INTERNAL_H
#define COLONY_CLI_SESSION_FINGERPRINT_INTERNAL_H

#include <stdbool.h>

#include "session/observe.h"
#include "session/process.h"

struct session;

/* One process and what is known of it. */
struct session_fingerprint_view {
    struct session *session;
    struct colony_session_process process;
    struct colony_observer observer;
    bool is_alive;
    const char *state; /* now; borrowed */
};

/* Prints all of it as JSON. Returns the exit code, having told what is wrong. */
int session__fingerprint_json(const struct session_fingerprint_view *view);

#endif
