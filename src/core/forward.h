/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - a process's lines in colony's own log (`log: {forward: true}`). */
#ifndef COLONY_CORE_FORWARD_H
#define COLONY_CORE_FORWARD_H

#include <stdint.h>

struct colony_log_options;

/*
 * Has each line of the log that is opened with @options also logged as `NAME.SLOT: line`, until
 * that log is closed; @slot 0: `NAME: line`. -ENOMEM: then @options are as they were.
 */
int colony_forward_init(struct colony_log_options *options, const char *name, uint32_t slot);
/* For a log that could not be opened. */
void colony_forward_clear(struct colony_log_options *options);

#endif
