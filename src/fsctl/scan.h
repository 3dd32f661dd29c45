/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - the files of ncolony's configuration folder, looked at again and again: only what has
 * changed is read. It blocks on the disk, so it is for a worker thread, which then owns it.
 */
#ifndef COLONY_FSCTL_SCAN_H
#define COLONY_FSCTL_SCAN_H

#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_scan;
struct colony_value;

struct colony_scan_file {
    const char *name;
    int64_t changed_ms; /* when it was written, since 1970 */
    void *data;         /* whoever looks keeps here what they made of it */
};

struct colony_scan_callbacks {
    /* Its content is new. A file that cannot be read, or is no JSON, is told in the log, and what
     * was made of it before holds on. */
    void (*changed)(struct colony_scan_file *file, const struct colony_value *config, void *data);
    /* Each file that was ever read, at each look. May be NULL. */
    void (*seen)(struct colony_scan_file *file, void *data);
    /* It is not there any more, or the scan ends: last chance to free file->data. */
    void (*gone)(struct colony_scan_file *file, void *data);
    void *data;
};

/* Copies @callbacks; @folder is kept. -ENOMEM. */
int colony_scan_new(struct colony_scan **out, const char *folder,
                    const struct colony_scan_callbacks *callbacks);
/* Looks once. The folder cannot be opened or listed: nothing is called, and its errno. -ENOMEM. */
int colony_scan_look(struct colony_scan *scan, struct colony_error *err);
void colony_scan_free(struct colony_scan *scan);

#endif
