/* SPDX-License-Identifier: Apache-2.0 */
/* program_ask.c - questions to a program, a line each. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <utlist.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/json_print.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/value.h"
#include "rpc/program_internal.h"

enum {
    QUESTIONS_MAX = 1024,
    OWN_QUESTIONS_MAX = 2048, /* so that what is saved can be asked for when they are all taken */
    WAITING_BYTES_MAX = 4 << 20, /* of questions that wait for a hello */
};

/* Who is told of an answer. */
struct program_asker {
    program_cb cb;
    void *data;
};

/* --- asking ----------------------------------------------------------------------------------- */

static void fail_question(struct program_question *question, const struct colony_error *err)
{
    question->cb(&(struct program_answer){.err = err}, question->data);
    free(question->text);
    free(question);
}

/* NOLINTNEXTLINE(readability-function-size,readability-function-cognitive-complexity): the macro */
void program_forget(struct colony_rpc_program *program, struct program_question *question)
{
    DL_DELETE(program->questions, question);
    program->question_count--;
    if (question->text)
        program->waiting_bytes -= question->size;
}

void program_fail_all(struct colony_rpc_program *program, int code, const char *why)
{
    struct program_question *question = program->questions;
    struct colony_error err;

    (void)colony_fail(&err, code, "cannot ask %s: %s", program->name, why);
    while (question) {
        struct program_question *next = question->next;

        program_forget(program, question);
        fail_question(question, &err);
        question = next;
    }
}

static int write_line(struct colony_rpc_program *program, const char *text, size_t size)
{
    struct colony_input_write *job;
    const struct colony_input_wish wish = {
        .id = program->process, .label = COLONY_RPC_STREAM, .bytes = text, .size = size};
    int rc = colony_engine_write_input(program->engine, &wish, &job);

    return rc < 0 ? rc : 0;
}

/* As a line. NULL: no memory. @json is freed. */
static char *print_line(cJSON *json, size_t *size)
{
    char *text = json ? colony_json_print(json) : NULL;
    char *line = NULL;

    cJSON_Delete(json);
    if (text) {
        *size = strlen(text) + 1;
        line = realloc(text, *size + 1);
    }
    if (!line) {
        free(text);
        return NULL;
    }
    line[*size - 1] = '\n';
    line[*size] = '\0';
    return line;
}

int program_send(struct colony_rpc_program *program, struct cJSON *json)
{
    size_t size = 0;
    char *line = print_line(json, &size);
    int rc = line ? write_line(program, line, size) : -ENOMEM;

    free(line);
    return rc;
}

/* What is asked now: 1 it can be sent, 0 it must wait, or why it cannot. */
static int may_ask(const struct colony_rpc_program *program, bool is_ours, size_t size,
                   struct colony_error *err)
{
    switch (program->state) {
    case PROGRAM_ABSENT:
        return colony_fail(err, -ESRCH, "cannot ask %s: it does not run", program->name);
    case PROGRAM_SILENT:
        return colony_fail(err, -EAGAIN, "cannot ask %s: it has not said hello", program->name);
    case PROGRAM_STARTING:
    case PROGRAM_GREETING:
        if (is_ours)
            return 1;
        if (size <= WAITING_BYTES_MAX - program->waiting_bytes)
            return 0;
        break;
    case PROGRAM_READY:
        return 1;
    }
    return colony_fail(err, -EAGAIN, "cannot ask %s: too much waits for it already", program->name);
}

static cJSON *make_request(uint64_t id, const char *method, cJSON *params)
{
    cJSON *json = cJSON_CreateObject();

    if (json && params && cJSON_AddStringToObject(json, "jsonrpc", "2.0") &&
        cJSON_AddNumberToObject(json, "id", (double)id) &&
        cJSON_AddStringToObject(json, "method", method) &&
        cJSON_AddItemToObject(json, "params", params))
        return json;
    cJSON_Delete(params);
    cJSON_Delete(json);
    return NULL;
}

