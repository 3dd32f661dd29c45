/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_internal.h - the keeper of an engine that is in this program: a process that is started
 * here and is nobody's child (core/orphan.h).
 *
 * It ends with this program, or when its engine tells it to. What it logs is passed on.
 */
#ifndef COLONY_LIB_KEEPER_INTERNAL_H
#define COLONY_LIB_KEEPER_INTERNAL_H

#include <stddef.h>

struct colony_error;
struct colony_keeper_options;
struct uv_loop_s;

struct colony__keeper;

struct colony__keeper_plan {
    const struct colony_keeper_options *options; /* its descriptors are above 2 */
    const int *pipes;                            /* that go along: what its processes write */
    size_t pipe_count;
    void (*ended)(void *data); /* once; its state folder can be locked then */
    void *data;
};

/* -ENOENT, -EACCES: it cannot be run; -ENOMEM, -EMFILE, … */
int colony__keeper_new(struct colony__keeper **out, struct uv_loop_s *loop,
                       const struct colony__keeper_plan *plan, struct colony_error *err);

/* A link for another engine, *fd is the caller's. -EPIPE, -ECONNRESET: the keeper has ended. */
int colony__keeper_link(struct colony__keeper *keeper, int *fd);

/* `ended` is not called any more. One that lives takes it for the end of this engine. */
void colony__keeper_close(struct colony__keeper *keeper);

#endif
