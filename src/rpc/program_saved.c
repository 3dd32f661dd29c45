/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program_saved.c - attributes that are saved: set when a program begins, looked at again and again
 * while it runs, and once more before it ends.
 *
 * The stop signal of its template is one that does nothing: when the engine sends it, the program
 * is asked for its attributes, and told to end by SIGTERM when it has answered or its time for that
 * is over.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/json_print.h"
#include "core/log.h"
#include "core/value.h"
#include "rpc/attributes_internal.h"
#include "rpc/program_internal.h"

enum {
    LAST_MS = 2000, /* that it has to tell its attributes before it is told to end */
};

/* One look at all of them. */
struct look {
    struct colony_rpc_program *program;
    size_t left;
    bool is_last;
};

/* One attribute in it. */
struct wanted {
    struct look *look;
    char name[COLONY__HELLO_NAME_MAX + 1];
};

struct cJSON *program_params(const char *name, struct cJSON *value)
{
    cJSON *params = cJSON_CreateArray();

    (void)cJSON_AddItemToArray(params, cJSON_CreateString(name));
    if (value && !cJSON_AddItemToArray(params, value))
        cJSON_Delete(value);
    if (cJSON_GetArraySize(params) == 1 + (value != NULL))
        return params;
    cJSON_Delete(params);
    return NULL;
}

void program_note_saved(struct colony_rpc_program *program, const char *name,
                        const struct colony_value *value)
{
    const struct colony__hello_name *known = colony__hello_find(&program->hello, name);
    cJSON *json = known && colony__hello_is_saved(known) ? colony_value_to_json(value) : NULL;
    char *text = json ? colony_json_print(json) : NULL;
    const char *before = rpc_attributes_get(program->attributes, name);
    struct colony_error err;

    cJSON_Delete(json);
    if (text && !(before && strcmp(before, text) == 0) &&
        rpc_attributes_set(program->attributes, name, text, &err) < 0)
        colony_log(SEVERITY_ERROR, "cannot save %s of %s: %s", name, program->name, err.message);
    free(text);
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* Its own values would be saved over those that it never got. */
static void lack_memory(struct colony_rpc_program *program)
{
    struct colony_error err;

    if (program->state != PROGRAM_GREETING)
        return;
    program->state = PROGRAM_STARTING; /* and not ready, whatever it answers */
    colony_log(SEVERITY_WARNING, "%s is restarted: there was no memory for its saved values",
               program->name);
    if (colony_engine_restart_template(program->engine, program->name,
                                       "its saved values could not be set", &err) < 0)
        colony_log(SEVERITY_ERROR, "%s", err.message);
}

static void on_greeted(const struct program_answer *answer, void *data)
{
    struct wanted *wanted = data;
    struct colony_rpc_program *program = wanted->look->program;

    if (answer->err && answer->err->code == -ENOMEM)
        lack_memory(program);
    if (answer->error)
        colony_log(SEVERITY_WARNING, "%s does not take the saved value of %s", program->name,
                   wanted->name);
    free(wanted->look);
    free(wanted);
    if (--program->greetings == 0 && program->state == PROGRAM_GREETING)
        program_become_ready(program);
}

/* One that cannot be set keeps the program's own value, which is saved then. */
static void set_one(struct colony_rpc_program *program, const struct colony__hello_name *name)
{
    const char *value = rpc_attributes_get(program->attributes, name->name);
    struct wanted *wanted = value ? calloc(1, sizeof *wanted) : NULL;
    struct look *look = wanted ? calloc(1, sizeof *look) : NULL;

    if (!value)
        return;
    if (!look) {
        free(wanted);
        lack_memory(program);
        return;
    }
    look->program = program;
    wanted->look = look;
    (void)memcpy(wanted->name, name->name, strlen(name->name) + 1);
    program->greetings++;
    program_ask_first(program, "setattr", program_params(name->name, cJSON_CreateRaw(value)),
                      on_greeted, wanted);
}

void program_set_saved(struct colony_rpc_program *program)
{
    program->greetings = 1; /* until all are asked for */
    for (size_t i = 0; i < program->hello.count; i++)
        if (colony__hello_is_saved(&program->hello.names[i]))
            set_one(program, &program->hello.names[i]);
    if (--program->greetings == 0 && program->state == PROGRAM_GREETING)
        program_become_ready(program);
}

/* --- looking at them -------------------------------------------------------------------------- */

static void tell_to_end(struct colony_rpc_program *program)
{
    if (!program->is_stopping)
        return;
    program->is_stopping = false;
    (void)uv_timer_stop(&program->timer);
    (void)colony_engine_signal_process(program->engine, program->process, SIGTERM, NULL);
}

static void end_look(struct look *look)
{
    struct colony_rpc_program *program = look->program;

    if (--look->left > 0)
        return;
    if (look->is_last)
        tell_to_end(program);
    free(look);
}

static void on_looked(const struct program_answer *answer, void *data)
{
    struct wanted *wanted = data;
    struct look *look = wanted->look;

    if (answer->result)
        program_note_saved(look->program, wanted->name, answer->result);
    free(wanted);
    end_look(look);
}

static void look_at_one(struct look *look, const struct colony__hello_name *name)
{
    struct wanted *wanted = calloc(1, sizeof *wanted);

    if (!wanted)
        return; /* what it was before is saved */
    wanted->look = look;
    (void)memcpy(wanted->name, name->name, strlen(name->name) + 1);
    look->left++;
    program_ask_first(look->program, "getattr", program_params(name->name, NULL), on_looked,
                      wanted);
}

static void look_at_all(struct colony_rpc_program *program, bool is_last)
{
    struct look *look = calloc(1, sizeof *look);

    if (!look) {
        if (is_last)
            tell_to_end(program);
        return;
    }
    look->program = program;
    look->is_last = is_last;
    look->left = 1; /* until all are asked for */
    for (size_t i = 0; i < program->hello.count; i++)
        if (colony__hello_is_saved(&program->hello.names[i]))
            look_at_one(look, &program->hello.names[i]);
    end_look(look);
}

static void on_time_to_look(uv_timer_t *timer)
{
    look_at_all(timer->data, false);
}

static bool has_saved(const struct colony_rpc_program *program)
{
    for (size_t i = 0; i < program->hello.count; i++)
        if (colony__hello_is_saved(&program->hello.names[i]))
            return true;
    return false;
}

void program_begin_saving(struct colony_rpc_program *program)
{
    if (has_saved(program))
        (void)uv_timer_start(&program->timer, on_time_to_look, program->frequency_ms,
                             program->frequency_ms);
}

static void on_last_late(uv_timer_t *timer)
{
    struct colony_rpc_program *program = timer->data;

    colony_log(SEVERITY_WARNING,
               "%s does not tell its attributes before it ends: those told last are saved",
               program->name);
    tell_to_end(program);
}

void program_save_and_end(struct colony_rpc_program *program)
{
    program->is_stopping = true;
    if (program->state != PROGRAM_READY || !has_saved(program)) {
        tell_to_end(program);
        return;
    }
    (void)uv_timer_start(&program->timer, on_last_late, LAST_MS, 0);
    look_at_all(program, true);
}
