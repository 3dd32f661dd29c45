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
    CTL_GROUP_MAX = 512,
    CTL_NUMBER_MAX = 32,
    CTL_NOTE_MAX = 512,
};

/* Of a template, as options say them; what is not given is NULL or empty. */
struct ctl_settings {
    const char *args;
    struct colony_option_list env;
    bool os_env;
    bool no_os_env;
    const char *uid;
    const char *gid;
    const char *cwd;
    bool shell;
    bool detach;
    uint64_t numprocesses; /* UINT64_MAX: not given */
    struct colony_option_list redirect_output;
    bool redirect_input;
    bool start;
    bool no_start;
};

/* One run of `colony ctl`: all that any action's options can set, then what is derived. */
struct ctl {
    const char *endpoint_text;
    const char *state_dir;
    const char *cacert;
    const char *cert;
    const char *key;
    const char *token_file;
    const char *signal;
    bool is_json;
    bool wait;
    bool no_wait;
    bool follows;
    bool dry_run;
    bool all;
    uint64_t timeout_ms; /* UINT64_MAX: not given */
    uint64_t lines;      /* UINT64_MAX: not given */
    uint64_t slot;       /* 0: not given */
    struct ctl_settings settings;
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
    const char *body;              /* JSON, or NULL */
    const char *doing;             /* "stop" */
    const char *name;              /* or NULL */
    bool is_group;                 /* @name is one */
    bool wants_up;                 /* not_running is then a failure: exit 1 */
    uint64_t timeout_ms;           /* see struct colony_request */
    colony_client_body_cb on_body; /* our stdout, for people and pipes */
    bool keeps_connection;
};

/* Fills ctl->target from the options, the environment or the usual places. EXIT_OK, or told. */
int colony__ctl_find_target(struct ctl *ctl);

/* Who speaks in messages, `colony ctl` unless said otherwise; borrowed for good. */
void colony__ctl_speak_as(const char *command);

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

/* An item of a list that is the answer: as JSON, which is borrowed, and as it came. */
typedef void (*ctl_item_cb)(const struct cJSON *item, const char *text, size_t size, void *data);

/* The same, with @cb for each item of the list that is the answer: one at a time is in memory. */
int colony__ctl_ask_list(const struct ctl *ctl, const struct ctl_question *question, ctl_item_cb cb,
                         void *data);

/* The same, with the answer printed as it came. */
int colony__ctl_print_json(const struct ctl *ctl, const struct ctl_question *question);

/* One or the other, as --json says; *json is NULL when it was printed, or could not be had. */
int colony__ctl_ask_to_show(const struct ctl *ctl, const struct ctl_question *question,
                            struct cJSON **json);

/* A GET of @path; all of it is borrowed, and @path may yet be written. @name: see above. */
struct ctl_question colony__ctl_look(const char *path, const char *doing, const char *name);

/* The JSON of a GET of @before and the encoded @name; NULL unless EXIT_OK. */
int colony__ctl_get(const struct ctl *ctl, const char *before, const char *doing, const char *name,
                    struct cJSON **json);

/* JSON that is asked for by the way: NULL, without a word, when there is none to be had. */
struct cJSON *colony__ctl_peek(const struct ctl *ctl, const char *path);

/* Members of an answer that may be anything: "" and 0 when they are missing or something else. */
const char *colony__ctl_text(const struct cJSON *object, const char *key);
double colony__ctl_number(const struct cJSON *object, const char *key);
bool colony__ctl_has_number(const struct cJSON *object, const char *key);
bool colony__ctl_is_true(const struct cJSON *object, const char *key);

/* Prints @text on stdout, fit for a terminal. */
void colony__ctl_print_text(const char *text);

/* How long an action that changes something waits for the end of it. */
struct ctl_wait {
    bool is_waiting;
    uint64_t patience_ms; /* for a question's timeout_ms */
    char query[48];       /* "?wait=30.000" or "" */
};

/* From --wait, --no-wait and --timeout; @by_default: waits unless told not to. EXIT_OK, or told. */
int colony__ctl_wait(struct ctl_wait *wait, const struct ctl *ctl, bool by_default);

