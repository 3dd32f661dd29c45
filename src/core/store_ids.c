/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_ids.c - the ids of events, each given once.
 *
 * An event is told before it is written, and clients come back with the id they were told last. So
 * what was given stands in a mapped file beside the database, where the kernel keeps it over any
 * kill: not one id is skipped then, and how many events were told and never written is known. Only
 * when the machine itself went down may the file be older than what was told.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "core/store_internal.h"
#include "core/table.h"

#define MAGIC 0x31736469796c6f63   /* "colyids1" */
#define ID_MAX (UINT64_C(1) << 53) /* beyond it they are no numbers to JavaScript */

static const uint8_t closed[sizeof((struct store_ids_page *)0)->boot_id];

/* Never a hole: on a full disk even looking at one may end in SIGBUS (tmpfs). */
static int map_file(struct store_ids *ids, int fd)
{
    struct stat file;
    void *map;
    int rc;

    if (fstat(fd, &file) < 0)
        return -errno;
    if (!S_ISREG(file.st_mode))
        return -EINVAL;
    do {
        rc = -posix_fallocate(fd, 0, sizeof *ids->page);
    } while (rc == -EINTR);
    if (rc < 0)
        return rc;
    map = mmap(NULL, sizeof *ids->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    ids->page = map;
    return 0;
}

static int open_file(struct store_ids *ids, const char *path)
{
    char *name;
    int fd;
    int rc;

    if (asprintf(&name, "%s-ids", path) < 0)
        return -ENOMEM;
    fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    rc = fd < 0 ? -errno : map_file(ids, fd);
    if (fd >= 0)
        (void)close(fd);
    if (rc < 0)
        colony_log(SEVERITY_ERROR,
                   "cannot note the ids of events in %s: %s: until colony may write it, a kill has "
                   "some given twice",
                   name, strerror(-rc));
    free(name);
    return rc;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Whether what stands in the file can be believed. */
static bool is_sound(const struct store_ids_page *page)
{
    return page->magic == MAGIC && page->given <= ID_MAX && page->settled <= page->given;
}

void colony__ids_open(struct store_ids *ids, const char *path, uint64_t last_seq)
{
    struct colony_boot boot = {0};
    bool is_exact = false;

    ids->page = &ids->own;
    if (colony_boot_read(&boot, NULL) == 0 && open_file(ids, path) == 0 && is_sound(ids->page))
        is_exact = memcmp(ids->page->boot_id, closed, sizeof closed) == 0 ||
                   memcmp(ids->page->boot_id, boot.boot_id, sizeof closed) == 0;
    else
        *ids->page = (struct store_ids_page){0};
    ids->opened = larger(ids->page->given, last_seq);
    ids->lost = ids->opened - larger(ids->page->settled, last_seq);
    if (!is_exact && ids->opened > 0)
        ids->opened += STORE_SKIPPED_SEQS;
    ids->page->magic = MAGIC;
    ids->page->given = ids->opened;
    ids->page->settled = ids->opened;
    if (memcmp(ids->page->boot_id, boot.boot_id, sizeof closed) == 0)
        return; /* an engine was killed, and nothing else has changed */
    memcpy(ids->page->boot_id, boot.boot_id, sizeof closed);
    (void)msync(ids->page, sizeof *ids->page, MS_SYNC);
}

uint64_t colony__ids_give(struct store_ids *ids)
{
    return ++ids->page->given;
}

uint64_t colony__ids_last(const struct store_ids *ids)
{
    return ids->page->given;
}

void colony__ids_settle(struct store_ids *ids, uint64_t seq)
{
    if (seq > ids->page->settled)
        ids->page->settled = seq;
}

void colony__ids_close(struct store_ids *ids)
{
    if (!ids->page)
        return;
    memcpy(ids->page->boot_id, closed, sizeof closed);
    (void)msync(ids->page, sizeof *ids->page, MS_SYNC);
    if (ids->page != &ids->own)
        (void)munmap(ids->page, sizeof *ids->page);
    ids->page = NULL;
}
