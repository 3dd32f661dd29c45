/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pids_internal.h - a file with the pid of each process that runs: what is to be written is noted
 * on the loop, and written on a thread, the last word on each file only.
 */
#ifndef COLONY_FSCTL_PIDS_INTERNAL_H
#define COLONY_FSCTL_PIDS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;

/* A list of what is to be written; all-zero is empty. */
struct colony__pid_list {
    struct colony__pid_file *files;
};

/* @os_pid 0: the process has ended. -ENOMEM. */
int colony__pids_note(struct colony__pid_list *list, const char *name, uint32_t slot, pid_t os_pid);
/* False: it was not in the list. */
bool colony__pids_drop(struct colony__pid_list *list, const char *name, uint32_t slot);
bool colony__pids_has_any(const struct colony__pid_list *list);

/* Writes and removes files of the folder @path and empties @list. On a thread. The first error. */
int colony__pids_write(struct colony__pid_list *list, const char *path, struct colony_error *err);
void colony__pids_clear(struct colony__pid_list *list);

#endif
