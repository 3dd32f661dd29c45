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

#include "core/client.h"
#include "core/target.h"
#include "options.h"

struct cJSON;
struct colony_error;

enum {
    CTL_PATH_MAX = 1024, /* of a request: a name has at most 200 bytes, three times when encoded */
    CTL_GROUP_MAX = 512,
    CTL_NUMBER_MAX = 32,
    CTL_NOTE_MAX = 512,
};

#define CTL_LINES_ALL (UINT64_MAX - 1)

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
    const char *conf_dir;
    const char *cacert;
    const char *cert;
    const char *key;
    const char *token_file;
    const char *signal;
    bool is_json;
    bool wants_help;
    bool wait;
    bool no_wait;
    bool follows;
    bool dry_run;
    bool all;
    uint64_t timeout_ms;  /* UINT64_MAX: not given */
    uint64_t lines;       /* UINT64_MAX: not given; CTL_LINES_ALL */
    uint64_t slot;        /* 0: not given */
    uint64_t interval_ms; /* UINT64_MAX: not given */
    const char *since;
    bool is_raw;
    struct ctl_settings settings;
    const char *messages; /* ncolony's folders: then its own actions are meant */
    const char *config;
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

/* What the end of a request, of which @rc came, means; told unless it is EXIT_OK. */
int colony__ctl_conclude(const struct ctl *ctl, const struct ctl_question *question, int rc,
                         const struct colony_reply *reply, const struct colony_error *err);

/*
 * Writes to stdout at once, so that who follows sees each line as it comes. 0; -EPIPE: nobody reads
 * it any more; -ECANCELED: told.
 */
int colony__ctl_write_output(const char *bytes, size_t size, void *data);

/* `web.2` is slot 2 of web, unless there is a template of that name: then, and without a number,
 * *slot is NULL. Cuts @name at the dot. EXIT_OK, or told. */
int colony__ctl_split_slot(const struct ctl *ctl, char *name, const char **slot);

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

/* The text in the list @json that is most like @name, or NULL; borrowed. */
const char *colony__ctl_nearest(const struct cJSON *json, const char *name);

/* JSON that is asked for by the way: NULL, without a word, when there is none to be had. */
struct cJSON *colony__ctl_peek(const struct ctl *ctl, const char *path);

/* Members of an answer that may be anything: "" and 0 when they are missing or something else. */
const char *colony__ctl_text(const struct cJSON *object, const char *key);
double colony__ctl_number(const struct cJSON *object, const char *key);
bool colony__ctl_has_number(const struct cJSON *object, const char *key);
bool colony__ctl_is_true(const struct cJSON *object, const char *key);

/* Prints @text on stdout, fit for a terminal. */
void colony__ctl_print_text(const char *text);
/* The texts of the list @texts (NULL: none), @first before the first one, commas between. */
void colony__ctl_print_texts(const char *first, const struct cJSON *texts);

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

/* "812K", "4.1M", "128M", "1.5G"; "-" for what is no size. */
void colony__ctl_write_size(char text[CTL_NUMBER_MAX], double size);

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

/* It is one of those, or `*`: all templates. */
bool colony__ctl_is_many(const char *operand);

/*
 * What operands stand for: a JSON array of names in which each `GROUP:*` is replaced by its
 * members, and `*` by all there are. EXIT_OK, or told. The caller frees it with cJSON_Delete().
 */
int colony__ctl_expand(const struct ctl *ctl, const char *doing, int argc, char **argv,
                       struct cJSON **names);

struct ctl_deed {
    const char *doing; /* "cannot … NAME" */
    int (*each)(const struct ctl *ctl, const char *name, void *data);
    void *data;
};

/* Calls deed->each with all of them; the first that failed gives the exit code. */
int colony__ctl_each_name(const struct ctl *ctl, int argc, char **argv,
                          const struct ctl_deed *deed);

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

/*
 * What events are asked for: any of the kinds (0: all) of any of the templates (none: of all), and
 * whatever a pattern matches.
 */
struct ctl_filter {
    unsigned kinds;      /* bits of enum colony_event_type */
    struct cJSON *names; /* an array of texts */
    char **patterns;     /* `proc.web.exit`; borrowed from argv */
    int pattern_count;
    bool is_whole;    /* also what other events imply: it was asked for */
    const char *kind; /* the only kind, or NULL; it and name: nothing else is wanted */
    const char *name; /* the only name, or NULL; borrowed from @names */
};

