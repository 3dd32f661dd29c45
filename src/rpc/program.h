/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - a supervised process whose methods and attributes are served (object.h): it reads and
 * writes lines of JSON-RPC on its custom stream `rpc` (docs/rpc-protocol.md, Programs).
 *
 * Its process may come and go: the engine starts it again, and what is asked meanwhile is answered
 * with an error. On the loop only.
 */
#ifndef COLONY_RPC_PROGRAM_H
#define COLONY_RPC_PROGRAM_H

#include <stdint.h>

struct colony_engine;
struct colony_error;
struct colony_rpc_object;
struct colony_rpc_program;
struct rpc_attributes;

/* The stop signal of its template: one that does nothing. A program is told to end by SIGTERM once
 * it has told what is to be saved. */
#define COLONY_RPC_STOP_SIGNAL "SIGCONT"

typedef void (*colony_rpc_program_closed_cb)(void *data);

struct colony_rpc_program_options {
    struct colony_engine *engine;
    const char *name;                  /* of its template; copied */
    struct rpc_attributes *attributes; /* that are saved; borrowed for ever */
    uint64_t frequency_ms;             /* how often they are looked at */
    /* It has said what it has, or has had its time for that: serve now. Once. */
    void (*ready)(void *data);
    void *data;
};

/* -ENOMEM. */
int colony_rpc_program_new(struct colony_rpc_program **out,
                           const struct colony_rpc_program_options *options,
                           struct colony_error *err);

/* Talks to the process that runs now and to those after it. -ENOMEM. */
int colony_rpc_program_start(struct colony_rpc_program *program, struct colony_error *err);
/* Its attributes are there: before that no hello is answered, and nobody is told that it is ready.
 */
void colony_rpc_program_loaded(struct colony_rpc_program *program);
/* What is under way is answered with an error. */
void colony_rpc_program_stop(struct colony_rpc_program *program);
void colony_rpc_program_close(struct colony_rpc_program *program, colony_rpc_program_closed_cb cb,
                              void *data);

/* What it serves; its data is @program. Lives as long as that. */
const struct colony_rpc_object *colony_rpc_program_object(const struct colony_rpc_program *program);

#endif
