/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program_hello.c - a program says what it has; what was saved is set; then it is answered.
 *
 * What it said is noted in the state folder, because it says it once, and an engine after this one
 * must know it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/json_print.h"
#include "core/log.h"
#include "core/value.h"
#include "core/value_internal.h"
#include "rpc/program_internal.h"

enum {
    HELLO_MS = 10000, /* that a program has to say hello */
};

struct program_note {
    char path[PATH_MAX];
    char *text;
    int rc;
};

/* --- the note --------------------------------------------------------------------------------- */

static int place_note(const struct colony_rpc_program *program, char path[PATH_MAX],
                      const char *ending)
{
    int used = snprintf(path, PATH_MAX, "%s/engine/%s.hello%s",
                        colony_engine_state_dir(program->engine), program->name, ending);

    return used > 0 && used < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int write_file(const char *path, const char *text)
{
    size_t size = strlen(text);
    size_t done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : 0;

    while (rc == 0 && done < size) {
        ssize_t count = write(fd, text + done, size - done);

        if (count > 0)
            done += (size_t)count;
        else if (count < 0 && errno != EINTR)
            rc = -errno;
    }
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

/* On a thread of libuv's. Who dies in the middle of it is not believed: half of it is no JSON. */
static void write_note(uv_work_t *work)
{
    struct colony_rpc_program *program = work->data;

    program->note->rc = write_file(program->note->path, program->note->text);
}

static void on_noted(uv_work_t *work, int status)
{
    struct colony_rpc_program *program = work->data;
    struct program_note *note = program->note;
    struct colony_error err;

    if (status == 0 && note->rc < 0) {
        (void)colony_fail_os(&err, note->rc, "cannot note the hello of %s in %s", program->name,
                             note->path);
        colony_log(SEVERITY_WARNING, "%s", err.message);
    }
    program->note = NULL;
    free(note->text);
    free(note);
    program_go_on_closing(program);
}

static char *print_note(const struct colony_rpc_program *program)
{
    cJSON *json = cJSON_CreateObject();
    char id[24];
    char *text = NULL;

    (void)snprintf(id, sizeof id, "%" PRIu64, program->process);
    if (cJSON_AddStringToObject(json, "process", id) &&
        cJSON_AddItemReferenceToObject(json, "hello", program->hello_params))
        text = colony_json_print(json);
    cJSON_Delete(json);
    return text;
}

/* One that comes while another is under way is left out: the next engine has the program restarted
 * then. */
static void note_hello(struct colony_rpc_program *program)
{
    struct program_note *note = program->note ? NULL : calloc(1, sizeof *note);

    if (!note)
        return;
    note->text = print_note(program);
    if (note->text && place_note(program, note->path, "") == 0) {
        program->note = note;
        program->noting.data = program;
        if (uv_queue_work(colony_engine_uv_loop(program->engine), &program->noting, write_note,
                          on_noted) == 0)
            return;
        program->note = NULL;
    }
    free(note->text);
    free(note);
}

static bool is_of_process(const struct colony_rpc_program *program, const struct colony_value *note)
{
    const struct colony_value *process = colony_value_get(note, "process");
    char id[24];

    (void)snprintf(id, sizeof id, "%" PRIu64, program->process);
    return process && process->type == VALUE_STRING && strcmp(process->text, id) == 0;
}

void program_recall_hello(struct colony_rpc_program *program)
{
    struct colony_value *note = NULL;
    char path[PATH_MAX];
    char *text = NULL;
    size_t size;

    if (place_note(program, path, "") < 0 || colony__file_read(&text, &size, path, NULL, NULL) < 0)
        return;
    if (colony_value_parse_json(&note, text, size, NULL) == 0 && note->type == VALUE_MAP &&
        is_of_process(program, note) &&
        colony__hello_read(&program->hello, colony_value_get(note, "hello"), NULL) == 0) {
        program->has_hello = true;
        program->object.doc = program->hello.doc;
        program_become_ready(program);
    }
    colony_value_free(note);
    free(text);
}

/* --- the hello -------------------------------------------------------------------------------- */

static void on_hello_late(uv_timer_t *timer)
{
    struct colony_rpc_program *program = timer->data;
    struct colony_error err;

    program->state = PROGRAM_SILENT;
    program_fail_all(program, -EAGAIN, "it has not said hello");
    if (program->is_adopted) {
        colony_log(SEVERITY_WARNING, "%s is restarted: what it said to the engine before is lost",
                   program->name);
        if (colony_engine_restart_template(program->engine, program->name, "its hello was lost",
                                           &err) < 0)
            colony_log(SEVERITY_ERROR, "%s", err.message);
    } else {
        colony_log(SEVERITY_WARNING,
                   "%s has not said hello in %d seconds: what is asked of it fails until it does",
                   program->name, HELLO_MS / 1000);
    }
    program_tell_ready(program);
}

void program_time_hello(struct colony_rpc_program *program)
{
    (void)uv_timer_start(&program->timer, on_hello_late, HELLO_MS, 0);
}

void program_wait_for_hello(struct colony_rpc_program *program)
{
    program->state = PROGRAM_STARTING;
    program_time_hello(program);
}

/* Answers the hello with @err, or well. */
static void answer_hello(struct colony_rpc_program *program, cJSON *id,
                         const struct colony_error *err)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *member;

    if (!id) {
        cJSON_Delete(json);
        return; /* it does not want to know */
    }
    (void)cJSON_AddStringToObject(json, "jsonrpc", "2.0");
    if (!cJSON_AddItemToObject(json, "id", id))
        cJSON_Delete(id);
    member = cJSON_AddObjectToObject(json, err ? "error" : "result");
    if (err) {
        (void)cJSON_AddNumberToObject(member, "code", -32602);
        (void)cJSON_AddStringToObject(member, "message", err->message);
    } else {
        (void)cJSON_AddStringToObject(member, "name", program->name);
    }
    if (program_send(program, json) < 0)
        colony_log(SEVERITY_WARNING, "cannot answer the hello of %s", program->name);
}

void program_become_ready(struct colony_rpc_program *program)
{
    cJSON *id = program->hello_id;

    program->hello_id = NULL;
    program->state = PROGRAM_READY;
    (void)uv_timer_stop(&program->timer);
    answer_hello(program, id, NULL);
    program_begin_saving(program);
    program_send_waiting(program);
    program_tell_ready(program);
}

static void refuse_hello(struct colony_rpc_program *program, const struct colony_value *id,
                         const struct colony_error *err)
{
    colony_log(SEVERITY_ERROR, "%s: %s", program->name, err->message);
    answer_hello(program, id ? colony_value_to_json(id) : NULL, err);
}

void program_take_hello(struct colony_rpc_program *program, const struct colony_value *request)
{
    const struct colony_value *id = colony_value_get(request, "id");
    const struct colony_value *params = colony_value_get(request, "params");
    bool is_first = program->state != PROGRAM_READY;
    struct colony_error err;

    if (program->state == PROGRAM_GREETING) {
        (void)colony_fail(&err, -EINVAL, "cannot take a hello before the last one is answered");
        refuse_hello(program, id, &err);
        return;
    }
    if (colony__hello_read(&program->hello, params, &err) < 0) {
        refuse_hello(program, id, &err);
        return;
    }
    program->has_hello = true;
    program->object.doc = program->hello.doc;
    cJSON_Delete(program->hello_params);
    program->hello_params = colony_value_to_json(params);
    cJSON_Delete(program->hello_id);
    program->hello_id = id ? colony_value_to_json(id) : NULL;
    note_hello(program);
    program->state = PROGRAM_GREETING;
    if (!is_first)
        program_become_ready(program); /* it has changed what it has */
    else if (program->has_loaded)
        program_set_saved(program);
    else
        (void)uv_timer_stop(&program->timer); /* now it is the disk that takes its time */
}
