/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - finds a daemon again when a client's connection was lost: as it was found before.
 *
 * Blocks; any thread, one at a time.
 */
#ifndef COLONY_RPC_LOOK_H
#define COLONY_RPC_LOOK_H

#include <stdint.h>

#include "rpc/find.h"
#include "rpc/ssh.h"

struct colony_error;

/* A plain value; its texts are borrowed as long as it lives. */
struct colony_rpc_look {
    const char *place;      /* as people say it (place.h) */
    const char *server_key; /* of a daemon whose registry does not tell, or NULL */
    const char *key_file;   /* our own keys; NULL: where they are by default */
    struct colony_rpc_ssh ssh;
    uint64_t ssh_ms;               /* how long ssh may take; UINT64_MAX: as long as the question */
    struct colony_rpc_found found; /* the last time; endpoint "": it is looked for first */
    struct colony_rpc_keys keys;
};

/*
 * Fills @look->found. What colony_rpc_find() and colony_rpc_ssh_lookup() say; -EHOSTUNREACH: the
 * other host told nonsense; -EINVAL: server_key is none.
 */
int colony_rpc_look_find(struct colony_rpc_look *look, uint64_t deadline_ms,
                         struct colony_error *err);
/* Whom found is, with our keys if it has one (-EACCES: there are none). *out borrows from @look. */
int colony_rpc_look_aim(struct colony_rpc_look *look, struct colony_rpc_target *out,
                        struct colony_error *err);
/* Wipes the keys. */
void colony_rpc_look_clear(struct colony_rpc_look *look);

#endif
