/* SPDX-License-Identifier: Apache-2.0 */
/* database_sql_internal.h - what the two files of the database share. */
#ifndef COLONY_SESSION_DATABASE_SQL_INTERNAL_H
#define COLONY_SESSION_DATABASE_SQL_INTERNAL_H

#include <errno.h>

struct colony_error;
struct colony_workspace;

#define DATABASE_IS_DAMAGED (-EUCLEAN)

/* workspace->sqlite is open then. */
int colony__database_open(struct colony_workspace *workspace, struct colony_error *err);
void colony__database_close(struct colony_workspace *workspace);
/* sqlite's @code as a negative errno, with its reason; 0 when it is none. */
int colony__database_fail(struct colony_workspace *workspace, int code, struct colony_error *err);

#endif
