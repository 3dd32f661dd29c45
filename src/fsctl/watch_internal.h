/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_internal.h - tells of changes in the two directories as they happen (inotify(7)).
 *
 * It may miss some: its queue overflows, file systems of other machines tell nothing, a directory
 * is replaced. So it only says when to look, never what there is.
 */
#ifndef COLONY_FSCTL_WATCH_INTERNAL_H
#define COLONY_FSCTL_WATCH_INTERNAL_H

#include <stdbool.h>

struct colony_error;

struct colony__watch {
    int fd;     /* -1: there is none */
    int config; /* what is watched; -1: nothing */
    int messages;
};

/* An errno where the kernel has no more of these: then there is nothing but regular looks. */
int colony__watch_open(struct colony__watch *watch, struct colony_error *err);
void colony__watch_close(struct colony__watch *watch);

/*
 * Watches the directories that are there now under these paths. On a thread: looking a path up may
 * take its time. -ENOSPC: the user watches too much; what is not there is no error.
 */
int colony__watch_aim(struct colony__watch *watch, const char *config, const char *messages,
                      struct colony_error *err);

/* Reads all that is told; true: it is worth a look. */
bool colony__watch_read(struct colony__watch *watch);

#endif
