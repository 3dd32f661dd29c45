/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_ping.c - GET /ping: whether all is well, for deploys and for who watches from outside. */
#include <errno.h>
#include <inttypes.h>

#include "api/daemon_internal.h"
#include "api/server_internal.h"
#include "core/error.h"
#include "core/settings.h"

static int check_queue(const struct colony_inbox *inbox, struct colony_error *err)
{
    if (!colony_inbox_is_full(inbox))
        return 0;
    return colony_fail(err, -EIO, "the queue of events is full: %zu wait, of %zu",
                       colony_inbox_length(inbox), colony_inbox_limit(inbox));
}

static int check_loop(const struct colony__daemon *daemon, struct colony_error *err)
{
    uint64_t slowest_ms = colony__loop_watch_slowest(&daemon->server->loop_watch);

    if (slowest_ms < daemon->host->settings(daemon)->ping.blocked_ms)
        return 0;
    return colony_fail(err, -EIO, "colony was held up for %" PRIu64 " ms of late", slowest_ms);
}

int colony__daemon_check(const struct colony__daemon *daemon, struct colony_error *err)
{
    int rc = daemon->host->check(daemon, err);

    if (rc == 0)
        rc = check_queue(daemon->inbox, err);
    return rc == 0 ? check_loop(daemon, err) : rc;
}
