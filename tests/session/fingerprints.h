/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprints.h - what tests of fingerprints share. */
#ifndef COLONY_TESTS_SESSION_FINGERPRINTS_H
#define COLONY_TESTS_SESSION_FINGERPRINTS_H

#include "../scratch.h"

#include "core/error.h"
#include "session/fingerprint_internal.h"

static inline bool has(const struct colony_fingerprint *fingerprint,
                       enum colony_fingerprint_field field, const char *text)
{
    for (size_t i = 0; i < fingerprint->fields[field].count; i++)
        if (strcmp(fingerprint->fields[field].items[i], text) == 0)
            return true;
    return false;
}

#endif
