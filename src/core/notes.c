/* SPDX-License-Identifier: Apache-2.0 */
#include "core/notes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/table.h"

enum {
    CELLS_A_CHUNK = 64,
};

/* Ids begin anew with a new table: when the process was claimed makes the two unique. */
struct colony_note_cell {
    _Atomic uint64_t id; /* 0: nothing is noted */
    uint64_t claimed_boot_ns;
    _Atomic uint32_t turn; /* its lowest bit: which of the two places counts */
    uint32_t reserved;
    uint8_t places[2][COLONY_NOTE_SIZE];
};

static size_t size_of(uint32_t capacity)
{
    return (size_t)capacity * sizeof(struct colony_note_cell);
}

int colony_notes_open(int state_fd, uint32_t capacity, struct colony_error *err)
{
    int fd = openat(state_fd, "notes", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)size_of(capacity)) < 0) {
        int rc = colony_fail_os(err, -errno, "cannot make `notes` in the state folder");

        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    return fd;
}

int colony_notes_map(struct colony_notes *notes, int fd, struct colony_error *err)
{
    struct stat info;
    void *map = MAP_FAILED;

    memset(notes, 0, sizeof *notes);
    if (fstat(fd, &info) == 0 && info.st_size >= (off_t)sizeof(struct colony_note_cell))
        map = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    else
        errno = EBADMSG;
    if (map == MAP_FAILED) {
        int rc = colony_fail_os(err, -errno, "cannot map the notes about processes");

        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    notes->cells = map;
    notes->fd = fd;
    notes->capacity = (uint32_t)((size_t)info.st_size / sizeof(struct colony_note_cell));
    return 0;
}

void colony_notes_clear(struct colony_notes *notes)
{
    if (!notes->cells)
        return;
    (void)munmap(notes->cells, size_of(notes->capacity));
    (void)close(notes->fd);
    memset(notes, 0, sizeof *notes);
}

static int allocate(struct colony_notes *notes, uint32_t index)
{
    uint32_t count = (index / CELLS_A_CHUNK + 1) * CELLS_A_CHUNK;
    int rc = 0;

    if (index < notes->allocated)
        return 0;
    if (count > notes->capacity)
        count = notes->capacity;
    do {
        rc = -posix_fallocate(notes->fd, 0, (off_t)size_of(count));
    } while (rc == -EINTR);
    if (rc == 0)
        notes->allocated = count;
    return rc;
}

static bool is_about(const struct colony_note_cell *cell, const struct colony_record *record)
{
    return cell->id == record->id && cell->claimed_boot_ns == record->claimed_boot_ns;
}

int colony_notes_put(struct colony_notes *notes, uint32_t index, const struct colony_record *record,
                     const void *note)
{
    struct colony_note_cell *cell;
    uint32_t turn;
    int rc;

    if (index >= notes->capacity)
        return -ENOSPC;
    rc = allocate(notes, index);
    if (rc < 0)
        return rc;
    cell = &notes->cells[index];
    turn = cell->turn + 1;
    if (!is_about(cell, record))
        cell->id = 0;
    memcpy(cell->places[turn & 1], note, COLONY_NOTE_SIZE);
    cell->turn = turn;
    cell->claimed_boot_ns = record->claimed_boot_ns;
    cell->id = record->id;
    return 0;
}

/* Not through the mapping: on a full disk even looking at a hole may end in SIGBUS (tmpfs). */
int colony_notes_get(const struct colony_notes *notes, uint32_t index,
                     const struct colony_record *record, void *note)
{
    struct colony_note_cell cell;
    ssize_t length;

    if (index >= notes->capacity)
        return -ENOENT;
    length = pread(notes->fd, &cell, sizeof cell, (off_t)size_of(index));
    if (length < 0)
        return -errno;
    if (length != (ssize_t)sizeof cell || !is_about(&cell, record))
        return -ENOENT;
    memcpy(note, cell.places[cell.turn & 1], COLONY_NOTE_SIZE);
    return 0;
}
