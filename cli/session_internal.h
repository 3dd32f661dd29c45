/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_internal.h - what the actions of `colony session` share.
 *
 * An action returns its exit code and has told every error on stderr by then.
 */
#ifndef COLONY_CLI_SESSION_INTERNAL_H
#define COLONY_CLI_SESSION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "session/verbs.h"

struct cJSON;
struct colony_error;
struct colony_view;

/* One run of `colony session`: all that any action's options can set. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order of actions */
struct session {        /* NOLINT(clang-analyzer-optin.performance.Padding): by action */
    const char *folder; /* -C; NULL: COLONY_SESSION, or the current one and those above */
    bool is_json;
    bool in_foreground; /* activate */
    struct colony_verb_change change;
    bool is_all;
    struct colony_session open; /* but for init */
    /* attach, wait, fingerprint */
    uint64_t pid; /* 0: not given */
    const char *condition;
    uint64_t timeout_ms; /* UINT64_MAX: not given */
    bool saves;
    bool compares;
    /* show */
    bool as_graph;
    bool as_dot;
    /* dependence */
    struct colony_option_list parents;
    struct colony_option_list children;
    const char *on_loss;
    /* log */
    bool follows;
    bool is_err;
    uint64_t lines; /* UINT64_MAX: not given */
    /* gc */
    bool is_trial;
};

typedef int (*session_action_cb)(struct session *session, int argc, char **argv);

/* clang-format off */
#define SESSION_AT(field) offsetof(struct session, field)
#define SESSION_PLACE {"directory", 'C', "DIR", "the workspace; default $COLONY_SESSION, or where you are and above", OPTION_TEXT, SESSION_AT(folder), NULL}
#define SESSION_JSON {"json", 0, NULL, "print JSON", OPTION_FLAG, SESSION_AT(is_json), NULL}
#define SESSION_ALIAS {"alias", 0, "ALIAS", "a name for people, that no other process of the session has", OPTION_TEXT, SESSION_AT(change.alias), NULL}
#define SESSION_RESTART {"restart", 0, "0|1", "1: the supervisor starts it, and again when it ends", OPTION_CALL, 0, session_read_restart}
#define SESSION_SHUTDOWN {"shutdown", 0, "0|1", "1: deactivate stops it", OPTION_CALL, 0, session_read_shutdown}
#define SESSION_END {NULL, 0, NULL, NULL, OPTION_END, 0, NULL}
/* clang-format on */

/* `colony session: …` on stderr; returns @exit_code. */
int session_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of @err, with the exit code of its kind. */
int session_fail_error(const struct colony_error *err);

/* --restart and --shutdown: 0 or 1 (session_start.c). */
int session_read_restart(void *target, const char *value, struct colony_error *err);
int session_read_shutdown(void *target, const char *value, struct colony_error *err);

/* --- the actions, and their options -------------------------------------------------------------
 */

int session_activate(struct session *session, int argc, char **argv);
int session_attach(struct session *session, int argc, char **argv);
int session_deactivate(struct session *session, int argc, char **argv);
int session_dependence(struct session *session, int argc, char **argv);
int session_detach(struct session *session, int argc, char **argv);
int session_fingerprint(struct session *session, int argc, char **argv);
int session_gc(struct session *session, int argc, char **argv);
int session_init(struct session *session, int argc, char **argv);
int session_log(struct session *session, int argc, char **argv);
int session_show(struct session *session, int argc, char **argv);
int session_start(struct session *session, int argc, char **argv);
int session_status(struct session *session, int argc, char **argv);
int session_stop(struct session *session, int argc, char **argv);
int session_wait(struct session *session, int argc, char **argv);

extern const struct colony_option session_place_options[]; /* of those that take no others */
extern const struct colony_option session_activate_options[];
extern const struct colony_option session_attach_options[];
extern const struct colony_option session_dependence_options[];
extern const struct colony_option session_fingerprint_options[];
extern const struct colony_option session_gc_options[];
extern const struct colony_option session_log_options[];
extern const struct colony_option session_show_options[];
extern const struct colony_option session_start_options[];
extern const struct colony_option session_status_options[];
extern const struct colony_option session_stop_options[];
extern const struct colony_option session_wait_options[];

/* All processes, and why those are down that are (session_show.c). The caller clears @view unless
 * it failed. */
int session_look(const struct session *session, struct colony_view *view, struct colony_error *err);

/* Prints and deletes @json; NULL: it could not be made (session_show.c). */
int session_print_json(struct cJSON *json);

#endif
