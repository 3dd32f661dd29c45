/* SPDX-License-Identifier: Apache-2.0 */
/* pst_kept.c - attributes that a program keeps itself. */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "rpc/pst_internal.h"

static int load(const struct rpc_place *place, char **text, size_t *size, struct colony_error *err)
{
    int rc = place->keeping.load(place->keeping.data, text, err);

    if (rc == 0 && *text)
        *size = strlen(*text);
    return rc;
}

static int save(const struct rpc_place *place, const char *text, size_t size,
                struct colony_error *err)
{
    (void)size; /* it ends with a NUL, and has none else */
    return place->keeping.save(place->keeping.data, text, err);
}

/* It is the program's, so it stays, and nothing is saved over it. */
static int put_aside(const struct rpc_place *place, struct colony_error *err)
{
    (void)place;
    return colony_fail(err, -EBADMSG, "cannot use what was saved: it is no JSON object");
}

const struct rpc_place_kind rpc_place_kept = {load, save, put_aside};
