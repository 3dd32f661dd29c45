/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh.h - asks another host by ssh(1), or what $COLONY_SSH says, where a daemon is.
 *
 * It is a child of this program's, which is waited for by its pid. Blocks; any thread.
 */
#ifndef COLONY_RPC_SSH_H
#define COLONY_RPC_SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_error;

struct colony_rpc_ssh {
    const char *host; /* perhaps with `USER@` before it */
    const char *name; /* of the daemon */
    const char *const *options;
    size_t option_count;
    uint64_t deadline_ms; /* of the monotonic clock; UINT64_MAX: none */
    bool is_quiet;        /* it neither asks nor tells anybody anything */
};

/*
 * What `colony rpc lookup --json NAME` prints there (find.h), to be freed. -ENOENT: there is none;
 * -ETIMEDOUT; -EHOSTUNREACH: all else, with the reason.
 */
int colony_rpc_ssh_lookup(const struct colony_rpc_ssh *ask, char **out, struct colony_error *err);

#endif
