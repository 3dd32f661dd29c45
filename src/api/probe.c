/* SPDX-License-Identifier: Apache-2.0 */
#include "api/probe_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/request_internal.h"
#include "core/error.h"
#include "core/job.h"

enum {
    LINE_MAX_BYTES = 200, /* of what a command says of its failure */
};

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

static void on_asker_gone(void *data)
{
    drop(data);
}

static const struct colony__source asker_source = {.closed = on_asker_gone};

/* Who asks from inside of an answer asks for the next run. */
static void on_ended(const struct colony_job_end *end, void *data)
{
    struct colony__probe *probe = data;
    struct colony__asker *asker;

    probe->job = NULL;
    TAILQ_FOREACH(asker, &probe->askers, place)
    asker->is_due = true;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that drop() takes it out */
    while ((asker = TAILQ_FIRST(&probe->askers)) && asker->is_due) {
        struct colony__connection *connection = asker->connection;

        colony__connection_set_source(connection, NULL, NULL);
        drop(asker);
        probe->answer(connection, end);
    }
}

static int begin(struct colony__probe *probe, const struct colony__probe_command *command,
                 struct colony_error *err)
{
    const struct colony_job_wish wish = {
        .label = probe->name,
        .argv = command->argv,
        .output_max = probe->output_max,
        .has_errors = probe->has_errors,
        .timeout_ms = command->timeout_ms,
        .cb = on_ended,
        .data = probe,
    };

    return colony_job_run(&probe->job, probe->engine, &wish, err);
}

int colony__probe_ask(struct colony__probe *probe, const struct colony__probe_command *command,
                      struct colony__connection *connection, struct colony_error *err)
{
    struct colony__asker *asker = calloc(1, sizeof *asker);
    int rc = 0;

    if (!asker)
        return colony_fail(err, -ENOMEM, "cannot run `%s`: out of memory", probe->name);
    if (!probe->job)
        rc = begin(probe, command, err);
    if (rc < 0) {
        free(asker);
        return rc;
    }
    asker->probe = probe;
    asker->connection = connection;
    TAILQ_INSERT_TAIL(&probe->askers, asker, place);
    colony__connection_set_source(connection, &asker_source, asker);
    return 0;
}

void colony__probe_clear(struct colony__probe *probe)
{
    if (probe->job)
        colony_job_cancel(probe->job);
    probe->job = NULL;
}

/* The first line of @text, which may be cut in the middle of a character. */
static void take_line(char line[LINE_MAX_BYTES], const struct colony_job_end *end)
{
    (void)snprintf(line, LINE_MAX_BYTES, "%.*s", (int)strcspn(end->output, "\r\n"), end->output);
    colony__utf8_repair(line);
}

bool colony__probe_explain(const struct colony__probe *probe, const struct colony_job_end *end,
                           char *text, size_t size)
{
    char line[LINE_MAX_BYTES] = "";

    if (end->exit_status == 0)
        return false;
    take_line(line, end);
    if (end->exit_status < 0)
        (void)snprintf(text, size, "`%s` failed: %s", probe->name, end->why);
    else
        (void)snprintf(text, size, "`%s` failed: exit status %d%s%s", probe->name, end->exit_status,
                       *line ? ": " : "", line);
    return true;
}
