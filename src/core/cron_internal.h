/* SPDX-License-Identifier: Apache-2.0 */
/* cron_internal.h - times as a clock shows them, whatever zone that is in. */
#ifndef COLONY_CORE_CRON_INTERNAL_H
#define COLONY_CORE_CRON_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct colony_cron;

/*
 * Moves @local, seconds as a clock shows them, on to the first time that is meant, which may be
 * itself. False: there is none.
 */
bool colony__cron_next_local(const struct colony_cron *cron, int64_t *local);

#endif
