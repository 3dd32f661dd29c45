/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_out_internal.h - the log's bytes on descriptor 2. libc only; any thread; never fails.
 *
 * After colony__log_out_never_wait nobody waits for who reads them: what cannot be written at once
 * is kept, in a bounded buffer, for a thread that lives until it is written. Lines above that are
 * counted, and their number is told when the log goes on.
 */
#ifndef COLONY_CORE_LOG_OUT_INTERNAL_H
#define COLONY_CORE_LOG_OUT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* Writes the line that says that @lost were lost; returns its size. */
typedef size_t (*colony__log_lost_cb)(char *line, size_t size, uint64_t lost);

/* @lost is called below a lock: it must not log. */
void colony__log_out_never_wait(colony__log_lost_cb lost);
/* Whole lines, 8 KiB of them at most. */
void colony__log_out(const char *lines, size_t size);
/* Waits until what is kept is written, a second at most. */
void colony__log_out_finish(void);

#endif
