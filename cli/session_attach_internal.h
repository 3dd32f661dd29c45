/* SPDX-License-Identifier: Apache-2.0 */
/* session_attach_internal.h - which process of the session one that is attached is. */
#ifndef COLONY_CLI_SESSION_ATTACH_INTERNAL_H
#define COLONY_CLI_SESSION_ATTACH_INTERNAL_H

#include <stdbool.h>

struct colony_error;
struct colony_session_process;
struct session;

enum session_acquaintance {
    ATTACHED_NEW,
    ATTACHED_AGAIN, /* it was down, or so it seemed */
    ATTACHED_ALREADY,
};

bool session__attach_is_alive(const struct colony_session_process *process);

/* @fresh is what runs, *out what the session is to know, made of it or of what is known. -EEXIST:
 * --alias is another's. */
int session__attach_settle(struct colony_session_process *out, struct session *session,
                           struct colony_session_process *fresh, enum session_acquaintance *before,
                           struct colony_error *err);

#endif
