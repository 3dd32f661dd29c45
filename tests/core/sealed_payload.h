/* SPDX-License-Identifier: Apache-2.0 */
/* sealed_payload.h - a template's payload as the memfd that a large one comes in. */
#ifndef COLONY_TESTS_SEALED_PAYLOAD_H
#define COLONY_TESTS_SEALED_PAYLOAD_H

#include "core/payload.h"

static inline int make_fd(const struct colony_template *template, uint32_t slot,
                          const struct colony_payload_context *context, struct colony_error *err)
{
    struct colony_payload_bytes bytes;
    int rc = colony_payload_make(&bytes, template, slot, context, err);

    if (rc < 0)
        return rc;
    rc = colony_payload_seal(&bytes);
    colony_payload_clear(&bytes);
    return rc;
}

#endif
