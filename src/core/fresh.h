/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fresh.h - what is to replace a file is written under a name beside it, and renamed once it is
 * whole. libc only; any thread.
 *
 * That name is the first free one of a few, and whoever writes to it holds a lock: the next writer
 * takes away what one that was killed has left, and nobody what is still being written.
 */
#ifndef COLONY_CORE_FRESH_H
#define COLONY_CORE_FRESH_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Makes NAME.colony-N.new in @folder (AT_FDCWD: @name is a path) and puts its name into @fresh.
 * Keep the descriptor, which is for reading and writing, open until the file was renamed or
 * removed. Negative errno; -EEXIST: too many are written.
 */
int colony_fresh_open(int folder, const char *name, mode_t mode, char *fresh, size_t size);

#endif
