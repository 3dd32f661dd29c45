/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_internal.h - what one look at a workspace has found: what it says, as templates in the order
 * of their dependences, and which of its processes live.
 *
 * Made on any thread, with a workspace of its own; then it belongs to one thread at a time.
 */
#ifndef COLONY_SESSION_LOOK_INTERNAL_H
#define COLONY_SESSION_LOOK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/config.h"
#include "session/process.h"

struct colony_error;
struct colony_template;
struct colony_workspace;

/* One process; `index` is its place in the list. */
struct look_item {
    size_t index;
    struct colony_template *template; /* NULL: it cannot be used, and a problem says why */
    pid_t pid;                        /* of the process that lives; 0: none */
    uint64_t start_ticks;
    bool is_noted; /* the database has that pid; else it was found by its fingerprint */
};

struct session_look {
    struct colony_session_list list;
    struct colony_session_config config;
    struct look_item *items; /* parents first */
    size_t count;
    char *held;      /* held_internal.h */
    char **problems; /* lines for people */
    size_t problem_count;
    size_t problem_room;
};

/*
 * @finds: also looks for processes whose pid is not noted, among all there are.
 * -EILSEQ: etc/session.yaml cannot be used and never could, with its place; and what reading the
 * list says.
 */
int session_look_take(struct session_look **out, struct colony_workspace *workspace, bool finds,
                      struct colony_error *err);
/* NULL is fine. */
void session_look_free(struct session_look *look);
/* Without memory for it, it is not told. */
void session_look_tell(struct session_look *look, const char *line);

/* look_find.c: which processes of @look live, by what the database notes, and with @finds else by
 * what was saved of them. */
void session_look_find(struct session_look *look, struct colony_workspace *workspace, bool finds);

/* look_template.c: what is to be run for @process. -EINVAL, -ENOMEM. */
int session_template_make(struct colony_template **out,
                          const struct colony_session_process *process,
                          const struct session_look *look, struct colony_workspace *workspace,
                          struct colony_error *err);

#endif
