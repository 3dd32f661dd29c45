/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colony_internal.h - a struct colony, for the files of the library.
 *
 * engine.h's struct colony_engine is what runs behind it; it may be replaced while the struct
 * colony lives, when its keeper died and there is another.
 */
#ifndef COLONY_LIB_COLONY_INTERNAL_H
#define COLONY_LIB_COLONY_INTERNAL_H

#include <colony.h>

struct colony_engine;

/* NULL: it does not run now; from its welcome until it is closed. */
struct colony_engine *colony__engine(const struct colony *colony);

/* The same, with the error that callers get (-EAGAIN) where there is none. */
struct colony_engine *colony__running(const struct colony *colony, struct colony_error *err);

/* There is none now, and will be: it is being started, or replaced. */
bool colony__is_to_run(const struct colony *colony);

#define COLONY__WHO "the program" /* who asked, as causes have it */

/* calls.c: what other threads ask for (colony_engine_post). */
struct colony__calls;
int colony__calls_new(struct colony__calls **out, struct colony *colony, struct uv_loop_s *loop);
/* What was posted is called before @cb. */
void colony__calls_close(struct colony__calls *calls, void (*cb)(void *data), void *data);
/* When there is an engine again, or will be none: what waited for it is asked for. */
void colony__calls_go_on(struct colony__calls *calls);
struct colony__calls *colony__calls_of(const struct colony *colony);

/* listeners.c: who has subscribed (to events, samples, output) through the library. They outlive an
 * engine: when another takes its place they follow that. */
struct colony__listeners;
int colony__listeners_new(struct colony__listeners **out);
/* When it is made, so that no event is missed. -ENOMEM. */
int colony__listeners_attach(struct colony__listeners *listeners, struct colony_engine *engine);
/* At its welcome, when all that lives is known: those who follow processes follow them again. */
void colony__listeners_resume(struct colony__listeners *listeners);
/* Before that engine is closed; what it still has of output is told meanwhile. */
void colony__listeners_detach(struct colony__listeners *listeners);
/* After it was closed. */
void colony__listeners_drained(struct colony__listeners *listeners);
/* After the calls were closed: what was posted may still end some of them. NULL is fine. */
void colony__listeners_free(struct colony__listeners *listeners);
struct colony__listeners *colony__listeners_of(const struct colony *colony);
/* Tells nobody anything any more. */
void colony__listeners_silence(struct colony__listeners *listeners);

#endif