static int ask(struct colony_rpc_program *program, struct program_question *question, bool is_ours,
               struct colony_error *err)
{
    int rc;

    if (!question->text)
        return colony_fail_os(err, -ENOMEM, "cannot ask %s", program->name);
    if (program->question_count >= (is_ours ? OWN_QUESTIONS_MAX : QUESTIONS_MAX))
        return colony_fail(err, -EAGAIN, "cannot ask %s: too much is under way already",
                           program->name);
    rc = may_ask(program, is_ours, question->size, err);
    if (rc == 1)
        rc = write_line(program, question->text, question->size);
    else if (rc == 0)
        program->waiting_bytes += question->size;
    else
        return rc;
    if (rc < 0)
        return colony_fail(err, rc, "cannot ask %s: %s", program->name,
                           rc == -EAGAIN ? "it does not read what was asked before"
                                         : "it reads no more");
    return 0;
}

/* @params are freed. NULL: no memory. */
static struct program_question *make_question(struct colony_rpc_program *program,
                                              const char *method, cJSON *params)
{
    struct program_question *question = calloc(1, sizeof *question);

    if (!question) {
        cJSON_Delete(params);
        return NULL;
    }
    question->id = ++program->next_id;
    question->text = print_line(make_request(question->id, method, params), &question->size);
    return question;
}

/* Takes ownership of @question. */
static void put(struct colony_rpc_program *program, struct program_question *question, bool is_ours)
{
    struct colony_error err;
    bool has_to_wait =
        !is_ours && (program->state == PROGRAM_STARTING || program->state == PROGRAM_GREETING);

    if (ask(program, question, is_ours, &err) < 0) {
        fail_question(question, &err);
        return;
    }
    if (!has_to_wait) {
        free(question->text);
        question->text = NULL;
    }
    DL_APPEND(program->questions, question);
    program->question_count++;
}

static void begin(struct colony_rpc_program *program, struct program_question *question,
                  const struct program_asker *asker, bool is_ours)
{
    struct colony_error err;

    if (!question) {
        (void)colony_fail_os(&err, -ENOMEM, "cannot ask %s", program->name);
        asker->cb(&(struct program_answer){.err = &err}, asker->data);
        return;
    }
    question->cb = asker->cb;
    question->data = asker->data;
    put(program, question, is_ours);
}

void program_let_go(struct colony_rpc_program *program, program_cb cb,
                    bool (*is_wanted)(const void *data))
{
    struct program_question *question = program->questions;
    struct colony_error err;

    if (program->question_count < QUESTIONS_MAX)
        return;
    (void)colony_fail(&err, -ECONNRESET, "cannot wait for %s: who has asked is gone",
                      program->name);
    while (question) {
        struct program_question *next = question->next;

        if (question->cb == cb && !question->text && !is_wanted(question->data)) {
            program_forget(program, question);
            fail_question(question, &err);
        }
        question = next;
    }
}

void program_ask(struct colony_rpc_program *program, const char *method, struct cJSON *params,
                 program_cb cb, void *data)
{
    begin(program, make_question(program, method, params), &(struct program_asker){cb, data},
          false);
}

void program_ask_first(struct colony_rpc_program *program, const char *method, struct cJSON *params,
                       program_cb cb, void *data)
{
    begin(program, make_question(program, method, params), &(struct program_asker){cb, data}, true);
}

void program_send_waiting(struct colony_rpc_program *program)
{
    struct program_question *question = program->questions;

    while (question) {
        struct program_question *next = question->next;
        int rc = question->text ? write_line(program, question->text, question->size) : 0;
        struct colony_error err;

        if (rc < 0) {
            program_forget(program, question);
            (void)colony_fail(&err, rc, "cannot ask %s: it does not read", program->name);
            fail_question(question, &err);
        } else if (question->text) {
            program->waiting_bytes -= question->size;
            free(question->text);
            question->text = NULL;
        }
        question = next;
    }
}