/* Prints @json on stdout, in one line. EXIT_OK, or EXIT_FAILED and told: no memory. */
int colony__ctl_print_tree(const struct cJSON *json);

/* "42s", "3m12s", "5h03m", "2d04h"; "-" for what is no duration. */
void colony__ctl_write_duration(char text[CTL_NUMBER_MAX], double seconds);

/* How the engine goes on in a cause after it has told of an end: "…: starts again after 4.2 s". */
#define CTL_STARTS_AGAIN ": starts again"

/* A row of the history as a sentence without its subject: "ended with status 1". */
void colony__ctl_describe_event(char text[CTL_NOTE_MAX], const struct cJSON *event);

/* True for a row that other rows imply: a move between states on the way to one that counts. */
bool colony__ctl_event_is_detail(const struct cJSON *event);

/* The time @text ("2026-11-22T16:12:41.052Z") in seconds since 1970, or -1. */
double colony__ctl_parse_time(const char *text);

/*
 * The group that is meant by an operand `GROUP:*`, in @group; false: it means no group. A name has
 * at most COLONY_NAME_MAX bytes, but what was typed need not.
 */
bool colony__ctl_is_group(const char *operand, char group[CTL_GROUP_MAX]);

/*
 * What operands stand for: a JSON array of names in which each `GROUP:*` is replaced by its
 * members. EXIT_OK, or told. The caller frees it with cJSON_Delete().
 */
int colony__ctl_expand(const struct ctl *ctl, const char *doing, int argc, char **argv,
                       struct cJSON **names);

/* One slot as texts; what is not known is "-". */
struct ctl_slot_view {
    char slot[CTL_NUMBER_MAX];
    char id[CTL_NUMBER_MAX];
    char pid[CTL_NUMBER_MAX];
    char uptime[CTL_NUMBER_MAX];
    char restarts[CTL_NUMBER_MAX];
    char last_exit[CTL_NUMBER_MAX];
    char cpu[CTL_NUMBER_MAX]; /* "" when the answer has no such number */
    char mem[CTL_NUMBER_MAX];
    char note[CTL_NOTE_MAX]; /* what the rest does not tell, or "" */
    const char *name;        /* borrowed */
    const char *state;
    const char *colour; /* of the state: SGR number or NULL */
};

void colony__ctl_view_slot(struct ctl_slot_view *view, const struct cJSON *slot);

/* The actions. */
int colony__ctl_add(struct ctl *ctl, int argc, char **argv);
int colony__ctl_add_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_del_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_env(struct ctl *ctl, int argc, char **argv);
int colony__ctl_get_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_groups(struct ctl *ctl, int argc, char **argv);
int colony__ctl_history(struct ctl *ctl, int argc, char **argv);
int colony__ctl_kill(struct ctl *ctl, int argc, char **argv);
int colony__ctl_load_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_logs(struct ctl *ctl, int argc, char **argv);
int colony__ctl_numprocesses(struct ctl *ctl, int argc, char **argv);
int colony__ctl_pids(struct ctl *ctl, int argc, char **argv);
int colony__ctl_processes(struct ctl *ctl, int argc, char **argv);
int colony__ctl_ps(struct ctl *ctl, int argc, char **argv);
int colony__ctl_reload(struct ctl *ctl, int argc, char **argv);
int colony__ctl_restart(struct ctl *ctl, int argc, char **argv);
int colony__ctl_running(struct ctl *ctl, int argc, char **argv);
int colony__ctl_scale(struct ctl *ctl, int argc, char **argv);
int colony__ctl_shutdown(struct ctl *ctl, int argc, char **argv);
int colony__ctl_start(struct ctl *ctl, int argc, char **argv);
int colony__ctl_status(struct ctl *ctl, int argc, char **argv);
int colony__ctl_stop(struct ctl *ctl, int argc, char **argv);
int colony__ctl_sub(struct ctl *ctl, int argc, char **argv);
int colony__ctl_tree(struct ctl *ctl, int argc, char **argv);
int colony__ctl_update_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_upgrade(struct ctl *ctl, int argc, char **argv);
int colony__ctl_why(struct ctl *ctl, int argc, char **argv);

#endif
