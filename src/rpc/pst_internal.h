/* SPDX-License-Identifier: Apache-2.0 */
/* pst_internal.h - the places where a text is kept. All block: they are for threads. */
#ifndef COLONY_RPC_PST_INTERNAL_H
#define COLONY_RPC_PST_INTERNAL_H

#include <stddef.h>

#include "rpc/pst.h"

struct rpc_place {
    char *path; /* file, sqlite */
    char *name; /* sqlite: of the row */
    char *url;  /* s3 */
    char *region;
    char *credentials; /* "KEY:SECRET" */
    struct colony_rpc_keeping keeping;
};

struct rpc_place_kind {
    /* *text is the caller's to free; NULL: there is nothing. */
    int (*load)(const struct rpc_place *place, char **text, size_t *size, struct colony_error *err);
    int (*save)(const struct rpc_place *place, const char *text, size_t size,
                struct colony_error *err);
    /* What is there is no text of ours: puts it where it can be looked at, under the name in @err.
     */
    int (*put_aside)(const struct rpc_place *place, struct colony_error *err);
};

extern const struct rpc_place_kind rpc_place_file;
extern const struct rpc_place_kind rpc_place_sqlite;
extern const struct rpc_place_kind rpc_place_s3;
extern const struct rpc_place_kind rpc_place_kept;

/* "PATH.damaged-20260301T120000Z" */
void rpc_place_aside(const char *path, char *out, size_t size);

#endif
