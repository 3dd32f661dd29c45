/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_internal.h - what the actions of `colony rpc` share.
 *
 * An action returns its exit code and has told every error on stderr by then.
 */
#ifndef COLONY_CLI_RPC_INTERNAL_H
#define COLONY_CLI_RPC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "rpc/find.h"

struct colony_error;
struct colony_rpc_answer;
struct cJSON;

/* One run of `colony rpc`: all that any action's options can set. */
struct rpc {
    bool is_json;
    uint64_t timeout_ms; /* UINT64_MAX: none */
    struct colony_option_list ssh_options;
    struct colony_option_list params;
    const char *key_file;
    const char *server_key;
    uint64_t deadline_ms;           /* UINT64_MAX: none */
    struct colony_rpc_found daemon; /* endpoint "": it is to be found yet */
    /* serve */
    const char *name;
    uint64_t port; /* UINT64_MAX: not given */
    const char *bind;
    const char *state;
    struct colony_option_list pst;
    const char *pidfile;
    const char *keys;
    const char *allow;
    const char *log_file;
    bool is_insecure;
    bool goes_to_background;
};

typedef int (*rpc_action_cb)(struct rpc *rpc, int argc, char **argv);

/* `colony rpc: …` on stderr; returns @exit_code. */
int rpc_fail(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- rpc_find.c: where a daemon is
 * ---------------------------------------------------------------- */

/* Finds it, by the registry here or on its host, unless it is found already. EXIT_OK, or told. */
int rpc_find(struct rpc *rpc, const char *text);

/* --- the actions --------------------------------------------------------------------------------
 */

int rpc_get(struct rpc *rpc, int argc, char **argv);
int rpc_set(struct rpc *rpc, int argc, char **argv);
int rpc_call(struct rpc *rpc, int argc, char **argv);
int rpc_dir(struct rpc *rpc, int argc, char **argv);
int rpc_doc(struct rpc *rpc, int argc, char **argv);
int rpc_ls(struct rpc *rpc, int argc, char **argv);
int rpc_stop(struct rpc *rpc, int argc, char **argv);
int rpc_lookup(struct rpc *rpc, int argc, char **argv);
int rpc_keygen(struct rpc *rpc, int argc, char **argv);
int rpc_serve(struct rpc *rpc, int argc, char **argv);

#endif
