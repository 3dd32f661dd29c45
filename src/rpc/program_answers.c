/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program_answers.c - what a program writes, a line each: answers to what was asked, and what
 * cannot be used.
 *
 * Whoever waits is told, too, when the answer is of no use: its id is looked for in what is no JSON
 * as well (answer_id_internal.h), and a result without any counts for the oldest question. All else
 * is a slip such as a stray print or a line of a log, and answers nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <utlist.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/log.h"
#include "core/value.h"
#include "rpc/program_internal.h"

enum {
    JUNK_MS = 1000, /* between two words about it in the log */
};

void program_count_junk(struct colony_rpc_program *program, const char *line, const char *why)
{
    uint64_t now_ms = uv_now(colony_engine_uv_loop(program->engine));
    struct colony_error text;

    program->junk++;
    if (program->junk_ms && now_ms - program->junk_ms < JUNK_MS)
        return;
    (void)colony_fail(&text, 0, "%.80s", line); /* without control bytes */
    colony_log(SEVERITY_WARNING, "%s wrote what cannot be used (%s): `%s`, %" PRIu64 " such lines",
               program->name, why, text.message, program->junk);
    program->junk = 0;
    program->junk_ms = now_ms;
}

/* They come mostly in the order of the questions. */
static struct program_question *find_question(const struct colony_rpc_program *program, double id)
{
    struct program_question *question;

    DL_FOREACH(program->questions, question)
    {
        if ((double)question->id == id && !question->text)
            return question;
    }
    return NULL;
}

static struct program_question *find_oldest(const struct colony_rpc_program *program)
{
    struct program_question *question;

    DL_FOREACH(program->questions, question)
    {
        if (!question->text)
            return question;
    }
    return NULL;
}

static void answer(struct colony_rpc_program *program, struct program_question *question,
                   const struct program_answer *told)
{
    program_forget(program, question);
    question->cb(told, question->data);
    free(question);
}

/* @line is of no use to whoever has asked @question (NULL: nobody), who is told of @why. */
static void take_useless(struct colony_rpc_program *program, struct program_question *question,
                         const char *line, const char *why)
{
    struct colony_error err;

    program_count_junk(program, line, why);
    if (!question)
        return;
    (void)colony_fail(&err, -EIO, "cannot use the answer of %s: %s", program->name, why);
    answer(program, question, &(const struct program_answer){.err = &err});
}

static struct program_question *find_asked(const struct colony_rpc_program *program,
                                           const struct colony__answer_id *scan)
{
    if (!scan->is_object || scan->has_method)
        return NULL;
    if (scan->has_id)
        return find_question(program, (double)scan->id);
    return scan->has_answer ? find_oldest(program) : NULL;
}

void program_take_long_line(struct colony_rpc_program *program, const char *head,
                            const struct colony__answer_id *scan)
{
    char why[64];

    (void)snprintf(why, sizeof why, "it is too long, more than %d MiB",
                   COLONY__LINE_BYTES_MAX >> 20);
    take_useless(program, find_asked(program, scan), head, why);
}

static void take_bad_line(struct colony_rpc_program *program, const char *line, size_t size,
                          const struct colony_error *reason)
{
    static const char start[] = "cannot read this JSON: ";
    const char *message = reason->message;
    struct colony__answer_id scan = {0};
    char why[COLONY_ERROR_TEXT_MAX];

    if (strncmp(message, start, sizeof start - 1) == 0)
        message += sizeof start - 1;
    colony__answer_id_read(&scan, line, size);
    (void)snprintf(why, sizeof why, "%s%.160s",
                   reason->code == -ENOMEM ? "" : "it is no JSON: ", message);
    take_useless(program, find_asked(program, &scan), line, why);
}

/* @tree is no request. */
static void take_answer(struct colony_rpc_program *program, const struct colony_value *tree,
                        const char *line)
{
    const struct colony_value *id = colony_value_get(tree, "id");
    const struct program_answer told = {.result = colony_value_get(tree, "result"),
                                        .error = colony_value_get(tree, "error")};
    bool has_answer = told.result || told.error;
    bool has_number = id && id->type == VALUE_NUMBER;
    struct program_question *question = has_number ? find_question(program, id->number) : NULL;

    if (question && has_answer)
        answer(program, question, &told);
    else if (question)
        take_useless(program, question, line, "it has neither result nor error");
    else if (has_answer && !has_number)
        take_useless(program, find_oldest(program), line, "it has no id that is a number");
    else
        program_count_junk(program, line, "it answers nothing that was asked");
}

/* What it asks of colony, other than hello. */
static void refuse(struct colony_rpc_program *program, const struct colony_value *id)
{
    cJSON *json;
    cJSON *error;

    if (!id)
        return;
    json = cJSON_CreateObject();
    error = cJSON_AddObjectToObject(json, "error");
    (void)cJSON_AddStringToObject(json, "jsonrpc", "2.0");
    (void)cJSON_AddItemToObject(json, "id", colony_value_to_json(id));
    (void)cJSON_AddNumberToObject(error, "code", -32601);
    (void)cJSON_AddStringToObject(error, "message", "colony has no such method: only hello");
    (void)program_send(program, json);
}

void program_take_line(struct colony_rpc_program *program, const char *line, size_t size)
{
    struct colony_value *tree = NULL;
    struct colony_error err = {0};
    const struct colony_value *method;
    int rc = colony_value_parse_json(&tree, line, size, &err);

    if (rc < 0) {
        take_bad_line(program, line, size, &err);
        return;
    }
    method = tree->type == VALUE_MAP ? colony_value_get(tree, "method") : NULL;
    if (method && method->type == VALUE_STRING && strcmp(method->text, "hello") == 0) {
        program_take_hello(program, tree);
    } else if (method) {
        program_count_junk(program, line, "it asks for something else than hello");
        refuse(program, colony_value_get(tree, "id"));
    } else if (tree->type == VALUE_MAP) {
        take_answer(program, tree, line);
    } else {
        program_count_junk(program, line, "it answers nothing that was asked");
    }
    colony_value_free(tree);
}
