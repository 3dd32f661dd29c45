/* SPDX-License-Identifier: Apache-2.0 */
/* extras_internal.h - how the server finds routes beside its own. */
#ifndef COLONY_API_EXTRAS_INTERNAL_H
#define COLONY_API_EXTRAS_INTERNAL_H

#include "api/extras.h"
#include "api/route_internal.h"

/* As colony__route_find(), which has been asked before; adds to *allowed. @extras may be NULL. */
const struct colony__route *colony__extras_find(const struct colony_extras *extras,
                                                struct colony__request *request, unsigned *allowed);

#endif
