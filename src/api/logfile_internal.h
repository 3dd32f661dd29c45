/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logfile_internal.h - reads the log of one slot across its rotated files.
 *
 * PATH is being written, PATH.1 is the newest rotated file, PATH.2 older, … Files are known by
 * device and inode, because they change their names while they are read. Calls block: they are
 * for worker threads. libc only.
 */
#ifndef COLONY_API_LOGFILE_INTERNAL_H
#define COLONY_API_LOGFILE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/buffer_internal.h"

#define COLONY__LINES_ALL UINT64_MAX

/* A plain value. */
struct colony__logfile {
    char *path;
    uint32_t rotated_max; /* how many rotated files there may be */
    int fd;               /* -1: none is open */
    dev_t device;
    ino_t inode;
    uint64_t offset;
    bool has_end; /* reading ends where the newest file ended when it was sought */
    dev_t end_device;
    ino_t end_inode;
    uint64_t end_offset;
    bool has_gap; /* files vanished before they were read; whoever says so clears it */
};

/* -ENOMEM. */
int colony__logfile_init(struct colony__logfile *file, const char *path, uint32_t rotated_max);
void colony__logfile_clear(struct colony__logfile *file);

/* To the beginning of the last @lines lines there are now. No file is no error. Negative errno. */
int colony__logfile_seek(struct colony__logfile *file, uint64_t lines);

/*
 * To where a reader was, by the file's device and inode (0: there was none) and the offset in it;
 * to the oldest there is, with a gap, when that file has been rotated away. Negative errno.
 */
int colony__logfile_resume(struct colony__logfile *file, dev_t device, ino_t inode,
                           uint64_t offset);

/* Bytes in order of writing, going from file to file; 0: there are no more now. Negative errno. */
ssize_t colony__logfile_read(struct colony__logfile *file, char *buffer, size_t size);

enum {
    COLONY__LINE_MAX = 32768, /* longer ones are broken */
};

/*
 * Appends the whole lines of @data to @out, each after @prefix. A piece of a line at its end waits
 * in @carry for the rest. -ENOMEM, -EMSGSIZE.
 */
int colony__lines_prefix(struct colony__buffer *out, struct colony__buffer *carry,
                         const char *prefix, const char *data, size_t size);
/* Appends what waits in @carry as a line. */
int colony__lines_flush(struct colony__buffer *out, struct colony__buffer *carry,
                        const char *prefix);

#endif
