/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumption.h - how long a process has run, and what it uses of CPU and memory, without an
 * engine.
 *
 * Any thread.
 */
#ifndef COLONY_SESSION_CONSUMPTION_H
#define COLONY_SESSION_CONSUMPTION_H

#include <stdint.h>
#include <sys/types.h>

struct colony_consumption {
    double uptime_seconds;
    double cpu_percent; /* of one CPU, since the look before; the first: since it was started */
    uint64_t mem_bytes; /* resident */
};

/* The look before. All-zero: there was none in this life. */
struct colony_consumption_meter {
    uint64_t cpu_ns;
    uint64_t at_ns;
};

/* Of @pid, started at @start_ticks (proc(5), field 22). -ESRCH: it has ended. */
int colony_consumption_read(struct colony_consumption *out, struct colony_consumption_meter *meter,
                            pid_t pid, uint64_t start_ticks);

#endif
