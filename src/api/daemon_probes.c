/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_probes.c - `ping: exec` and `status: exec`: what the user's commands have to say. */
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "api/connection_internal.h"
#include "api/daemon_engine_internal.h"
#include "api/request_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/error.h"
#include "core/job.h"
#include "core/settings.h"
#include "core/utf8.h"
#include "core/value.h"

enum {
    REASON_BYTES_MAX = 1024,    /* of what a check says of its failure */
    STATUS_BYTES_MAX = 1 << 20, /* of what a status is made of */
    LINE_MAX_BYTES = 200,       /* of what a command says of its failure, as it is told */
};

static const char ping_name[] = "ping: exec";
static const char status_name[] = "status: exec";

/* --- a run ------------------------------------------------------------------------------------ */

static void on_ended(const struct colony_job_end *end, void *data)
{
    struct colony__daemon_command *command = data;

    command->job = NULL;
    colony__probe_end(&command->probe, end);
}

static int begin(struct colony__daemon_command *command, struct colony_job_wish wish,
                 struct colony_error *err)
{
    wish.label = command->probe.name;
    wish.cb = on_ended;
    wish.data = command;
    return colony_job_run(&command->job, command->engine, &wish, err);
}

static int begin_ping(struct colony__probe *probe, struct colony_error *err)
{
    struct colony__daemon_command *command = probe->data;
    const struct colony_ping_settings *settings = &colony_engine_settings(command->engine)->ping;

    return begin(command,
                 (struct colony_job_wish){.argv = settings->argv,
                                          .timeout_ms = settings->timeout_ms,
                                          .output_max = REASON_BYTES_MAX,
                                          .has_errors = true},
                 err);
}

static int begin_status(struct colony__probe *probe, struct colony_error *err)
{
    struct colony__daemon_command *command = probe->data;
    const struct colony_status_settings *settings =
        &colony_engine_settings(command->engine)->status;

    return begin(command,
                 (struct colony_job_wish){.argv = settings->argv,
                                          .timeout_ms = settings->timeout_ms,
                                          .output_max = STATUS_BYTES_MAX},
                 err);
}

/* --- what came of it -------------------------------------------------------------------------- */

/* The first line of @text, which may be cut in the middle of a character. */
static void take_line(char line[LINE_MAX_BYTES], const struct colony_job_end *end)
{
    (void)snprintf(line, LINE_MAX_BYTES, "%.*s", (int)strcspn(end->output, "\r\n"), end->output);
    colony_utf8_repair(line, strlen(line));
}

/* In one line: "`ping: exec` failed: exit status 3: no disk". False: it did not. */
static bool explain(const char *name, const struct colony_job_end *end, char *text, size_t size)
{
    char line[LINE_MAX_BYTES] = "";

    if (end->exit_status == 0)
        return false;
    take_line(line, end);
    if (end->exit_status < 0)
        (void)snprintf(text, size, "`%s` failed: %s", name, end->why);
    else
        (void)snprintf(text, size, "`%s` failed: exit status %d%s%s", name, end->exit_status,
                       *line ? ": " : "", line);
    return true;
}

static void respond_failure(struct colony__connection *connection, const char *reason)
{
    colony__respond_failure(connection, 500, "server_error", reason);
}

static void answer_ping(struct colony__connection *connection, const void *result)
{
    char reason[COLONY_ERROR_TEXT_MAX];

    if (explain(ping_name, result, reason, sizeof reason))
        respond_failure(connection, reason);
    else
        colony__daemon_respond_pong(connection);
}

/* What the user's command printed comes last: as with a method that is overridden, it wins. */
static bool merge(cJSON *status, const cJSON *more)
{
    bool is_whole = status && more;

    for (const cJSON *member = is_whole ? more->child : NULL; member && is_whole;
         member = member->next) {
        cJSON_DeleteItemFromObjectCaseSensitive(status, member->string);
        is_whole = colony__daemon_add(status, member->string, cJSON_Duplicate(member, true));
    }
    return is_whole;
}

static void respond_merged(struct colony__connection *connection, const struct colony_value *value)
{
    cJSON *status = colony__daemon_make_status(connection->server->owner);
    cJSON *more = colony_value_to_json(value);

    colony__daemon_respond_status(connection, merge(status, more) ? status : NULL);
    cJSON_Delete(more);
    cJSON_Delete(status);
}

static void answer_status(struct colony__connection *connection, const void *result)
{
    const struct colony_job_end *end = result;
    char reason[COLONY_ERROR_TEXT_MAX];
    struct colony_value *value = NULL;
    struct colony_error err;

    if (explain(status_name, end, reason, sizeof reason))
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

/* --- asking ----------------------------------------------------------------------------------- */

int colony__daemon_ask_status(struct colony__daemon *daemon, struct colony__connection *connection,
                              struct colony_error *err)
{
    struct colony__daemon_controller *controller = daemon->owner;
    cJSON *status;

    if (colony_engine_settings(controller->engine)->status.argv)
        return colony__probe_ask(&controller->status.probe, connection, err);
    status = colony__daemon_make_status(daemon);
    colony__daemon_respond_status(connection, status);
    cJSON_Delete(status);
    return 0;
}

int colony__daemon_ask_ping(struct colony__daemon *daemon, struct colony__connection *connection,
                            struct colony_error *err)
{
    struct colony__daemon_controller *controller = daemon->owner;

    if (colony_engine_settings(controller->engine)->ping.argv)
        return colony__probe_ask(&controller->ping.probe, connection, err);
    colony__daemon_respond_pong(connection);
    return 0;
}

static void open_command(struct colony__daemon_command *command, struct colony_engine *engine)
{
    command->engine = engine;
    command->probe.data = command;
    colony__probe_init(&command->probe);
}

void colony__daemon_open_probes(struct colony__daemon_controller *controller)
{
    controller->ping.probe =
        (struct colony__probe){.name = ping_name, .begin = begin_ping, .answer = answer_ping};
    controller->status.probe =
        (struct colony__probe){.name = status_name, .begin = begin_status, .answer = answer_status};
    open_command(&controller->ping, controller->engine);
    open_command(&controller->status, controller->engine);
}

static void cancel(struct colony__daemon_command *command)
{
    if (command->job)
        colony_job_cancel(command->job);
    command->job = NULL;
    command->probe.is_running = false;
}

void colony__daemon_clear_probes(struct colony__daemon_controller *controller)
{
    cancel(&controller->ping);
    cancel(&controller->status);
}
