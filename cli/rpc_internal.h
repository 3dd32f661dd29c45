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
#include "rpc/curve.h"

struct colony_error;
struct colony_rpc_answer;
struct cJSON;

enum {
    RPC_ENDPOINT_SIZE = 300,
};

/* Where a daemon is. */
struct rpc_daemon {
    char
        endpoint[RPC_ENDPOINT_SIZE]; /* "HOST:PORT", "tcp://HOST:PORT"; "": it is to be found yet */
    char public_key[COLONY_RPC_KEY_SIZE]; /* "": it wants no keys */
    uint64_t message_bytes_max;           /* 0: unknown */
    pid_t pid;                            /* who serves it, on this machine; 0: it is elsewhere */
    pid_t keeper;                         /* its keeper; 0: it has none */
    bool is_private;                      /* it says that only its own machine reaches it */
};

/* One run of `colony rpc`: all that any action's options can set. */
struct rpc {
    bool is_json;
    uint64_t timeout_ms; /* UINT64_MAX: none */
    struct colony_option_list ssh_options;
    struct colony_option_list params;
    const char *key_file;
    const char *server_key;
    uint64_t deadline_ms; /* UINT64_MAX: none */
    struct rpc_daemon daemon;
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

/* The file of our keys when nobody says another. -ENAMETOOLONG, -ENOENT: there is no home. */
int rpc_default_key(char *path, size_t size);

/* --- rpc_ssh.c: another host is asked -----------------------------------------------------------
 */

/*
 * `ssh HOST colony rpc lookup NAME`: what that printed, to be freed. EXIT_OK, or told.
 */
int rpc_ssh_lookup(const struct rpc *rpc, const char *host, const char *name, char **out);

/* Milliseconds until the deadline, for poll(2); -1: there is none. */
int rpc_left_ms(const struct rpc *rpc);

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
