/* SPDX-License-Identifier: Apache-2.0 */
/* handler_exec.c - `exec`: a command for each event, which is on its stdin. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/inbox_internal.h"
#include "api/json_internal.h"
#include "core/error.h"
#include "core/job.h"

enum {
    OUTPUT_MAX = 256, /* of what a command that failed said, for the log */
};

static void on_end(const struct colony_job_end *end, void *data)
{
    struct colony__incoming *event = data;
    struct colony__stage *stage = event->stage;
    int said = (int)strcspn(end->output, "\r\n");

    event->work = NULL;
    if (end->is_cancelled) {
        colony__stage_give_up(stage, event);
        return;
    }
    if (end->exit_status < 0)
        colony__stage_failed(stage, event, "cannot run '%.200s': %s", stage->settings->exec,
                             end->why);
    else if (end->exit_status > 0)
        colony__stage_failed(stage, event, "'%.200s' ended with %d%s%.*s", stage->settings->exec,
                             end->exit_status, said > 0 ? ": " : "", said, end->output);
    colony__stage_done(stage, event);
}

static int run(struct colony__stage *stage, struct colony__incoming *event,
               const struct colony__buffer *text, struct colony_error *err)
{
    struct colony__json time = {0};
    struct colony_job *job;
    char label[40];
    char id[48];
    char at[64];
    char via[40];
    char peer[INBOX_PEER_MAX + 24];
    const char *const env[] = {id, at, via, peer, NULL};
    int rc;

    colony__json_add_time(&time, NULL, event->at_ms);
    if (time.failed)
        return -ENOMEM;
    (void)snprintf(label, sizeof label, "event %" PRIu64, event->id);
    (void)snprintf(id, sizeof id, "COLONY_EVENT_ID=%" PRIu64, event->id);
    (void)snprintf(at, sizeof at, "COLONY_EVENT_TIME=%.24s", time.text.data + 1);
    (void)snprintf(via, sizeof via, "COLONY_EVENT_VIA=%s", colony__inbox_via_name(event->via));
    (void)snprintf(peer, sizeof peer, "COLONY_EVENT_PEER=%s", event->peer);
    colony__json_clear(&time);
    rc = colony_job_run(&job, stage->inbox->engine,
                        &(const struct colony_job_wish){.label = label,
                                                        .argv = stage->settings->argv,
                                                        .env = env,
                                                        .input = text->data,
                                                        .input_size = text->size,
                                                        .output_max = OUTPUT_MAX,
                                                        .has_errors = true,
                                                        .is_last = true,
                                                        .timeout_ms = stage->settings->timeout_ms,
                                                        .cb = on_end,
                                                        .data = event},
                        err);
    if (rc == 0)
        event->work = job;
    return rc;
}

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    struct colony__buffer text = {0};
    struct colony_error err = {.message = "out of memory"};
    int rc = colony__stage_text(stage, event, &text);

    if (rc == 0)
        rc = run(stage, event, &text, &err);
    colony__buffer_clear(&text);
    if (rc == 0 || rc == -ESHUTDOWN)
        return rc;
    colony__stage_failed(stage, event, "%s", err.message);
    return 1;
}

static void cancel(struct colony__stage *stage, struct colony__incoming *event)
{
    (void)stage;
    if (event->work)
        colony_job_cancel(event->work);
    event->work = NULL;
}

const struct colony__handler_kind colony__handler_exec = {
    .takes_engine = true,
    .handle = handle,
    .cancel = cancel,
};
