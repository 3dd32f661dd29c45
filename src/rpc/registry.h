/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - which daemons of RPC run here: a file each in a folder of the user's.
 *
 * The folder is $COLONY_RUNTIME_DIR/rpc, else `rpc` beside the control socket of a colony without
 * --state (paths.h): /run/colony/rpc as root. A file whose process has ended is removed by who sees
 * it. Calls block, shortly; any thread.
 */
#ifndef COLONY_RPC_REGISTRY_H
#define COLONY_RPC_REGISTRY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/template.h"
#include "rpc/curve.h"
#include "rpc/listen.h"

struct colony_error;

struct colony_rpc_entry {
    char name[COLONY_NAME_MAX + 1];
    pid_t pid;          /* of who serves */
    uint64_t pid_start; /* its start time, the 22nd field of /proc/PID/stat */
    pid_t keeper;       /* who starts it again when it ends; 0: nobody */
    uint64_t keeper_start;
    char endpoint[sizeof "tcp://" + COLONY_RPC_ADDRESS_MAX];
    int port;
    char public_key[COLONY_RPC_KEY_SIZE]; /* "": it wants no keys */
    uint64_t message_bytes_max;           /* of a request; 0: unknown */
};

/* The folder of the registry. -ENAMETOOLONG. */
int colony_rpc_registry_folder(char *path, size_t size);

/*
 * Writes the file of @entry, whose pid and start times are filled in for the caller, making the
 * folder (0700) if need be. Two daemons may have one name. Call again when something has changed.
 * It stays while either of both processes lives, so that who serves may be replaced; what one
 * before it wrote of the same name and endpoint goes.
 * -EINVAL: the name is none; -EACCES: the folder is somebody else's.
 */
int colony_rpc_registry_add(struct colony_rpc_entry *entry, struct colony_error *err);
/* The same for one that is not to take the place of another: -EEXIST when this process serves one
 * of that name already. */
int colony_rpc_registry_add_new(struct colony_rpc_entry *entry, struct colony_error *err);
/* Removes it. Never fails. */
void colony_rpc_registry_remove(const struct colony_rpc_entry *entry);

/* All daemons that live, by name and port; the caller frees *out. No folder is none of them. */
int colony_rpc_registry_list(struct colony_rpc_entry **out, size_t *count,
                             struct colony_error *err);

/* The daemon of that name, on @port unless that is 0; of several the one with the lowest port.
 * -ENOENT with the nearest name. */
int colony_rpc_registry_find(struct colony_rpc_entry *out, const char *name, int port,
                             struct colony_error *err);

#endif
