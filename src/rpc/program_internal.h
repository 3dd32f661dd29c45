/* SPDX-License-Identifier: Apache-2.0 */
/* program_internal.h - the parts of a program that is served. */
#ifndef COLONY_RPC_PROGRAM_INTERNAL_H
#define COLONY_RPC_PROGRAM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "rpc/hello_internal.h"
#include "rpc/lines_internal.h"
#include "rpc/object.h"
#include "rpc/program.h"

struct cJSON;
struct colony_output;
struct colony_subscription;
struct colony_value;

enum program_state {
    PROGRAM_ABSENT,   /* no process of it lives, or it has closed its stream */
    PROGRAM_STARTING, /* it has not said hello; what is asked waits */
    PROGRAM_GREETING, /* what was saved is being set; what is asked waits */
    PROGRAM_READY,
    PROGRAM_SILENT, /* its time to say hello is over; it still may */
};

/* What became of a question: one of the three. */
struct program_answer {
    const struct colony_value *result;
    const struct colony_error *err;   /* colony could not ask it */
    const struct colony_value *error; /* the program's, whatever that is */
};
typedef void (*program_cb)(const struct program_answer *answer, void *data);

/* One that the program has not answered yet. */
struct program_question {
    struct program_question *prev;
    struct program_question *next;
    uint64_t id;
    char *text; /* the line, while it waits for the hello; NULL: it was sent */
    size_t size;
    program_cb cb;
    void *data;
};

struct colony_rpc_program {
    struct colony_engine *engine;
    struct colony_rpc_object object;
    char *name;
    struct colony_subscription *subscription;
    struct colony_output *output; /* NULL: there is nothing to read */
    uv_timer_t timer; /* until its time to say hello is over; until attributes are looked at */
    uv_work_t noting;
    struct program_note *note; /* the hello on its way to the disk; NULL: none */
    enum program_state state;
    uint64_t process; /* its internal id */
    bool is_adopted;  /* it has said hello to an engine before this one */
    bool is_stopping; /* it is asked for its attributes before it is told to end */
    bool has_hello;   /* @hello is what it said, it or the process before it */
    bool has_loaded;  /* what was saved is there */
    bool has_told;    /* ready_cb */
    struct colony__lines lines;
    struct colony__hello hello;
    struct cJSON *hello_id;             /* with GREETING: what is to be answered */
    struct cJSON *hello_params;         /* as it said them */
    size_t greetings;                   /* saved attributes that are being set */
    struct program_question *questions; /* oldest first */
    size_t question_count;
    size_t waiting_bytes;
    uint64_t next_id;
    struct rpc_attributes *attributes; /* that are saved */
    uint64_t junk;                     /* lines that could not be used and were not told yet */
    uint64_t junk_ms;                  /* when they were told last */
    uint64_t frequency_ms;
    void (*ready_cb)(void *data);
    void *data;
    colony_rpc_program_closed_cb closed_cb;
    void *closed_data;
    bool is_closing;
};

/* --- program_ask.c: questions ------------------------------------------------------
 */

/*
 * Asks for @method with @params, which are freed (NULL: there was no memory for them). @cb is
 * called once, perhaps before this returns. Before the program is greeted it waits.
 */
void program_ask(struct colony_rpc_program *program, const char *method, struct cJSON *params,
                 program_cb cb, void *data);
/* The same of colony's own, which does not wait for that. */
void program_ask_first(struct colony_rpc_program *program, const char *method, struct cJSON *params,
                       program_cb cb, void *data);
/* Lets go of those of @cb that the program has been asked and nobody waits for, when no more could
 * be asked. */
void program_let_go(struct colony_rpc_program *program, program_cb cb,
                    bool (*is_wanted)(const void *data));
/* Sends what waited for the hello. */
void program_send_waiting(struct colony_rpc_program *program);
/* Answers all that are under way with an error. */
void program_fail_all(struct colony_rpc_program *program, int code, const char *why);
/* [@name, @value], or only [@name] without; @value is freed. NULL: no memory. */
struct cJSON *program_params(const char *name, struct cJSON *value);
/* Sends @json, which is freed, as a line. Negative errno. */
int program_send(struct colony_rpc_program *program, struct cJSON *json);
/* Takes it out of those under way; it is the caller's then. */
void program_forget(struct colony_rpc_program *program, struct program_question *question);

/* --- program_answers.c: what it writes ----------------------------------------------------------
 */

/* A line that the program wrote. */
void program_take_line(struct colony_rpc_program *program, const char *line, size_t size);
/* One that was passed over: how it begins, and what else is known of it. */
void program_take_long_line(struct colony_rpc_program *program, const char *head,
                            const struct colony__answer_id *scan);
/* Counts a line that cannot be used, and tells of it at most once a second. */
void program_count_junk(struct colony_rpc_program *program, const char *line, const char *why);

/* --- program_hello.c: the beginning ------------------------------------------------------------
 */

/* @request is {"method": "hello", …}. */
void program_take_hello(struct colony_rpc_program *program, const struct colony_value *request);
/* A new process has its time to say it. */
void program_wait_for_hello(struct colony_rpc_program *program);
/* So too for all that has to be set before it is ready. */
void program_time_hello(struct colony_rpc_program *program);
/* What an engine before this one was told by the same process: it is ready then. */
void program_recall_hello(struct colony_rpc_program *program);
/* It is ready for whoever asks. */
void program_become_ready(struct colony_rpc_program *program);

/* --- program_saved.c: attributes that are saved ------------------------------------------------
 */

/* Sets what was saved; then the hello is answered. */
void program_set_saved(struct colony_rpc_program *program);
/* Looks at them again and again while it is ready. */
void program_begin_saving(struct colony_rpc_program *program);
/* For the last time; then it is told to end. */
void program_save_and_end(struct colony_rpc_program *program);
/* @value of @name is the one it has now. */
void program_note_saved(struct colony_rpc_program *program, const char *name,
                        const struct colony_value *value);

/* --- program_object.c --------------------------------------------------------------------------
 */

extern const struct colony_rpc_object program_object;

/* --- program.c ----------------------------------------------------------------------------------
 */

void program_tell_ready(struct colony_rpc_program *program);
void program_go_on_closing(struct colony_rpc_program *program);

#endif
