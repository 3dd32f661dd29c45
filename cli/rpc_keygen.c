/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_keygen.c - `colony rpc keygen`: keys for daemons of other hosts. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "rpc/curve.h"
#include "rpc_internal.h"

int rpc_keygen(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_keys keys;
    struct colony_error err = {0};
    char path[PATH_MAX];
    int rc;

    (void)rpc;
    if (argc > 1)
        (void)snprintf(path, sizeof path, "%s", argv[1]);
    else if (colony_rpc_default_key(path, sizeof path) < 0)
        return rpc_fail(EXIT_USAGE, "cannot place the keys: you have no home, say a FILE");
    else
        colony_make_folders_above(path, 0755);
    rc = colony_rpc_keygen(&keys, &err);
    if (rc == 0)
        rc = colony_rpc_keys_save(path, &keys, &err);
    if (rc == 0)
        printf("%s\n", keys.public);
    explicit_bzero(&keys, sizeof keys);
    if (rc == 0)
        return EXIT_OK;
    return rpc_fail(rc == -EEXIST ? EXIT_CONFLICT : EXIT_FAILED, "%s", err.message);
}
