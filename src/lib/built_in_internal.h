/* SPDX-License-Identifier: Apache-2.0 */
/* built_in_internal.h - colony's own front-ends as controllers, and what must be true of settings
 * before they start. */
#ifndef COLONY_LIB_BUILT_IN_INTERNAL_H
#define COLONY_LIB_BUILT_IN_INTERNAL_H

#include <stdbool.h>

struct colony__controllers;
struct colony_controller;
struct colony_error;
struct colony_front;
struct colony_settings;

/* NULL: it is another one's. */
const struct colony_front *colony__built_in_front(const struct colony_controller *controller);
/* It must be there when the engine starts. */
bool colony__built_in_has_sockets(const struct colony_controller *controller);
int colony__built_in_add_all(struct colony__controllers *controllers, struct colony_error *err);
/* -ENOTSUP: @settings have a section whose controller is not among @controllers. */
int colony__built_in_check_added(const struct colony__controllers *controllers,
                                 const struct colony_settings *settings, struct colony_error *err);
/* Reads the files that the settings name, as controllers will. */
int colony__built_in_check(const struct colony_settings *settings, struct colony_error *err);

#endif
