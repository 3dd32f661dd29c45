/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controllers_internal.h - the controllers of one engine after the other: made, started, closed.
 *
 * Those of colony itself belong to an engine, and are closed with it; those of programs outlive one
 * that another one takes the place of.
 */
#ifndef COLONY_LIB_CONTROLLERS_INTERNAL_H
#define COLONY_LIB_CONTROLLERS_INTERNAL_H

#include <stdbool.h>

#include "lib/colony_internal.h"

enum {
    COLONY__CONTROLLERS_MAX = 64, /* of one engine */
};

struct colony__controllers;
struct colony_settings;

int colony__controllers_new(struct colony__controllers **out, struct colony *colony);
void colony__controllers_free(struct colony__controllers *controllers);

int colony__controllers_add(struct colony__controllers *controllers,
                            const struct colony_controller *controller, void *data,
                            struct colony_error *err);
/* Also what the settings name; they are loaded when they are started. */
int colony__controllers_add_files(struct colony__controllers *controllers,
                                  const struct colony_settings *settings, struct colony_error *err);
/* Forgets those again, and unloads them. */
void colony__controllers_drop_files(struct colony__controllers *controllers);
bool colony__controllers_has(const struct colony__controllers *controllers,
                             const struct colony_controller *controller);

/* Makes and starts what was added last, in an engine that runs; it is forgotten where that fails.
 */
int colony__controllers_start_last(struct colony__controllers *controllers,
                                   struct colony_error *err);
/* Makes and starts what is not; tries them all, and returns the first failure. */
int colony__controllers_start(struct colony__controllers *controllers, struct colony_error *err);
int colony__controllers_restart(struct colony__controllers *controllers, const char *name,
                                struct colony_error *err);
/* Stops and closes those of the engine, or all of them, the last one first. */
void colony__controllers_close(struct colony__controllers *controllers, bool are_all,
                               void (*cb)(void *data), void *data);

/* object.c: shared objects. Opened before anything of it is used: -EPERM: others may write it;
 * -ENOENT, -ENOEXEC, -ENOTSUP: made for another interface. */
int colony__object_open(void **library, const struct colony_controller **out, const char *path,
                        struct colony_error *err);
void colony__object_close(void *library);

#endif
