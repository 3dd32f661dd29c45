/* SPDX-License-Identifier: Apache-2.0 */
/* event_internal.h - the actions of `colony event`, one file each, listed in one table in event.c.
 */
#ifndef COLONY_CLI_EVENT_INTERNAL_H
#define COLONY_CLI_EVENT_INTERNAL_H

#include <stddef.h>

#include "options.h"

/* @index: the action's own number, for colony_options_parse_child(). Returns the exit code. */
typedef int (*event_action_cb)(size_t index, int argc, char **argv);

extern const struct colony_option colony__event_send_options[];
int colony__event_send(size_t index, int argc, char **argv);

extern const struct colony_option colony__event_juggler_options[];
int colony__event_juggler(size_t index, int argc, char **argv);

/* One line on stderr; returns @exit_code. */
int colony__event_fail(int exit_code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
