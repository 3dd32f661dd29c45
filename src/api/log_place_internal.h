/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_place_internal.h - up to where a log was sent, so that a client can have the rest later, from
 * another engine too.
 *
 * A place is `SLOT.DEVICE.INODE.OFFSET`, with an `e` after SLOT for the log of stderr; DEVICE and
 * INODE are 0 while there is no file. Clients give back a list of them with commas between, and
 * need not understand it.
 */
#ifndef COLONY_API_LOG_PLACE_INTERNAL_H
#define COLONY_API_LOG_PLACE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony__logfile;

enum {
    COLONY__LOG_PLACE_MAX = 96, /* bytes of one as text, with what is around it */
};

struct colony__log_place {
    uint32_t slot;
    bool is_error; /* of the log of stderr */
    uint64_t device;
    uint64_t inode;
    uint64_t offset;
};

/* @unsent: bytes that were read and not sent yet. */
void colony__log_place_set(struct colony__log_place *place, const struct colony__logfile *file,
                           size_t unsent);

/* Writes `PLACE SIZE\n`, which stands before @size bytes. Returns its length. */
size_t colony__log_place_write(const struct colony__log_place *place, size_t size,
                               char text[COLONY__LOG_PLACE_MAX]);

/* The place of that log in @list. 0; -ENOENT: it is not in it; -EINVAL: that is no such list. */
int colony__log_place_find(struct colony__log_place *place, const char *list);

#endif
