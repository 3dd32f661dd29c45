/* SPDX-License-Identifier: Apache-2.0 */
/* handler_log.c - `log`: each event is a line of colony's own log. */
#include <inttypes.h>

#include "api/inbox_internal.h"
#include "core/log.h"

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    (void)stage;
    colony_log(SEVERITY_INFO, "event %" PRIu64 " by %s from %s: %s", event->id,
               colony__inbox_via_name(event->via), event->peer, event->json);
    return 1;
}

const struct colony__handler_kind colony__handler_log = {
    .name = "log",
    .handle = handle,
};
