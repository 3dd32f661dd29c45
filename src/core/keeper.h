/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.h - the parent of everything: spawns, reaps, signals, holds every descriptor (DESIGN §2).
 *
 * It has no policy and reads nothing from the outside world but the engine's messages. It starts
 * the engine and starts it again when it dies. libc only.
 */
#ifndef COLONY_CORE_KEEPER_H
#define COLONY_CORE_KEEPER_H

#include <signal.h>

struct colony_error;
struct colony_keeper_options;

/*
 * Becomes the keeper of the state folder: takes over what lives in its table, starts the engine
 * and returns when colony is to end. The caller must hold the lock (options->lock_fd) and be
 * single-threaded. Returns the exit code of the command.
 */
int colony_keeper_run(struct colony_keeper_options *options);

/* Those it acts on. Who blocks them before exec loses none that comes before the keeper looks. */
void colony_keeper_signals(sigset_t *out);

#endif
