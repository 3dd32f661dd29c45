/* SPDX-License-Identifier: Apache-2.0 */
/* table_internal.h - what table.c and table_instance.c have of each other. libc only. */
#ifndef COLONY_CORE_TABLE_INTERNAL_H
#define COLONY_CORE_TABLE_INTERNAL_H

#include <stdint.h>

#include "core/table.h"

/* Makes of the empty file @fd, which it takes over, an empty table without an instance yet. */
int colony__table_fill(struct colony_table *table, int fd, uint32_t capacity,
                       struct colony_error *err);
/* From here on it is one that can be opened. */
void colony__table_set_instance(struct colony_table *table, const char *instance);

/* What the file says; "" when there is none, or none that can be believed. */
void colony__instance_read(int state_fd, char out[COLONY_INSTANCE_SIZE]);
/* The instance by the file and by the table, which says @known ("": nothing); both say it then. */
int colony__instance_settle(int state_fd, const char *known, char out[COLONY_INSTANCE_SIZE],
                            struct colony_error *err);

#endif
