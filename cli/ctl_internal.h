/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_internal.h - what the actions of `colony ctl` share.
 *
 * An action returns its exit code and has told every error on stderr by then.
 */
#ifndef COLONY_CLI_CTL_INTERNAL_H
#define COLONY_CLI_CTL_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "options.h"
#include "target.h"

struct cJSON;

enum {
    CTL_PATH_MAX = 1024, /* of a request: a name has at most 200 bytes, three times when encoded */
    CTL_NUMBER_MAX = 32,
    CTL_NOTE_MAX = 512,
};

/* One run of `colony ctl`: all that any action's options can set, then what is derived. */
struct ctl {
    const char *endpoint_text;
    const char *state_dir;
    const char *signal;
    bool is_json;
    bool is_utf8; /* the terminal shows it */
    bool no_wait;
    bool follows;
    uint64_t timeout_ms; /* UINT64_MAX: not given */
    uint64_t lines;      /* UINT64_MAX: not given */
    uint64_t slot;       /* 0: not given */
    struct colony_target target;
};

/* argv[0] is the action's name; the operands follow. */
typedef int (*ctl_action_cb)(struct ctl *ctl, int argc, char **argv);

struct ctl_action {
    const char *name;
    ctl_action_cb run;
    const char *arguments;
    int operands_min;
    int operands_max;
    const struct colony_option *options;
    const char *help;
    const char *examples;
};

/* A request and how to speak of it when it fails: "cannot DOING NAME: …". */
struct ctl_question {
    const char *method;
    const char *path;
    const char *doing;             /* "stop" */
    const char *name;              /* or NULL */
    uint64_t timeout_ms;           /* see struct colony_request */
    colony_client_body_cb on_body; /* our stdout, for people and pipes */
    bool keeps_connection;
};

/* `colony ctl: …` on stderr; returns @exit_code. */
int colony__ctl_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes @before, @name percent-encoded and @after to @path. EXIT_OK or EXIT_USAGE. */
int colony__ctl_path(char path[CTL_PATH_MAX], const char *before, const char *name,
                     const char *after);

/* EXIT_OK with an answer of status 2xx in @reply, to be cleared by the caller in any case. */
int colony__ctl_ask(const struct ctl *ctl, const struct ctl_question *question,
                    struct colony_reply *reply);

/* The same, with the answer's JSON in @json, for cJSON_Delete(). */
int colony__ctl_ask_json(const struct ctl *ctl, const struct ctl_question *question,
                         struct cJSON **json);

/* The same, with the answer printed as it came. */
int colony__ctl_print_json(const struct ctl *ctl, const struct ctl_question *question);

/* Members of an answer that may be anything: "" and 0 when they are missing or something else. */
const char *colony__ctl_text(const struct cJSON *object, const char *key);
double colony__ctl_number(const struct cJSON *object, const char *key);
bool colony__ctl_has_number(const struct cJSON *object, const char *key);
bool colony__ctl_is_true(const struct cJSON *object, const char *key);

/* Prints @text on stdout, fit for a terminal. */
void colony__ctl_print_text(const char *text);

/* One slot as texts; what is not known is "-". */
struct ctl_slot_view {
    char slot[CTL_NUMBER_MAX];
    char id[CTL_NUMBER_MAX];
    char pid[CTL_NUMBER_MAX];
    char uptime[CTL_NUMBER_MAX];
    char restarts[CTL_NUMBER_MAX];
    char last_exit[CTL_NUMBER_MAX];
    char note[CTL_NOTE_MAX]; /* what the rest does not tell, or "" */
    const char *name;        /* borrowed */
    const char *state;
    const char *colour; /* of the state: SGR number or NULL */
};

void colony__ctl_view_slot(struct ctl_slot_view *view, const struct cJSON *slot);

/* The actions, by topic. */
int colony__ctl_kill(struct ctl *ctl, int argc, char **argv);
int colony__ctl_logs(struct ctl *ctl, int argc, char **argv);
int colony__ctl_pids(struct ctl *ctl, int argc, char **argv);
int colony__ctl_processes(struct ctl *ctl, int argc, char **argv);
int colony__ctl_ps(struct ctl *ctl, int argc, char **argv);
int colony__ctl_restart(struct ctl *ctl, int argc, char **argv);
int colony__ctl_shutdown(struct ctl *ctl, int argc, char **argv);
int colony__ctl_start(struct ctl *ctl, int argc, char **argv);
int colony__ctl_status(struct ctl *ctl, int argc, char **argv);
int colony__ctl_stop(struct ctl *ctl, int argc, char **argv);
int colony__ctl_tree(struct ctl *ctl, int argc, char **argv);
int colony__ctl_upgrade(struct ctl *ctl, int argc, char **argv);

#endif
