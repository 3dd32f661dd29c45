/* SPDX-License-Identifier: Apache-2.0 */
/* extras_internal.h - how the server finds routes beside its own. */
#ifndef COLONY_API_EXTRAS_INTERNAL_H
#define COLONY_API_EXTRAS_INTERNAL_H

#include "api/extras.h"
#include "api/route_internal.h"

enum {
    COLONY__EXTRA_PATTERN_MAX = 512, /* bytes */
};

/* As colony__route_find(), which has been asked before; adds to *allowed. @extras may be NULL. */
const struct colony__route *colony__extras_find(const struct colony_extras *extras,
                                                struct colony__request *request, unsigned *allowed);

/* All of them, in the order in which they were added, until one comes or goes. @extras may be NULL:
 * there is none. */
size_t colony__extras_count(const struct colony_extras *extras);
const struct colony__route *colony__extras_row(const struct colony_extras *extras, size_t number);

#endif
