/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes.h - what an engine remembers of its slots over its own death, in memory that outlives it.
 *
 * A file of one cell a record of the table, made by the keeper, which never reads or maps it (what
 * an engine does to it can hurt only engines), and mapped by the engine: a note costs no message
 * and no wake-up. The first note of a process comes with its SPAWN and stands in its record. A
 * cell has two places, and the one that counts is changed last: an engine killed in the middle of
 * writing leaves the note before.
 */
#ifndef COLONY_CORE_NOTES_H
#define COLONY_CORE_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_note_cell;
struct colony_record;

struct colony_notes {
    struct colony_note_cell *cells;
    uint32_t capacity;
    uint32_t allocated; /* cells that are surely on the disk: a hole could end in SIGBUS */
    int fd;
};

/* Opens or makes `notes` in the folder @state_fd, for as many records. A descriptor; negative
 * errno. */
int colony_notes_open(int state_fd, uint32_t capacity, struct colony_error *err);

/* Maps it, and takes ownership of @fd, also when it fails. All-zero is the empty state. */
int colony_notes_map(struct colony_notes *notes, int fd, struct colony_error *err);
void colony_notes_clear(struct colony_notes *notes);

/* Notes COLONY_NOTE_SIZE bytes about the process of @record. -ENOSPC: the disk is full. */
int colony_notes_put(struct colony_notes *notes, uint32_t index, const struct colony_record *record,
                     const void *note);

/* Copies what was noted last about the process of @record. -ENOENT: nothing since it was ordered;
 * -errno: it cannot be read. */
int colony_notes_get(const struct colony_notes *notes, uint32_t index,
                     const struct colony_record *record, void *note);

#endif
