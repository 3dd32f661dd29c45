/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.h - files that hold secrets: who else could read or change one makes it useless.
 *
 * What is read is never quoted in a message. libc only.
 */
#ifndef COLONY_CORE_SECRET_H
#define COLONY_CORE_SECRET_H

#include <stddef.h>

struct colony_error;

enum {
    COLONY_SECRET_BYTES_MAX = 65536,
};

/*
 * Reads @path whole into *text, with a NUL after its *size bytes; colony_secret_free() ends it.
 *
 * -EACCES unless it is a regular file of root's or our own that others can neither read nor write
 * and its group cannot write; -EFBIG above COLONY_SECRET_BYTES_MAX; -EINVAL for NUL bytes in it;
 * what the system says.
 */
int colony_secret_read(char **text, size_t *size, const char *path, struct colony_error *err);

/* The same judgement of a file that somebody else is going to read. */
int colony_secret_check(const char *path, struct colony_error *err);

/* Overwrites it first. NULL is fine. */
void colony_secret_free(char *text, size_t size);

#endif
