/* SPDX-License-Identifier: Apache-2.0 */
/* serve_internal.h - `colony serve` on its way to becoming the keeper. */
#ifndef COLONY_CLI_SERVE_INTERNAL_H
#define COLONY_CLI_SERVE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/keeper_options.h"
#include "core/passed.h"
#include "core/state_dir.h"
#include "options.h"

struct colony_error;
struct colony_settings;

/* What is served: any mix, or one alone (serve_front.c). */
enum serve_front { FRONT_ANY, FRONT_HTTP, FRONT_EVENTS, FRONT_FILES };

struct serve {
    enum serve_front front;
    const char *config;
    const char *conf; /* directory of processes; NULL: none */
    const char *messages;
    const char *pid;
    uint64_t frequency_ms; /* these: UINT64_MAX: not given */
    uint64_t threshold_ms;
    uint64_t kill_ms;
    uint64_t min_delay_ms;
    uint64_t max_delay_ms;
    bool create;
    const char *state;
    struct colony_option_list bind;
    const char *events; /* where they are taken; NULL: as the settings say */
    const char *name;
    const char *certfile;
    const char *keyfile;
    const char *tokens;
    const char *rpc;
    const char *session; /* a workspace; NULL: as the settings say */
    const char *user;
    const char *log_file;
    const char *log_level;
    const char *log_format;
    const char *pidfile;
    struct colony_option_list exit_with; /* one at most */
    bool daemon;
    unsigned verbose;
    int log_fd; /* what descriptor 2 becomes; -1: it stays */
    struct colony_settings *settings;
    struct colony_state_dir state_dir;
    struct colony_passed passed;
    struct colony_keeper_options keeper;
};

/* serve.c */
extern const struct colony_option serve_options[];
/* Becomes the keeper of @serve, whose settings may be made already; messages begin as those of
 * @usage. Returns only when that failed, or in the process that the user started: the exit code. */
int serve_run(struct serve *serve, const struct colony_usage *usage);

/* serve_check.c: before options are read, all empty; then what must be true of them alone. */
void serve_init(struct serve *serve);
int serve_check_options(const struct serve *serve, struct colony_error *err);
/* An enum colony_log_format, or -1. */
int serve_parse_log_format(const char *text);

/* serve_files.c: before settings are loaded, and after. With nothing but its directories given, a
 * colony has a state folder of its own. */
int serve_settle_directories(struct serve *serve, struct colony_error *err);
int serve_apply_directories(struct colony_settings *settings, const struct serve *serve,
                            struct colony_error *err);
/* Where that folder is, once all is well. */
void serve_tell_directories(const struct serve *serve);

/* serve_session.c: the same of a workspace. */
int serve_settle_session(struct serve *serve, struct colony_error *err);
int serve_apply_session(struct colony_settings *settings, const struct serve *serve,
                        struct colony_error *err);

/* serve_daemon.c: the endpoint of events, what colony is called, and its log as those who called it
 * a daemon know it. */
int serve_apply_daemon(struct colony_settings *settings, const struct serve *serve,
                       struct colony_error *err);
void serve_tell_start(const struct serve *serve);

/* serve_front.c: what the settings ask for besides the one front-end is not served. */
int serve_apply_front(struct colony_settings *settings, const struct serve *serve,
                      struct colony_error *err);

/* serve_place.c */
int serve_apply_user(struct colony_settings *settings, const char *name, struct colony_error *err);
/* The pid file and the configuration, as paths that are good in any folder. */
int serve_place_files(struct serve *serve, struct colony_error *err);
int serve_open_log(struct serve *serve, struct colony_error *err);
void serve_use_log(struct serve *serve);
/* True in the process that the user started: return *exit_code. */
bool serve_go_to_background(struct serve *serve, int *exit_code);

#endif
