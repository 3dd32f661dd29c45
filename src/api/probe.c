/* SPDX-License-Identifier: Apache-2.0 */
#include "api/probe_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/connection_internal.h"
#include "api/response_internal.h"
#include "core/error.h"

/* A client that waits. */
struct colony__asker {
    TAILQ_ENTRY(colony__asker) place;
    struct colony__probe *probe;
    struct colony__connection *connection;
    bool is_due; /* the run that it waits for has ended */
};

void colony__probe_init(struct colony__probe *probe)
{
    TAILQ_INIT(&probe->askers);
}

static void drop(struct colony__asker *asker)
{
    TAILQ_REMOVE(&asker->probe->askers, asker, place);
    free(asker);
}

static void let_go(struct colony__asker *asker)
{
    colony__connection_set_timeout(asker->connection, 0);
    colony__connection_set_source(asker->connection, NULL, NULL);
    drop(asker);
}

static void on_slow(struct colony__connection *connection, void *data)
{
    const struct colony__probe *probe = ((struct colony__asker *)data)->probe;
    char reason[COLONY_ERROR_TEXT_MAX];

    (void)snprintf(reason, sizeof reason, "`%s` has not come back for %" PRIu64 " ms", probe->name,
                   probe->patience_ms);
    let_go(data);
    colony__respond_failure(connection, 503, "unavailable", reason);
}

static void on_asker_gone(void *data)
{
    drop(data);
}

static const struct colony__source asker_source = {.timed_out = on_slow, .closed = on_asker_gone};

int colony__probe_ask(struct colony__probe *probe, struct colony__connection *connection,
                      struct colony_error *err)
{
    struct colony__asker *asker = calloc(1, sizeof *asker);
    int rc = 0;

    if (!asker)
        return colony_fail(err, -ENOMEM, "cannot run `%s`: out of memory", probe->name);
    if (!probe->is_running)
        rc = probe->begin(probe, err);
    if (rc < 0) {
        free(asker);
        return rc;
    }
    probe->is_running = true;
    asker->probe = probe;
    asker->connection = connection;
    TAILQ_INSERT_TAIL(&probe->askers, asker, place);
    colony__connection_set_source(connection, &asker_source, asker);
    colony__connection_set_timeout(connection, probe->patience_ms);
    return 0;
}

void colony__probe_end(struct colony__probe *probe, const void *result)
{
    struct colony__asker *asker;

    probe->is_running = false;
    TAILQ_FOREACH(asker, &probe->askers, place)
    asker->is_due = true;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that drop() takes it out */
    while ((asker = TAILQ_FIRST(&probe->askers)) && asker->is_due) {
        struct colony__connection *connection = asker->connection;

        let_go(asker);
        probe->answer(connection, result);
    }
}