/*
 * ctl_filter.c: reads operands into @filter: kinds of events, names (`name:exit` for one that is
 * called as an event is), `GROUP:*`, and patterns (colony_event_matches), which it moves to the
 * front of @argv. Says on stderr which names nobody has yet. EXIT_OK, or told; the caller frees
 * filter->names in any case.
 */
int colony__ctl_filter(const struct ctl *ctl, const char *doing, int argc, char **argv,
                       struct ctl_filter *filter);
bool colony__ctl_is_wanted(const struct ctl_filter *filter, const struct cJSON *event);

/* What a person is told of an event. */
struct ctl_event_line {
    char when[64];            /* in the user's own time */
    char who[CTL_NOTE_MAX];   /* "web.2", "web" or "" */
    char pid[CTL_NUMBER_MAX]; /* or "" */
    char what[CTL_NOTE_MAX];
};

void colony__ctl_write_event(struct ctl_event_line *line, const struct cJSON *event);

/* One event as a line: when, who, pid, what. */
void colony__ctl_print_event(const struct cJSON *event);

/* Recorded events that are asked for. */
struct ctl_recorded {
    const char *name;                /* of all templates: NULL */
    const struct ctl_filter *filter; /* or NULL */
    uint64_t count;                  /* at most so many, the newest */
    double since;                    /* seconds since 1970; 0: all */
    bool is_whole;                   /* also each move between states */
};

/* Follows the events of @filter after the one with the id @last_id ("": from now on). */
int colony__ctl_follow_events(const struct ctl *ctl, const struct ctl_filter *filter,
                              const char *last_id);

/*
 * Follows what @question asks for, whose on_body is called with data. When the connection is cut,
 * because colony is upgraded or its engine has died, it is asked for again for ten seconds; @again
 * is called before that, and may write question->path and *last_id (NULL: none) anew. EXIT_OK at
 * the proper end, or told.
 */
struct ctl_follow {
    struct ctl_question question;
    const char *last_id; /* read at each connection; or NULL */
    void (*again)(void *data);
    void *data;
};
int colony__ctl_follow(const struct ctl *ctl, const struct ctl_follow *follow);

/* "10m", "2026-11-22T16:12:41Z", "2026-11-22 16:12", "16:12" as seconds since 1970. -EINVAL. */
int colony__ctl_parse_since(double *since, const char *text);

/* The last event there is, "" when nobody can tell: what comes after it is told, also when the
 * first connection breaks. */
void colony__ctl_write_last_id(char id[CTL_NUMBER_MAX], const struct ctl *ctl);

/* How many and since when, from -n and --since; all since then when only that is given. EXIT_OK,
 * or told. */
int colony__ctl_limit_recorded(struct ctl_recorded *wish, const struct ctl *ctl,
                               uint64_t default_count);

/* What @wish asks for, newest first, in @all, an array. EXIT_OK, or told. */
int colony__ctl_collect(const struct ctl *ctl, const struct ctl_recorded *wish, struct cJSON *all);

/* -n of `logs`: a number or `all` (ctl_logs.c). */
int colony__ctl_read_lines(void *target, const char *value, struct colony_error *err);

/* The actions. */
int colony__ctl_alarm(struct ctl *ctl, int argc, char **argv);
int colony__ctl_attach(struct ctl *ctl, int argc, char **argv);
int colony__ctl_cont(struct ctl *ctl, int argc, char **argv);
int colony__ctl_hup(struct ctl *ctl, int argc, char **argv);
int colony__ctl_interrupt(struct ctl *ctl, int argc, char **argv);
int colony__ctl_once(struct ctl *ctl, int argc, char **argv);
int colony__ctl_pause(struct ctl *ctl, int argc, char **argv);
int colony__ctl_quit(struct ctl *ctl, int argc, char **argv);
int colony__ctl_stats(struct ctl *ctl, int argc, char **argv);
int colony__ctl_term(struct ctl *ctl, int argc, char **argv);
int colony__ctl_add(struct ctl *ctl, int argc, char **argv);
int colony__ctl_add_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_del_process(struct ctl *ctl, int argc, char **argv);
int colony__ctl_events(struct ctl *ctl, int argc, char **argv);
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
int colony__ctl_watch(struct ctl *ctl, int argc, char **argv);
int colony__ctl_why(struct ctl *ctl, int argc, char **argv);

#endif
