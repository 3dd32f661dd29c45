/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_read_internal.h - one look at a workspace: rows and files side by side.
 *
 * A look changes nothing and needs no lock; it says whether something is to be settled. That is
 * done by another look with the lock held.
 */
#ifndef COLONY_SESSION_PROCESS_READ_INTERNAL_H
#define COLONY_SESSION_PROCESS_READ_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "session/database_internal.h"
#include "session/etc_folder_internal.h"

struct colony_error;

struct colony__look {
    struct colony_workspace *workspace;
    bool settles; /* writes what is to be settled: with the lock held */
    bool is_unsettled;
    struct colony__rows rows;
    struct colony__etc_entries entries;
    struct colony_session_list list; /* as it is found */
    size_t capacity;
    size_t added_count; /* processes that only files know of */
    char **problems;    /* a line each */
    size_t problem_count;
    size_t problem_capacity;
};

void colony__look_clear(struct colony__look *look);
/* Adds a line to the problems; without memory for it, it is lost. */
void colony__look_complain(struct colony__look *look, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A step of settling that failed is tried again by the next command. */
void colony__look_tell_failure(struct colony__look *look, int rc, const struct colony_error *err);
/* Takes over what *process has. -ENOMEM. */
int colony__look_add(struct colony__look *look, struct colony_session_process *process);

/* process_new.c: entry @entry is of a process that no row knows. 0, also when it is of no use,
 * which is told then; -ENOMEM. */
int colony__look_add_new(struct colony__look *look, const struct colony__etc_entry *entry);

/* process_new.c: what etc/NAME.yaml said is lost: what can be run, from the uri or a fingerprint.
 */
void colony__look_rebuild(struct colony__look *look, struct colony_session_process *process);

/* process_settle.c: what is by name the file of @row is of a process of which there is no row, and
 * @row lives not. */
bool colony__look_is_replaced(const struct colony__look *look, const struct colony__row *row);
void colony__look_drop_replaced(struct colony__look *look, const struct colony__row *row);
/* Rows whose names or aliases can be nobody's. */
void colony__look_drop_unsound(struct colony__look *look);
/* Of row and pid file, what lives is right. */
void colony__look_settle_pid(struct colony__look *look, struct colony_session_process *process);

#endif
