/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry_internal.h - one name in a directory that others write to: whether it may be read, what it
 * was, and what it holds. Any thread.
 */
#ifndef COLONY_FSCTL_ENTRY_INTERNAL_H
#define COLONY_FSCTL_ENTRY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct colony_error;
struct stat;

enum {
    COLONY__ENTRY_BYTES_MAX = 1 << 20, /* of a file; what has more is not read */
    COLONY__ENTRY_PATIENCE_MS = 700,   /* for what is being written, since it was first seen so */
};

/* By which a file is known to be what it was. */
struct colony__identity {
    dev_t device;
    ino_t inode;
    off_t size;
    mode_t mode;
    struct timespec modified;
    struct timespec changed;
};

/* Of a clock that nobody sets. */
uint64_t colony__entry_now_ms(void);

/* What a writer has not finished and what editors leave: `*.new`, `.*`, `*~`, `#*#`. */
bool colony__entry_is_ignored(const char *name);

void colony__entry_identify(struct colony__identity *out, const struct stat *info);
bool colony__entry_is_same(const struct colony__identity *left,
                           const struct colony__identity *right);

/*
 * True when a change right after @identity was taken might not show in it: clocks of file systems
 * have coarse hands, and may be set back.
 */
bool colony__entry_is_fresh(const struct colony__identity *identity);

/*
 * Whether a file may be read by what is known without opening it: a regular file of at most 1 MiB
 * that, as root, nobody else owns. -EINVAL with the reason, which names @path; -EFBIG.
 */
int colony__entry_check(const struct stat *info, const char *path, struct colony_error *err);

/* Where a file is. */
struct colony__entry_place {
    int folder; /* of the directory */
    const char *name;
    const char *path; /* what messages call it */
};

/*
 * The whole file at @place, NUL-terminated; the caller frees *text. Nothing is followed, and
 * what is no regular file is not opened. -ENOENT: it is gone; -EAGAIN: it changed meanwhile;
 * -EINVAL, -EFBIG as above; -ENOMEM, -EACCES, …
 */
int colony__entry_read(char **text, size_t *size, const struct colony__entry_place *place,
                       struct colony_error *err);

#endif
