/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_probes.c - `ping: exec` and `status: exec`: what the user's commands have to say. */
#include <cjson/cJSON.h>

#include "api/connection_internal.h"
#include "api/daemon_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/error.h"
#include "core/job.h"
#include "core/value.h"

enum {
    REASON_BYTES_MAX = 1024,    /* of what a check says of its failure */
    STATUS_BYTES_MAX = 1 << 20, /* of what a status is made of */
};

static void respond_failure(struct colony__connection *connection, const char *reason)
{
    colony__respond_failure(connection, 500, "server_error", reason);
}

static void answer_ping(struct colony__connection *connection, const struct colony_job_end *end)
{
    const struct colony__daemon *daemon = connection->server->owner;
    char reason[COLONY_ERROR_TEXT_MAX];

    if (colony__probe_explain(&daemon->ping, end, reason, sizeof reason))
        respond_failure(connection, reason);
    else
        colony__daemon_respond_pong(connection);
}

static void respond_merged(struct colony__connection *connection, const struct colony_value *value)
{
    cJSON *more = colony_value_to_json(value);

    if (more)
        colony__daemon_respond_status(connection, more);
    else
        colony__respond_failure(connection, 503, "unavailable",
                                "cannot tell the status: out of memory");
    cJSON_Delete(more);
}

static void answer_status(struct colony__connection *connection, const struct colony_job_end *end)
{
    const struct colony__daemon *daemon = connection->server->owner;
    char reason[COLONY_ERROR_TEXT_MAX];
    struct colony_value *value = NULL;
    struct colony_error err;

    if (colony__probe_explain(&daemon->status, end, reason, sizeof reason))
        respond_failure(connection, reason);
    else if (end->output_size == STATUS_BYTES_MAX)
        respond_failure(connection, "`status: exec` failed: it printed a MiB or more");
    else if (colony_value_parse_json(&value, end->output, end->output_size, &err) < 0)
        respond_failure(connection, "`status: exec` failed: what it printed is no JSON");
    else if (value->type != VALUE_MAP)
        respond_failure(connection, "`status: exec` failed: what it printed is no JSON object");
    else
        respond_merged(connection, value);
    colony_value_free(value);
}

void colony__daemon_open_probes(struct colony__daemon *daemon)
{
    daemon->ping = (struct colony__probe){.name = "ping: exec",
                                          .engine = daemon->engine,
                                          .answer = answer_ping,
                                          .output_max = REASON_BYTES_MAX,
                                          .has_errors = true};
    daemon->status = (struct colony__probe){.name = "status: exec",
                                            .engine = daemon->engine,
                                            .answer = answer_status,
                                            .output_max = STATUS_BYTES_MAX};
    colony__probe_init(&daemon->ping);
    colony__probe_init(&daemon->status);
}
