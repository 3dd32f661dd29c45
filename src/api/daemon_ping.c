/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_ping.c - GET /ping: whether all is well, for deploys and for who watches from outside. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "api/daemon_internal.h"
#include "api/events.h"
#include "api/server_internal.h"
#include "core/error.h"
#include "core/settings.h"
#include "core/store.h"
#include "core/template.h"

struct check {
    const struct colony__daemon *daemon;
    struct colony_error *err;
    int rc; /* of what was looked at so far */
};

static void check_slot(const struct colony_slot_info *info, void *data)
{
    struct check *check = data;
    bool is_up = info->state == SLOT_RUNNING || info->state == SLOT_READY;
    const char *reason = *info->failure ? info->failure : info->cause;

    if (is_up || info->is_leaving || check->rc < 0)
        return;
    check->rc = colony_fail(check->err, -EIO, "%s.%u is critical and does not run: it is %s%s%s",
                            info->name, info->slot, colony_slot_state_name(info->state),
                            *reason ? ": " : "", reason);
}

static void check_template(const struct colony_template *template, void *data)
{
    struct check *check = data;

    if (!template->critical || check->rc < 0)
        return;
    if (template->numprocesses == 0)
        check->rc =
            colony_fail(check->err, -EIO, "%s is critical and has no process", template->name);
    else
        (void)colony_engine_each_slot(check->daemon->engine, template->name, check_slot, check);
}

static void check_templates(struct check *check)
{
    colony_engine_each_template(check->daemon->engine, check_template, check);
}

static void check_queue(struct check *check)
{
    const struct colony_inbox *inbox = check->daemon->inbox;

    if (colony_inbox_is_full(inbox))
        check->rc = colony_fail(check->err, -EIO, "the queue of events is full: %zu wait, of %zu",
                                colony_inbox_length(inbox), colony_inbox_limit(inbox));
}

static void check_loop(struct check *check)
{
    const struct colony_settings *settings = colony_engine_settings(check->daemon->engine);
    uint64_t slowest_ms = colony__loop_watch_slowest(&check->daemon->server->loop_watch);

    if (slowest_ms >= settings->ping.blocked_ms)
        check->rc = colony_fail(check->err, -EIO, "colony was held up for %" PRIu64 " ms of late",
                                slowest_ms);
}

static void check_store(struct check *check)
{
    const struct colony_store *store = colony_engine_store(check->daemon->engine);

    if (!store)
        check->rc = colony_fail(check->err, -EIO, "the store could not be opened");
    else if (*colony_store_trouble(store) != '\0')
        check->rc =
            colony_fail(check->err, -EIO, "the store has trouble: %s", colony_store_trouble(store));
}

int colony__daemon_check(const struct colony__daemon *daemon, struct colony_error *err)
{
    static void (*const checks[])(struct check * check) = {
        check_templates,
        check_queue,
        check_loop,
        check_store,
    };
    struct check check = {.daemon = daemon, .err = err};

    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && check.rc == 0; i++)
        checks[i](&check);
    return check.rc;
}
