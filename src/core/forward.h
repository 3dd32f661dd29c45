/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h - a process's lines in colony's own log (`log: {forward: true}`). */
#ifndef COLONY_CORE_FORWARD_H
#define COLONY_CORE_FORWARD_H

#include <stdint.h>

struct colony_log;

/*
 * Each line that @log is given is also logged as `NAME.SLOT: line`, until the log is closed. A
 * failure is told in the log: the process's own log is not touched by it.
 */
void colony_forward(struct colony_log *log, const char *name, uint32_t slot);

#endif
