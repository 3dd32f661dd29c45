/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions_internal.h - start, stop, restart and delete, of a template or of a group.
 */
#ifndef COLONY_API_ACTIONS_INTERNAL_H
#define COLONY_API_ACTIONS_INTERNAL_H

#include <stdbool.h>

#include "api/wait_internal.h"

/* Each is one function of the engine and what `?wait=` means for it. */
struct colony__action {
    /* Whether it may be done, asked of all before it is done to any; NULL: always */
    int (*check)(struct colony_engine *engine, const char *name, struct colony_error *err);
    int (*apply)(struct colony_engine *engine, const char *name, const char *why,
                 struct colony_error *err);
    bool can_wait;
    enum colony__goal goal;
    bool wants_new;  /* processes that run already do not count */
    bool has_report; /* waited for, it answers what the stops had to do */
};

extern const struct colony__action colony__action_start;
extern const struct colony__action colony__action_once;
extern const struct colony__action colony__action_stop;
extern const struct colony__action colony__action_restart;
extern const struct colony__action colony__action_delete;

/* Does it to all @subjects, which are taken over, and answers. */
int colony__act(struct colony__connection *connection, const struct colony__request *request,
                const struct colony__action *action, struct colony__subjects *subjects,
                struct colony_error *err);

#endif
