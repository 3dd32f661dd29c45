/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve.h - keys for RPC beyond this machine (CURVE of ZeroMQ).
 *
 * A file of keys has two lines, `public KEY` and `secret KEY`; a list of who may connect has lines
 * `NAME SCOPE KEY`, with the public key of each, and SCOPE `read` or `control`, which includes
 * reading. Blank lines and those that begin with # are left out. KEY is 40 characters of Z85.
 */
#ifndef COLONY_RPC_CURVE_H
#define COLONY_RPC_CURVE_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;

enum {
    COLONY_RPC_KEY_SIZE = 41, /* with its NUL */
    COLONY_RPC_PEERS_MAX = 256,
    COLONY_RPC_PEER_NAME_MAX = 63,
};

struct colony_rpc_keys {
    char public[COLONY_RPC_KEY_SIZE];
    char secret[COLONY_RPC_KEY_SIZE];
};

/* Whether it could be one: 40 characters of Z85. */
bool colony_rpc_is_key(const char *text);

struct colony_rpc_peer {
    char name[COLONY_RPC_PEER_NAME_MAX + 1];
    bool may_control;
    char key[COLONY_RPC_KEY_SIZE];
};

/* A daemon's keys, and who may connect to it. A plain value. */
struct colony_rpc_curve {
    struct colony_rpc_keys keys;
    size_t peer_count;
    struct colony_rpc_peer peers[COLONY_RPC_PEERS_MAX];
};

/* Makes a pair. Opens libzmq: its errors; -ENOTSUP: it was built without CURVE. */
int colony_rpc_keygen(struct colony_rpc_keys *out, struct colony_error *err);

/* Writes a file of keys, mode 0600. -EEXIST: there is one, which is never replaced. */
int colony_rpc_keys_save(const char *path, const struct colony_rpc_keys *keys,
                         struct colony_error *err);

/* Reads one, which must be as secret.h wants it. -EINVAL with `PATH:LINE: …`. */
int colony_rpc_keys_load(struct colony_rpc_keys *out, const char *path, struct colony_error *err);

/* The file of our own keys when nobody says another. -ENAMETOOLONG, -ENOENT: there is no home. */
int colony_rpc_default_key(char *path, size_t size);

/* Reads the file of keys and the list @allow, both as secret.h wants them. */
int colony_rpc_curve_load(struct colony_rpc_curve *out, const char *keys, const char *allow,
                          struct colony_error *err);
/* The same of the text of a list; @path stands in messages. */
int colony_rpc_peers_parse(struct colony_rpc_curve *out, const char *text, const char *path,
                           struct colony_error *err);

/* Who has that public key, or NULL. */
const struct colony_rpc_peer *colony_rpc_curve_find(const struct colony_rpc_curve *curve,
                                                    const char *key);

#endif
