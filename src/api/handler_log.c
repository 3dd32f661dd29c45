/* SPDX-License-Identifier: Apache-2.0 */
/* handler_log.c - `log`: each event is a line of colony's own log. */
#include <inttypes.h>

#include "api/inbox_internal.h"
#include "core/log.h"

enum {
    SHOWN_MAX = 800, /* of an event: a line of the log has its end */
};

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    const char *via = colony__inbox_via_name(event->via);

    (void)stage;
    if (event->size <= SHOWN_MAX)
        colony_log(SEVERITY_INFO, "event %" PRIu64 " by %s from %s: %s", event->id, via,
                   event->peer, event->json);
    else
        colony_log(SEVERITY_INFO, "event %" PRIu64 " by %s from %s, %zu bytes: %.*s...", event->id,
                   via, event->peer, event->size, SHOWN_MAX, event->json);
    return 1;
}

const struct colony__handler_kind colony__handler_log = {
    .handle = handle,
};
