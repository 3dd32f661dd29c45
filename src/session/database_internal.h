/* SPDX-License-Identifier: Apache-2.0 */
/*
 * database_internal.h - db/session.db: all that knows of sqlite.
 *
 * u_process is the seed's table; u_life says which process a pid meant; u_etc has the last good
 * text of each file of etc and, while files are being changed, what is to be written: a command
 * that is killed between the row and the file is finished by the next (redo).
 *
 * The database is opened with the first call, made when it is not there, and moved aside when it is
 * damaged. With the lock held whenever something is changed.
 */
#ifndef COLONY_SESSION_DATABASE_INTERNAL_H
#define COLONY_SESSION_DATABASE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/process.h"

struct colony_error;
struct colony_workspace;

#define DATABASE_PATH "db/session.db"
#define DATABASE_DAMAGED DATABASE_PATH ".damaged"

struct colony__row {
    struct colony_session_process process; /* the fields of the database */
    char *file;                            /* of etc, without .yaml; NULL: none is known */
    char *text;                            /* what it said when it was good */
    char *next_file;                       /* it is to become this; NULL: it is settled */
    char *next_text;
};

struct colony__rows {
    struct colony__row *items; /* by name */
    size_t count;
    int64_t *unsound; /* numbers of rows that cannot be of a process: colony__database_drop() */
    size_t unsound_count;
};

int colony__database_read(struct colony_workspace *workspace, struct colony__rows *out,
                          struct colony_error *err);
void colony__rows_clear(struct colony__rows *rows);
struct colony__row *colony__rows_find(const struct colony__rows *rows, const char *name);

int colony__database_begin(struct colony_workspace *workspace, struct colony_error *err);
int colony__database_commit(struct colony_workspace *workspace, struct colony_error *err);
void colony__database_rollback(struct colony_workspace *workspace);

/* Name, alias, uri and life. */
int colony__database_put(struct colony_workspace *workspace,
                         const struct colony_session_process *process, struct colony_error *err);
int colony__database_put_life(struct colony_workspace *workspace,
                              const struct colony_session_process *process,
                              struct colony_error *err);
/* Its file is @file and says @text. */
int colony__database_keep(struct colony_workspace *workspace, const char *name, const char *file,
                          const char *text, struct colony_error *err);
/* What the file of @name said when it was good; NULL: that is not known. The caller frees *text. */
int colony__database_kept(char **text, struct colony_workspace *workspace, const char *name,
                          struct colony_error *err);
/* Its file is to become @file and @text: colony__database_settle() once it has. */
int colony__database_plan(struct colony_workspace *workspace, const char *name, const char *file,
                          const char *text, struct colony_error *err);
int colony__database_settle(struct colony_workspace *workspace, const char *name,
                            struct colony_error *err);
int colony__database_remove(struct colony_workspace *workspace, const char *name,
                            struct colony_error *err);
/* The unsound row of that number. */
int colony__database_drop(struct colony_workspace *workspace, int64_t number,
                          struct colony_error *err);

#endif
