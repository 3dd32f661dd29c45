/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - the process behind a program: it comes, is listened to, and goes. */
#include "rpc/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/table.h"
#include "core/template.h"
#include "rpc/program_internal.h"

/* --- its process ------------------------------------------------------------------------------ */

void program_tell_ready(struct colony_rpc_program *program)
{
    if (program->has_told)
        return;
    program->has_told = true;
    program->ready_cb(program->data);
}

/* It is heard no more; why is what those are told who have asked. */
static void detach(struct colony_rpc_program *program, const char *why)
{
    if (program->state == PROGRAM_ABSENT)
        return;
    program->state = PROGRAM_ABSENT;
    program->is_stopping = false;
    program->is_adopted = false;
    (void)uv_timer_stop(&program->timer);
    colony_engine_unfollow_output(program->output);
    program->output = NULL;
    colony__lines_clear(&program->lines);
    cJSON_Delete(program->hello_id);
    program->hello_id = NULL;
    program_fail_all(program, -ESRCH, why);
}

static void on_line(const char *line, size_t size, void *data)
{
    struct colony_rpc_program *program = data;

    if (program->state == PROGRAM_ABSENT)
        return;
    if (program->lines.is_skipping)
        program_take_long_line(program, line, &program->lines.passed);
    else
        program_take_line(program, line, size);
}

/* The end of its stream is the end of the process, or of all that can be said to it. */
static void on_output(const struct colony_output_part *part, void *data)
{
    struct colony_rpc_program *program = data;

    if (!part->label) {
        detach(program, "it has ended");
        return;
    }
    if (colony__lines_add(&program->lines, part->bytes, part->size, on_line, program) < 0)
        colony_log(SEVERITY_ERROR, "cannot read a line of %s: out of memory", program->name);
}

static void attach(struct colony_rpc_program *program, uint64_t process)
{
    const struct colony_output_wish wish = {
        .id = process, .label = COLONY_RPC_STREAM, .cb = on_output, .data = program};
    int rc;

    detach(program, "it was replaced");
    rc = colony_engine_follow_output(program->engine, &wish, &program->output);
    if (rc < 0) {
        colony_log(SEVERITY_ERROR, "cannot hear %s: %s", program->name,
                   rc == -ENOMEM ? "out of memory" : "it has no stream `" COLONY_RPC_STREAM "`");
        return;
    }
    program->process = process;
    program_wait_for_hello(program);
}

static void on_event(const struct colony_event *event, void *data)
{
    struct colony_rpc_program *program = data;

    if (event->type == EVENT_SPAWN)
        attach(program, event->id);
    else if (event->type == EVENT_STOP_PID && event->id == program->process)
        program_save_and_end(program);
    else if (event->type == EVENT_EXIT && event->id == program->process)
        detach(program, "it has ended");
    else if (event->type == EVENT_FAIL)
        program_tell_ready(program); /* who asks is told that it does not run */
}

/* Of an engine before this one. */
static void adopt(const struct colony_slot_info *info, void *data)
{
    struct colony_rpc_program *program = data;

    if (!info->id)
        return;
    attach(program, info->id);
    if (program->state == PROGRAM_ABSENT)
        return;
    program->is_adopted = true; /* or has begun a moment ago: then it is yet to say hello */
    program->next_id = colony_id_after_loss();
    if (program->has_loaded)
        program_recall_hello(program);
}

/* --- beginning and end ------------------------------------------------------------------------ */

int colony_rpc_program_new(struct colony_rpc_program **out,
                           const struct colony_rpc_program_options *options,
                           struct colony_error *err)
{
    struct colony_rpc_program *program = calloc(1, sizeof *program);

    if (program)
        program->name = strdup(options->name);
    if (!program || !program->name ||
        uv_timer_init(colony_engine_uv_loop(options->engine), &program->timer) < 0) {
        if (program)
            free(program->name);
        free(program);
        return colony_fail_os(err, -ENOMEM, "cannot serve %s", options->name);
    }
    program->timer.data = program;
    program->engine = options->engine;
    program->object = program_object;
    program->attributes = options->attributes;
    program->frequency_ms = options->frequency_ms;
    program->ready_cb = options->ready;
    program->data = options->data;
    *out = program;
    return 0;
}

const struct colony_rpc_object *colony_rpc_program_object(const struct colony_rpc_program *program)
{
    return &program->object;
}

int colony_rpc_program_start(struct colony_rpc_program *program, struct colony_error *err)
{
    char pattern[sizeof "proc." + COLONY_NAME_MAX];
    int rc;

    if (program->subscription)
        return 0;
    (void)snprintf(pattern, sizeof pattern, "proc.%s", program->name);
    rc = colony_events_subscribe(colony_engine_events(program->engine), pattern, on_event, program,
                                 &program->subscription);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot serve %s", program->name);
    (void)colony_engine_each_slot(program->engine, program->name, adopt, program);
    return 0;
}

void colony_rpc_program_loaded(struct colony_rpc_program *program)
{
    program->has_loaded = true;
    if (program->state == PROGRAM_GREETING) {
        program_time_hello(program);
        program_set_saved(program);
    } else if (program->state == PROGRAM_STARTING && program->is_adopted) {
        program_recall_hello(program);
    }
}

void colony_rpc_program_stop(struct colony_rpc_program *program)
{
    program->has_told = false; /* it may be started again */
    colony_events_unsubscribe(colony_engine_events(program->engine), program->subscription);
    program->subscription = NULL;
    detach(program, "colony ends");
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony_rpc_program *program = handle->data;
    colony_rpc_program_closed_cb cb = program->closed_cb;
    void *data = program->closed_data;

    colony__hello_clear(&program->hello);
    colony__lines_clear(&program->lines);
    cJSON_Delete(program->hello_params);
    free(program->name);
    free(program);
    if (cb)
        cb(data);
}

void program_go_on_closing(struct colony_rpc_program *program)
{
    if (program->is_closing && !program->note)
        uv_close((uv_handle_t *)&program->timer, on_timer_closed);
}

void colony_rpc_program_close(struct colony_rpc_program *program, colony_rpc_program_closed_cb cb,
                              void *data)
{
    program->closed_cb = cb;
    program->closed_data = data;
    program->is_closing = true;
    colony_rpc_program_stop(program);
    program_go_on_closing(program);
}
