/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - etc/session.yaml: schemes, dependences and times of a session.
 *
 *     period: 5s                   between looks at the states
 *     stop:                        what a stop sends in turn, and how long it waits after each;
 *       signals: [QUIT, TERM]      SIGKILL is last
 *       wait: 1s
 *     schemes:
 *       ib: ["/usr/bin/ib-service", "{path}", "--account={account}"]
 *     dependences:
 *       master.trader: ["master.tws:operative", {parent: "db", on_loss: stop}]
 */
#ifndef COLONY_SESSION_CONFIG_H
#define COLONY_SESSION_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/process.h"

struct colony_error;
struct colony_workspace;

enum {
    COLONY_SESSION_STOPS_MAX = 8,
    COLONY_SESSION_DEPENDENCES_MAX = 20000,
};

/* What a running child does when a parent leaves the state it is to be in. */
enum colony_on_loss {
    ON_LOSS_KEEP, /* it runs on; the seed's */
    ON_LOSS_STOP, /* it is stopped, and started again once all is as it must be */
    ON_LOSS_RESTART,
};

struct colony_scheme {
    char *name;
    char **argv; /* with placeholders; NULL-terminated */
};

struct colony_dependence {
    char *child; /* as written: an alias or a name */
    char *parent;
    char *state; /* NULL: running, that is in any state but starting */
    enum colony_on_loss on_loss;
    unsigned line; /* of the file; 0: not from there */
    unsigned column;
    bool closes_circle; /* found by colony_dependences_order() */
};

struct colony_session_config {
    uint64_t period_ms;
    int stop_signals[COLONY_SESSION_STOPS_MAX];
    size_t stop_count;
    uint64_t stop_wait_ms;
    struct colony_scheme *schemes;
    size_t scheme_count;
    struct colony_dependence *dependences;
    size_t dependence_count;
};

/* For who changes it. Where the file is gone what it said when it was good counts; else the
 * defaults. -EILSEQ with FILE:LINE:COLUMN: it cannot be used. */
int colony_session_config_read(struct colony_session_config *out,
                               struct colony_workspace *workspace, struct colony_error *err);
/* For who only reads it: what it said when it was good counts while it cannot be used, which is a
 * line for @problem (may be NULL). Fails like the one above when it never was good. */
int colony_session_config_read_good(struct colony_session_config *out,
                                    struct colony_workspace *workspace,
                                    colony_session_problem_cb problem, void *data,
                                    struct colony_error *err);
void colony_session_config_clear(struct colony_session_config *config);

/* "keep", "stop", "restart"; and back, -EINVAL. */
const char *colony_on_loss_word(enum colony_on_loss on_loss);
int colony_on_loss_parse(const char *text);

/*
 * @child waits for @parent, "NAME" or "NAME:STATE". 1; 0: it did already, in the same way. -EINVAL,
 * -ENOSPC, -ENOMEM. Circles are not looked for: colony_dependences_check().
 */
int colony_session_config_add(struct colony_session_config *config, const char *child,
                              const char *parent, enum colony_on_loss on_loss,
                              struct colony_error *err);
/* Whoever is called @old in dependences is called @new. How often that was, or -ENOMEM. */
int colony_session_config_rename(struct colony_session_config *config, const char *old,
                                 const char *new);
/* Takes out the @index-th. */
void colony_session_config_drop(struct colony_session_config *config, size_t index);

/* Writes the dependences of @config into the file and leaves all else there as it was, comments
 * too. With the lock held. */
int colony_session_config_write_dependences(struct colony_workspace *workspace,
                                            const struct colony_session_config *config,
                                            struct colony_error *err);

#endif
