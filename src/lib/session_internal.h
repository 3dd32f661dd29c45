/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_internal.h - sessions of the library: colony.h said in the words of session/verbs.h.
 *
 * A struct colony_session is that of verbs.h.
 */
#ifndef COLONY_LIB_SESSION_INTERNAL_H
#define COLONY_LIB_SESSION_INTERNAL_H

#include <colony.h>

#include "core/error.h"
#include "session/verbs.h"

/* What was told on the way counts only of what has failed: @rc, with the reason in @err. */
static inline int colony__session_end(int rc, const struct colony_error *told,
                                      struct colony_error *err)
{
    if (rc < 0 && err) {
        *err = *told;
        err->code = rc;
    }
    return rc;
}

#endif
